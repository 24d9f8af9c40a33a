"""Small runs that the tests of the web share."""

import numpy as np
import pytest

import lowerbound as lb


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A run on vectors of three numbers, of two latent units."""
    x = np.random.default_rng(0).normal(size=(60, 3))
    vae = lb.AutoVAE(latents=2, epochs=1, random_state=0).fit(x)
    path = tmp_path_factory.mktemp("web") / "run"
    vae.save(str(path))
    return lb.load(str(path))
