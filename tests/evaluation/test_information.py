"""The rate taken apart, against closed forms of the linear Gaussian model."""

import math

import pytest
import torch

from lowerbound.data import Examples
from lowerbound.errors import DataError
from lowerbound.evaluation import information
from lowerbound.testing import LinearGaussian

REFERENCE = LinearGaussian.random(2, 4)


def exact_information() -> float:
    precision = torch.eye(2).double() + REFERENCE.weight.T @ REFERENCE.weight / 0.49
    return 0.5 * float(torch.logdet(precision))


def margin(estimate) -> float:
    return 4.9 * (estimate.standard_error or 0.0)


def test_both_quantities_lie_between_their_estimates():
    # q(z|x) = p(z|x) and x ~ p(x): I is half a log-determinant, and q(z) = p(z)
    found = information(REFERENCE.vae(), Examples(REFERENCE.sample(2000).x))
    told, apart = found.mutual_information, found.mismatch
    truth = exact_information()
    assert told.lower.mean - margin(told.lower) < truth < told.upper.mean + margin(told.upper)
    assert told.upper.mean - told.lower.mean < 0.1  # 2,000 examples tell it well
    assert told.lower.mean < told.upper.mean
    assert 0.0 <= apart.lower.mean <= apart.upper.mean + margin(apart.upper)
    assert apart.upper.mean < 0.1
    assert found.examples == 2000


def test_an_aggregate_that_is_shifted_from_the_prior_shows_in_the_mismatch_alone():
    # q(z) = N(0.7, I): KL(q(z) || p(z)) = 2 x 0.49 / 2; what z tells of x is as before
    model = REFERENCE.vae()
    with torch.no_grad():
        model.posterior.network.layers[0].bias[:2] += 0.7
    found = information(model, Examples(REFERENCE.sample(2000).x))
    told, apart = found.mutual_information, found.mismatch
    assert told.lower.mean - margin(told.lower) < exact_information()
    assert exact_information() < told.upper.mean + margin(told.upper)
    assert apart.lower.mean - margin(apart.lower) < 0.49 < apart.upper.mean + margin(apart.upper)
    assert apart.upper.mean - apart.lower.mean < 0.15


def test_few_examples_cannot_show_much_information():
    # four examples: at most log 4 can be told apart, at most the rate can be there
    few = REFERENCE.sample(4).x
    sharp = LinearGaussian(50 * REFERENCE.weight, REFERENCE.bias, REFERENCE.scale)
    found = information(sharp.vae(), Examples(sharp.sample(4).x))
    told, apart = found.mutual_information, found.mismatch
    assert told.lower.mean <= math.log(4) + 1e-9
    assert told.upper.mean >= told.lower.mean
    assert apart.lower.mean == 0.0
    with pytest.raises(DataError, match="two examples"):
        information(REFERENCE.vae(), Examples(few[:1]))


def test_no_more_examples_are_mixed_than_asked_for():
    found = information(REFERENCE.vae(), Examples(REFERENCE.sample(30).x), most=10)
    assert found.examples == 10
