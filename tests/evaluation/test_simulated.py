"""Data of the model's own making."""

import sys

import pytest
import torch
from lowerbound.evaluation.simulate import simulate
from torch import nn

from lowerbound.errors import SettingError
from lowerbound.seeding import seeded
from lowerbound.testing import LinearGaussian

REFERENCE = LinearGaussian.random(2, 4)


@pytest.mark.parametrize(("held", "decoded"), [(500, [7]), (7, [7]), (3, [3, 3, 1])])
def test_latents_are_decoded_a_few_at_a_time_and_each_once(held, decoded, monkeypatch):
    monkeypatch.setattr(sys.modules[simulate.__module__], "ROWS_AT_ONCE", held)
    model, asked = REFERENCE.vae(), []
    model.likelihood.register_forward_hook(lambda m, i, o: asked.append(len(i[0])))
    z, x = simulate(model, 7, seed=2)
    assert asked == decoded
    assert (z.shape, x.shape) == ((7, 2), (7, 4))
    with seeded(2, stream="simulation"):
        assert torch.equal(z, torch.randn(7, 2, dtype=torch.float64))
        parts = z.split(held)
        noise = torch.cat([torch.randn(len(part), 4, dtype=torch.float64) for part in parts])
    mean = z @ REFERENCE.weight.T + REFERENCE.bias
    assert torch.allclose(x, mean + REFERENCE.scale * noise, rtol=1e-10)


def test_500_latents_are_decoded_at_a_time():
    model, asked = REFERENCE.vae(), []
    model.likelihood.register_forward_hook(lambda m, i, o: asked.append(len(i[0])))
    simulate(model, 501)
    assert asked == [500, 1]


def test_a_model_that_lacks_either_part_is_refused():
    for missing in ("prior", "likelihood"):
        model = REFERENCE.vae()
        delattr(model, missing)
        with pytest.raises(SettingError, match="VAE has no prior and likelihood"):
            simulate(model, 3)
    with pytest.raises(SettingError, match="Linear has no prior and likelihood"):
        simulate(nn.Linear(1, 1), 3)
