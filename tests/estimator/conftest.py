"""A small estimator, its data, and one that is fitted on them."""

from collections.abc import Callable

import numpy as np
import pytest

import lowerbound as lb


def make(**params) -> lb.AutoVAE:
    return lb.AutoVAE(
        **{"epochs": 2, "settings": {"hidden": (32,)}, "random_state": 0, "samples": 5, **params}
    )


def table() -> np.ndarray:
    """Five columns of different units and locations, four factors."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 5))
    return x * [1, 10, 100, 1, 1] + [0, 0, 500, 0, 0]


@pytest.fixture(scope="session")
def small() -> Callable[..., lb.AutoVAE]:
    return make


@pytest.fixture(scope="module")
def real() -> np.ndarray:
    return table()


@pytest.fixture(scope="module")
def fitted() -> lb.AutoVAE:
    return make(latents=2).fit(table())
