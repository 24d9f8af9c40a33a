"""Simulated data, held between bounds from both sides."""

import math
import sys

import pytest
import torch
from torch import nn

from lowerbound.errors import SettingError
from lowerbound.evaluation import Annealing, sandwich
from lowerbound.evaluation.simulate import simulate
from lowerbound.testing import LinearGaussian, assert_mean

REFERENCE = LinearGaussian.random(2, 4)


def shifted() -> nn.Module:
    model = REFERENCE.vae()
    with torch.no_grad():
        model.posterior.network.layers[0].bias[:2] += 0.6
    return model


def test_simulated_data_follow_the_model():
    z, x = simulate(REFERENCE.vae(), 20_000)
    assert_mean(z, torch.zeros(2).double(), resolves=0.1)
    assert_mean(x, REFERENCE.bias, resolves=0.2)
    noise = x - z @ REFERENCE.weight.T - REFERENCE.bias
    assert_mean(noise.square(), REFERENCE.scale.square(), resolves=0.05)


def test_the_truth_lies_between_the_bounds():
    """`benchmarks/coverage.py` does it 200 times."""
    for seed in range(3):
        joint = REFERENCE.sample(40, seed)
        found = sandwich(
            shifted(), 40, Annealing(10, 8), joint=(joint.z, joint.x), samples=50, seed=seed
        )
        exact = float(REFERENCE.log_evidence(joint.x).mean())
        low, high = found.interval
        assert low <= exact <= high
        assert low < found.lower.mean
        assert high > found.upper.mean
        assert found.gap == pytest.approx(found.upper.mean - found.lower.mean)
        assert found.importance_weighted.mean < found.upper.mean


def test_a_draw_that_is_not_from_the_posterior_is_no_start_for_a_bound_from_above(monkeypatch):
    """The bound's direction rests on z* being exact: with another example's z* it is far below."""

    def mismatched(model, count, *, seed=0):
        z, x = simulate(model, count, seed=seed)
        return z.roll(1, dims=0), x

    model = REFERENCE.vae()
    with torch.no_grad():  # a wide encoder: q(z|x) has three times the standard deviation
        model.posterior.network.layers[0].bias.view(3, 2)[1:].diagonal().add_(math.log(3.0))
    assert sandwich(model, 40, Annealing(1, 8), samples=50).gap > 0.5
    monkeypatch.setattr(sys.modules[sandwich.__module__], "simulate", mismatched)
    assert sandwich(model, 40, Annealing(1, 8), samples=50).gap < -0.5


def test_what_cannot_be_simulated_is_refused():
    with pytest.raises(SettingError, match="at least 2"):
        sandwich(shifted(), 1)
    with pytest.raises(SettingError, match="no prior and likelihood"):
        simulate(nn.Linear(1, 1), 3)
