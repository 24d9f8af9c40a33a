"""Rubin's rules against a hand computation, special cases, and their coverage."""

import math

import numpy as np
import pytest
from scipy.stats import t

from lowerbound.errors import DataError, SettingError
from lowerbound.evaluation import pool


def test_a_hand_computed_example():
    # m = 5, U = mean of squares 0.0178, B = 0.00625, T = U + 1.2 B = 0.0253
    estimates = [1.0, 1.1, 0.9, 1.05, 0.95]
    errors = [math.sqrt(u) for u in (0.018, 0.017, 0.019, 0.0175, 0.0175)]
    found = pool(estimates, errors, degrees=98)
    assert found.estimate == pytest.approx(1.0)
    assert found.error**2 == pytest.approx(0.0178 + 1.2 * 0.00625)
    share = 0.0075 / 0.0253
    assert found.missing == pytest.approx(share)
    old, seen = 4 / share**2, 99 / 101 * 98 * (1 - share)
    assert found.degrees == pytest.approx(old * seen / (old + seen))
    reach = found.error * t.ppf(0.975, found.degrees)
    assert (found.low, found.high) == pytest.approx((1 - reach, 1 + reach))
    assert pool(estimates, errors).degrees == pytest.approx(old)
    wide, narrow = pool(estimates, errors, level=0.99), pool(estimates, errors, level=0.5)
    assert wide.high > found.high > narrow.high


def test_degrees_never_exceed_those_of_complete_data():
    for scale in (1e-6, 1e-2, 1.0, 100.0):
        found = pool([0.0, scale, -scale], [1.0, 1.0, 1.0], degrees=20)
        assert 0 < found.degrees <= 20 * 21 / 23


def test_imputations_that_agree_leave_the_complete_analysis():
    found = pool([2.0, 2.0, 2.0], [0.5, 0.5, 0.5])
    assert found.error == 0.5 and found.missing == 0 and math.isinf(found.degrees)
    assert found.high - found.estimate == pytest.approx(0.5 * 1.959964, rel=1e-6)
    exact = pool([2.0, 2.0], [0.0, 0.0], degrees=5)
    assert (exact.low, exact.high) == (2.0, 2.0)


def test_intervals_cover_when_imputations_are_proper():
    # a mean of 40 normals, half missing at random: proper Bayesian imputation of each
    rng = np.random.default_rng(0)
    covered, ignored = 0, 0
    for _ in range(600):
        seen = rng.normal(size=20)
        estimates, errors = [], []
        for _ in range(10):
            scale = math.sqrt(19 * seen.var(ddof=1) / rng.chisquare(19))
            mean = seen.mean() + scale / math.sqrt(20) * rng.normal()
            whole = np.concatenate([seen, mean + scale * rng.normal(size=20)])
            estimates.append(whole.mean())
            errors.append(whole.std(ddof=1) / math.sqrt(40))
        found = pool(estimates, errors, degrees=39)
        covered += found.low <= 0 <= found.high
        one = pool(estimates[:1] * 2, errors[:1] * 2, degrees=39)
        ignored += one.low <= 0 <= one.high
    error = math.sqrt(0.95 * 0.05 / 600)
    assert abs(covered / 600 - 0.95) < 4 * error
    assert ignored / 600 < 0.95 - 8 * error  # one imputation alone pretends to know


@pytest.mark.parametrize(
    ("estimates", "errors", "options", "error", "words"),
    [
        ([1.0], [1.0], {}, DataError, "at least 2 imputations"),
        ([1.0, 2.0], [1.0], {}, DataError, "at least 2 imputations"),
        ([1.0, math.nan], [1.0, 1.0], {}, DataError, "finite"),
        ([1.0, 2.0], [1.0, -1.0], {}, DataError, "not negative"),
        ([1.0, 2.0], [1.0, 1.0], {"degrees": 0}, SettingError, "positive"),
        ([1.0, 2.0], [1.0, 1.0], {"level": 1.0}, SettingError, "between 0 and 1"),
    ],
)
def test_what_cannot_be_pooled_is_refused(estimates, errors, options, error, words):
    with pytest.raises(error, match=words):
        pool(estimates, errors, **options)
