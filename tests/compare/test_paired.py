"""The interval: both error rates, on differences whose mean is known."""

import numpy as np
import pytest
import torch
from scipy import stats

from lowerbound.compare import paired
from lowerbound.compare.paired import student_quantile
from lowerbound.errors import DataError

REPEATS = 2000


def covered(law, examples: int, shift: float, comparisons: int = 1) -> tuple[float, float]:
    """Shares of intervals that hold the mean, and that leave out 0."""
    generator = np.random.default_rng(examples)
    holds = settled = 0
    for _ in range(REPEATS):
        easy = torch.from_numpy(generator.normal(-100, 30, size=examples))
        difference = torch.from_numpy(law(generator, examples))
        found = paired(easy + difference + shift, easy, comparisons)
        holds += found.interval[0] <= shift <= found.interval[1]
        settled += found.settled
    return holds / REPEATS, settled / REPEATS


def normal(generator, n):
    return generator.normal(size=n)


def skewed(generator, n):
    return generator.exponential(size=n) - 1


@pytest.mark.parametrize("examples", [5, 20, 200])
def test_the_interval_holds_the_truth_as_often_as_it_says(examples: int) -> None:
    holds, wrong = covered(normal, examples, 0.0)
    error = (0.95 * 0.05 / REPEATS) ** 0.5
    assert abs(holds - 0.95) < 4.9 * error + 0.002  # the quantile is exact to 0.002 from 4 degrees
    assert wrong == pytest.approx(1 - holds)


def test_the_interval_survives_skew() -> None:
    assert covered(skewed, 200, 0.0)[0] > 0.92


def test_a_real_difference_is_seen() -> None:
    # a third of a standard deviation on 200 examples is 4.7 standard errors
    assert covered(normal, 200, 1 / 3)[1] > 0.98


def test_three_comparisons_together_are_wrong_once_in_twenty() -> None:
    _, wrong = covered(normal, 50, 0.0, comparisons=3)
    assert abs(wrong - 0.05 / 3) < 4.9 * (0.05 / 3 / REPEATS) ** 0.5


@pytest.mark.parametrize("freedom", [4, 10, 50, 1000])
@pytest.mark.parametrize("probability", [0.95, 0.975, 0.99])
def test_quantiles_are_those_of_scipy(freedom: int, probability: float) -> None:
    exact = stats.t(freedom).ppf(probability)
    assert student_quantile(probability, freedom) == pytest.approx(exact, rel=0.02)


def test_figures_of_a_difference() -> None:
    first, second = torch.tensor([1.0, 2, 3, 4, 9]), torch.tensor([1.0, 1, 1, 5, 1])
    found = paired(first, second)
    assert found.mean == 2.0 and found.first_better == 0.7 and found.examples == 5
    assert paired(second, first).mean == -2.0
    with pytest.raises(DataError, match="too few"):
        paired(first[:4], second[:4])
