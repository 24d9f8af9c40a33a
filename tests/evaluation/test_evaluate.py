"""The honest statement: means, standard errors, bits, active units."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from lowerbound.data import Data, Examples, Field, Schema
from lowerbound.errors import SupportError, UnknownNameError
from lowerbound.evaluation import ACTIVE_THRESHOLD, Estimate, evaluate
from lowerbound.likelihoods import Bernoulli, Fields, Gaussian
from lowerbound.models import VAE
from lowerbound.networks import MLP
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.priors import StandardNormal
from lowerbound.testing import LinearGaussian, assert_mean


def test_the_standard_error_is_numpys():
    values = torch.randn(37, dtype=torch.float64) * 3 + 1
    estimate = Estimate.of(values)
    assert estimate.mean == pytest.approx(values.numpy().mean())
    assert estimate.standard_error == pytest.approx(values.numpy().std(ddof=1) / math.sqrt(37))
    assert Estimate.of(values[:1]).standard_error is None
    assert str(Estimate(-1.234, 0.056)) == "-1.23 ± 0.06 nats per example"
    assert str(Estimate(-1.234, None)) == "-1.23 nats per example"


def test_the_log_likelihood_is_that_of_the_closed_form_with_its_standard_error():
    reference = LinearGaussian.random(2, 4)
    x = reference.simulate(300).x
    stated = evaluate(reference.vae(), x, samples=3).log_likelihood
    exact = reference.log_evidence(x).numpy()
    assert stated.mean == pytest.approx(exact.mean(), rel=1e-10)
    assert stated.standard_error == pytest.approx(exact.std(ddof=1) / math.sqrt(300), rel=1e-8)


def test_an_interval_of_two_standard_errors_covers_the_truth_19_times_in_20():
    # E[log p(x)] = -(entropy of p(x)); 4,000 data sets of 200 examples. The assertion resolves
    # 3 points of coverage: it would see an error of a fifth in the standard error (88 or 98 %).
    reference = LinearGaussian.random(2, 3)
    covariance = reference.weight @ reference.weight.T + 0.49 * torch.eye(3).double()
    truth = -float(torch.distributions.MultivariateNormal(reference.bias, covariance).entropy())
    values = reference.log_evidence(reference.simulate(800_000).x).view(4000, 200)
    covered = []
    for row in values:
        estimate = Estimate.of(row)
        covered.append(abs(estimate.mean - truth) < 1.96 * estimate.standard_error)
    assert_mean(torch.tensor(covered), 0.95, resolves=0.03, name="the coverage")


def coin(cells: int = 6) -> VAE:
    """A model that gives every binary example the probability 2^-cells."""
    decoder = MLP((2,), (1, cells), ())
    encoder = MLP((cells,), (2, 2), ())
    for network in (encoder, decoder):
        nn.init.zeros_(network.layers[0].weight)
        nn.init.zeros_(network.layers[0].bias)
    return VAE(StandardNormal(2), DiagonalGaussian(encoder), Fields(decoder, Bernoulli()))


def test_a_fair_coin_costs_one_bit_a_dimension():
    x = torch.randint(2, (50, 6), dtype=torch.uint8)
    stated = evaluate(coin(), x, samples=4)
    assert stated.bits_per_dimension.mean == pytest.approx(1.0, rel=1e-6)
    assert stated.bits_per_dimension.standard_error == pytest.approx(0.0, abs=1e-6)
    assert stated.bits_per_dimension.unit == "bits per dimension"
    assert stated.log_likelihood.mean == pytest.approx(-6 * math.log(2), rel=1e-6)
    assert stated.rate.mean == pytest.approx(0.0, abs=1e-9)
    assert stated.active_units == 0
    assert stated.unit_rate == pytest.approx((0.0, 0.0), abs=1e-9)


def test_bits_per_dimension_are_not_stated_where_they_mean_nothing():
    reference = LinearGaussian.random(2, 4)
    stated = evaluate(reference.vae(), reference.simulate(5).x, samples=2)
    assert stated.bits_per_dimension is None
    assert "density" in stated.bits_per_dimension_reason
    x = torch.zeros(5, 6)
    gaps = evaluate(coin(), Examples(x, torch.rand(5, 6) < 0.5), samples=2)
    assert gaps.bits_per_dimension is None
    assert "missing" in gaps.bits_per_dimension_reason


@pytest.mark.parametrize("below", [0.5, 0.98])
def test_active_units_are_those_whose_mean_varies_beyond_the_threshold(below):
    # x has variance 1 in each cell; unit d has the mean w_d x_d, hence the variance w_d^2
    x = torch.randn(4000, 3, dtype=torch.float64)
    x = (x - x.mean(dim=0)) / x.std(dim=0, unbiased=False)
    variances = torch.tensor([below * ACTIVE_THRESHOLD, ACTIVE_THRESHOLD / below, 1.0]).double()
    encoder = MLP((3,), (2, 3), ()).double()
    with torch.no_grad():
        encoder.layers[0].weight.zero_()[:3] = variances.sqrt().diag()
        encoder.layers[0].bias.zero_()
    decoder = MLP((3,), (1, 3), ())
    model = VAE(StandardNormal(3), DiagonalGaussian(encoder), Fields(decoder, Gaussian())).double()
    stated = evaluate(model, x, samples=1)
    assert (stated.active_units, stated.latents, stated.threshold) == (2, 3, ACTIVE_THRESHOLD)
    assert evaluate(model, x[:1], samples=1).active_units == 0  # one example does not vary


def test_a_split_is_read_that_is_the_one_named():
    # evaluate(data, split="validation") once read the test split and called it validation
    reference = LinearGaussian.random(1, 2)
    parts = [Examples(reference.simulate(n, seed=n).x) for n in (30, 20, 10)]
    schema = Schema((Field("x", "real", (2,), None),), (2,), precision="float64")
    data = Data(schema, *parts, source="planted")
    model = reference.vae()
    assert (evaluate(model, data).split, evaluate(model, data).examples) == ("test", 10)
    stated = evaluate(model, data, split="validation", samples=2)
    exact = reference.log_evidence(parts[1].x).mean()
    assert (stated.split, stated.examples, stated.data) == ("validation", 20, "planted")
    assert stated.log_likelihood.mean == pytest.approx(float(exact))
    assert evaluate(model, parts[0]).split == "all"
    with pytest.raises(UnknownNameError, match="did you mean 'train'"):
        evaluate(model, data, split="trian")


def test_impossible_examples_are_refused_unless_they_are_not_observed():
    x = torch.zeros(4, 6)
    x[1, 2] = 7.0
    with pytest.raises(SupportError, match="max 7 in 'mine'"):
        evaluate(coin(), x, name="mine")
    observed = x == 0
    assert np.isfinite(evaluate(coin(), Examples(x, observed), samples=2).elbo.mean)


def test_a_statement_is_plain_json():
    stated = evaluate(coin(), torch.zeros(5, 6), samples=2)
    assert json.loads(json.dumps(stated.to_json()))["elbo"]["mean"] == stated.elbo.mean
    assert dataclasses.is_dataclass(stated)
