"""Chains through gaps against the exact conditional of a linear Gaussian model."""

import pytest
import torch

from lowerbound.applications import complete
from lowerbound.core import Batch
from lowerbound.errors import SettingError
from lowerbound.testing import LinearGaussian, assert_mean


def test_chains_draw_from_the_exact_conditional_and_keep_what_is_known():
    reference = LinearGaussian.random(2, 5)
    row = reference.simulate(1).x[0]
    known = torch.tensor([True, False, True, False, True])
    covariance = reference.weight @ reference.weight.T + reference.scale.square() * torch.eye(5)
    gain = torch.linalg.solve(covariance[known][:, known], covariance[known][:, ~known]).T
    mean = reference.bias[~known] + gain @ (row - reference.bias)[known]
    cross = covariance[~known][:, ~known] - gain @ covariance[known][:, ~known]
    many = Batch(row.repeat(4000, 1), known.repeat(4000, 1))
    draws, means = complete(reference.vae(), many, steps=40, seed=0)
    assert torch.equal(draws[:, known], row[known].double().expand(4000, -1))
    assert_mean(draws[:, ~known] - mean, 0.0, resolves=0.5)
    spread = (draws[:, ~known] - mean).square() - cross.diagonal()
    assert_mean(spread, 0.0, resolves=0.5)
    assert_mean(means[:, ~known] - mean, 0.0, resolves=0.5)


def test_an_impossible_number_of_steps_is_refused():
    reference = LinearGaussian.random(2, 5)
    with pytest.raises(SettingError, match="steps must be"):
        complete(reference.vae(), Batch(torch.zeros(1, 5)), steps=0)
