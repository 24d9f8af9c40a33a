"""The negative binomial against scipy and, where doubles run out of digits, against mpmath."""

import itertools

import mpmath
import numpy as np
import pytest
import torch
from scipy import stats

from lowerbound.distributions import NegativeBinomial, expected
from lowerbound.testing import assert_close_gradient, assert_frequencies, assert_mean

F64 = torch.float64


def law(mean, size) -> NegativeBinomial:
    return NegativeBinomial(
        torch.as_tensor(mean, dtype=F64).log(), torch.as_tensor(size, dtype=F64).log()
    )


@pytest.mark.parametrize("size", [0.3, 1.0, 7.0, 200.0])
@pytest.mark.parametrize("mean", [0.05, 3.0, 400.0])
def test_it_is_scipys(mean, size):
    k = np.arange(60)
    theirs = stats.nbinom(size, size / (size + mean))
    ours = law(mean, size)
    assert np.allclose(ours.log_prob(torch.arange(60)), theirs.logpmf(k), rtol=1e-10, atol=1e-10)
    assert ours.mean.item() == pytest.approx(theirs.mean(), rel=1e-12)
    assert ours.variance.item() == pytest.approx(theirs.var(), rel=1e-12)
    assert torch.equal(expected(ours), ours.mean)


EXTREMES = list(itertools.product([0, 1, 1000, 10**6], [1e-3, 1.0, 1e6], [1e-3, 1.0, 1e6]))


@pytest.mark.parametrize(("k", "size", "mean"), EXTREMES)
def test_value_and_gradient_are_exact_at_counts_of_a_million_and_any_size(k, size, mean):
    # torch's softplus is cut at 20, which was off by 2e-3 nats here
    mpmath.mp.dps = 60
    log_mean, log_size = (torch.tensor(v, dtype=F64).log().requires_grad_() for v in (mean, size))
    value = NegativeBinomial(log_mean, log_size).log_prob(torch.tensor(k, dtype=torch.int32))
    by_mean, by_size = torch.autograd.grad(value, [log_mean, log_size])
    m, r = mpmath.exp(mpmath.mpf(log_mean.item())), mpmath.exp(mpmath.mpf(log_size.item()))
    ways = mpmath.loggamma(k + r) - mpmath.loggamma(r) - mpmath.loggamma(k + 1)
    exact = ways + r * mpmath.log(r / (r + m)) + k * mpmath.log(m / (r + m))
    slope = mpmath.digamma(k + r) - mpmath.digamma(r) + mpmath.log(r / (r + m))
    assert value.item() == pytest.approx(float(exact), rel=1e-12, abs=2e-8)
    assert by_mean.item() == pytest.approx(float(r * (k - m) / (r + m)), rel=1e-9, abs=1e-9)
    slope = r * (slope + (m - k) / (r + m))
    assert by_size.item() == pytest.approx(float(slope), rel=1e-8, abs=1e-7)


def test_its_gradient_is_that_of_its_differences():
    k = torch.tensor([0.0, 2.0, 50.0], dtype=F64)
    assert_close_gradient(
        lambda m, r: NegativeBinomial(m, r).log_prob(k),
        [torch.randn(3, dtype=F64), torch.randn(3, dtype=F64)],
    )


@pytest.mark.parametrize(("mean", "size"), [(0.3, 0.2), (12.0, 1.0), (40.0, 1e6)])
def test_it_sums_to_one(mean, size):
    assert law(mean, size).log_prob(torch.arange(4000)).exp().sum().item() == pytest.approx(1)


def test_for_a_large_size_it_is_poissons_and_not_narrower():
    k = np.arange(40)
    poisson = stats.poisson(6.0).logpmf(k)
    assert np.allclose(law(6.0, 1e8).log_prob(torch.arange(40)), poisson, atol=1e-5)
    assert law(6.0, 1e8).variance.item() == pytest.approx(6.0, rel=1e-6)


def test_draws_have_its_mean_variance_and_shares():
    p = law([0.4, 8.0, 300.0], [0.5, 2.0, 50.0])
    draws = p.sample((40_000,))
    spread = p.stddev
    assert_mean(draws, p.mean, resolves=0.06 * spread)
    assert_mean((draws - p.mean).square() / p.variance, 1.0, resolves=0.2)
    shares = p.log_prob(torch.arange(40).unsqueeze(-1)).exp()[:, 1]
    few = draws[:, 1].clamp(max=39)
    shares[39] += 1 - shares.sum()
    assert_frequencies(few, shares, resolves=0.02)


def test_draws_are_whole_numbers_and_finite_whatever_the_parameters():
    extreme = torch.tensor([-40.0, 0.0, 40.0, 700.0], dtype=F64)
    for log_size in (-7.0, 0.0, 14.0):
        draws = NegativeBinomial(extreme, torch.full((4,), log_size, dtype=F64)).sample((50,))
        assert bool(torch.isfinite(draws).all() & (draws == draws.round()).all())
        assert bool((draws >= 0).all())


def test_parameters_of_float32_are_computed_in_float64():
    log_mean, log_size = torch.tensor([13.8]), torch.tensor([2.0])
    wide = NegativeBinomial(log_mean.double(), log_size.double())
    for k in (torch.tensor([10**6]), torch.tensor([1e6])):
        found = NegativeBinomial(log_mean, log_size).log_prob(k)
        assert found.dtype == F64
        assert torch.equal(found, wide.log_prob(k))
    assert not wide.has_rsample and not wide.sample().requires_grad


def test_only_whole_numbers_from_0_are_in_the_support():
    inside = law(1.0, 1.0).support.check(torch.tensor([-1.0, 0.0, 0.5, 1e9]))
    assert inside.tolist() == [False, True, False, True]
    assert law(1.0, 1.0).support.is_discrete
