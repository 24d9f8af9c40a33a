"""Data of the model's own making."""

import sys

import pytest
import torch

from lowerbound.evaluation.sandwich import simulated
from lowerbound.seeding import seeded
from lowerbound.testing import LinearGaussian, LinearGaussianChain, assert_mean

REFERENCE = LinearGaussian.random(2, 4)


@pytest.mark.parametrize(("held", "decoded"), [(500, [7]), (7, [7]), (3, [3, 3, 1])])
def test_latents_are_decoded_a_few_at_a_time_and_each_once(held, decoded, monkeypatch):
    monkeypatch.setattr(sys.modules[simulated.__module__], "ROWS_AT_ONCE", held)
    model, asked = REFERENCE.vae(), []
    model.likelihood.register_forward_hook(lambda m, i, o: asked.append(len(i[0])))
    z, x = simulated(model, 7, seed=2)
    assert asked == decoded
    assert (z.shape, x.shape) == ((7, 2), (7, 4))
    with seeded(2, stream="simulation"):
        drawn, noise = [], []
        for part in z.split(held):
            drawn.append(torch.randn(len(part), 2, dtype=torch.float64))
            noise.append(torch.randn(len(part), 4, dtype=torch.float64))
    assert torch.equal(z, torch.cat(drawn))
    mean = z @ REFERENCE.weight.T + REFERENCE.bias
    assert torch.allclose(x, mean + REFERENCE.scale * torch.cat(noise), rtol=1e-10)


def test_500_latents_are_decoded_at_a_time():
    model, asked = REFERENCE.vae(), []
    model.likelihood.register_forward_hook(lambda m, i, o: asked.append(len(i[0])))
    simulated(model, 501)
    assert asked == [500, 1]


def test_groups_of_different_shapes_are_simulated_together_in_a_row():
    chain = LinearGaussianChain((3, 2), 4)
    z, x = simulated(chain, 30_000, seed=1)
    mean, covariance = chain._moments()
    joint = torch.cat([x, z[:, 2:], z[:, :2]], dim=1) - mean  # z2 is on top: it comes first
    assert_mean(joint, 0.0, resolves=0.25)
    assert_mean(joint.unsqueeze(-1) * joint.unsqueeze(-2), covariance, resolves=1.5)
