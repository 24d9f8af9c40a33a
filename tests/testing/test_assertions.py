"""The assertions themselves: right samples pass, wrong ones and small ones do not."""

import pytest
import torch

from lowerbound.testing import (
    assert_close_gradient,
    assert_frequencies,
    assert_mean,
    assert_mean_at_most,
    assert_uniform_ranks,
    check_close,
)
from lowerbound.testing.assertions import FAILS_BEYOND, SEES_FROM


def test_a_right_mean_passes_and_one_off_by_what_it_resolves_does_not():
    samples = torch.randn(10_000, 3, dtype=torch.float64)
    assert_mean(samples, 0.0, resolves=0.09)
    with pytest.raises(AssertionError, match=r"is .* where 0.09 was expected"):
        assert_mean(samples, 0.09, resolves=0.09)


def test_a_sample_too_small_for_what_it_claims_to_resolve_fails_even_when_it_agrees():
    samples = torch.tensor([-1.0, 1.0] * 500)
    assert_mean(samples, 0.0, resolves=0.3)
    with pytest.raises(AssertionError, match=r"1,000 samples are too few .* it takes 64,0"):
        assert_mean(samples, 0.0, resolves=SEES_FROM / 64_000**0.5)


def test_the_two_error_rates_are_those_that_are_stated():
    from scipy.stats import norm

    assert 2 * norm.sf(FAILS_BEYOND) < 1e-6
    assert norm.cdf(SEES_FROM - FAILS_BEYOND) > 0.999


def test_no_right_mean_of_many_fails_and_hardly_a_wrong_one_passes():
    samples = torch.randn(400, 20_000, dtype=torch.float64)
    assert_mean(samples, 0.0, resolves=0.5)
    mean, error = samples.mean(dim=0), samples.std(dim=0) / 20.0
    missed = ((mean + SEES_FROM * error).abs() <= FAILS_BEYOND * error).double().mean()
    assert float(missed) < 0.003  # expected 0.001; three times that has probability below 1e-9


def test_numbers_that_are_not_finite_and_handfuls_are_no_sample():
    with pytest.raises(AssertionError, match="not finite"):
        assert_mean(torch.tensor([float("nan")] * 100), 0.0, resolves=1.0)
    with pytest.raises(AssertionError, match="at least 30"):
        assert_mean(torch.zeros(10), 0.0, resolves=1.0)


def test_constants_must_equal_their_mean():
    assert_mean(torch.full((50,), 2.0), 2.0, resolves=0.1)
    with pytest.raises(AssertionError):
        assert_mean(torch.full((50,), 2.001), 2.0, resolves=0.1)


def test_a_limit_holds_from_one_side_only():
    samples = torch.randn(10_000)
    assert_mean_at_most(samples - 5.0, 0.0, resolves=0.1)
    with pytest.raises(AssertionError, match="exceeds"):
        assert_mean_at_most(samples + 0.1, 0.0, resolves=0.1)


def test_frequencies_see_a_loaded_die_and_draws_off_it():
    fair = torch.full((6,), 1 / 6, dtype=torch.float64)
    assert_frequencies(torch.randint(6, (30_000,)), fair, resolves=0.03)
    loaded = torch.tensor([0.2, 0.2, 0.15, 0.15, 0.15, 0.15])
    with pytest.raises(AssertionError, match="frequency"):
        assert_frequencies(torch.multinomial(loaded, 30_000, True), fair, resolves=0.03)
    with pytest.raises(AssertionError, match="whole numbers"):
        assert_frequencies(torch.full((30_000,), 6), fair, resolves=0.03)
    with pytest.raises(AssertionError, match="too few"):
        assert_frequencies(torch.randint(6, (300,)), fair, resolves=0.03)


def test_uniform_ranks_pass_and_every_shape_but_flat_fails():
    draws, count = 31, 20_000
    assert_uniform_ranks(torch.randint(draws + 1, (count,)), draws, resolves=0.02)
    u = torch.rand(count, dtype=torch.float64)
    planted = {
        "the mean": u**1.1,
        "the variance": 0.5 + (u - 0.5) * 0.94,
        "chi-squared": (u + 0.02 * torch.sin(8 * torch.pi * u)).clamp(0, 0.9999),
    }
    for words, wrong in planted.items():
        with pytest.raises(AssertionError, match=words):
            assert_uniform_ranks((wrong * (draws + 1)).floor(), draws, resolves=0.02)
    with pytest.raises(AssertionError, match="too few"):
        assert_uniform_ranks(torch.randint(draws + 1, (500,)), draws, resolves=0.02)
    with pytest.raises(AssertionError, match="must lie"):
        assert_uniform_ranks(torch.full((500,), 32), draws, resolves=0.02)


class WrongDerivative(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 2.001 * x


def test_a_derivative_off_by_a_thousandth_is_seen():
    x = torch.linspace(-2, 2, 6, dtype=torch.float64)
    assert_close_gradient(lambda a, b: a.square() * b.exp(), [x, x])
    with pytest.raises(AssertionError, match="is off by"):
        assert_close_gradient(WrongDerivative.apply, [x])
    with pytest.raises(AssertionError, match="missing"):
        assert_close_gradient(lambda a, b: a + 0 * b.detach(), [x, x])
    with pytest.raises(AssertionError, match="missing or not finite"):
        assert_close_gradient(lambda a: torch.where(a > 0, a, a / (a * 0)), [x])
    with pytest.raises(AssertionError, match="float64"):
        assert_close_gradient(torch.exp, [x.float()])


def test_close_is_refused_with_the_number_that_is_off():
    check_close(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0]), "x")
    with pytest.raises(AssertionError, match=r"x is 2\.1, it should be 2"):
        check_close(torch.tensor([1.0, 2.1], dtype=torch.float64), torch.tensor([1.0, 2.0]), "x")
    with pytest.raises(AssertionError):
        check_close(torch.tensor([float("nan")]), torch.tensor([1.0]), "x")
