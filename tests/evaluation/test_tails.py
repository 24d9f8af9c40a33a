"""The shape of a tail, digit by digit against the published algorithm."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from lowerbound.evaluation.tails import ALIKE, FEWEST, HEAVY, heavy, pareto_shape, tail_length


def fitted(excess: np.ndarray) -> float:
    """The published fit of exceedances in ascending order."""
    count, scales = len(excess), []
    quartile, points = excess[int(count / 4 + 0.5) - 1], 30 + int(count**0.5)
    for j in range(1, points + 1):
        scales.append(1 / excess[-1] + (1 - math.sqrt(points / (j - 0.5))) / (3 * quartile))
    shapes = [np.mean(np.log1p(-theta * excess)) for theta in scales]
    profile = [
        count * (math.log(-theta / k) - k - 1) for theta, k in zip(scales, shapes, strict=True)
    ]
    plausible = np.exp(np.array(profile) - max(profile))
    theta = float(np.dot(scales, plausible / plausible.sum()))
    return (count * float(np.mean(np.log1p(-theta * excess))) + 10 * 0.5) / (count + 10)


def published(log_weight: Tensor) -> float:
    """Zhang & Stephens (2009), section 3, and Vehtari et al. (2024), appendix C, of one example."""
    samples = len(log_weight)
    length = math.ceil(min(samples / 5, 3 * math.sqrt(samples)))
    ascending = np.sort(np.exp(log_weight.double().numpy() - float(log_weight.max())))
    return fitted(ascending[-length:] - ascending[-length - 1])


@pytest.mark.parametrize("samples", [25, 60, 100, 1000])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_shape_is_that_of_the_published_algorithm(samples, dtype):
    log_weight = (2 * torch.randn(samples, 7, dtype=torch.float64) - 300).to(dtype)
    log_weight[:, 3] = -5.0  # one example among the others whose weights are all alike
    found = pareto_shape(log_weight)
    expected = [published(column) for i, column in enumerate(log_weight.T) if i != 3]
    assert found.dtype == torch.float64
    assert float(found[3]) == 0.0
    assert torch.cat([found[:3], found[4:]]).tolist() == pytest.approx(expected, rel=1e-9)


def test_a_shape_needs_25_draws():
    assert bool(pareto_shape(torch.randn(24, 3)).isnan().all())
    assert bool(pareto_shape(torch.randn(25, 3)).isfinite().all())
    assert pareto_shape(torch.randn(24, 3)).dtype == torch.float64
    assert pareto_shape(torch.randn(24, 3)).shape == (3,)
    assert (FEWEST, HEAVY) == (5, 0.7)


@pytest.mark.parametrize(
    ("samples", "length"), [(25, 5), (26, 6), (100, 20), (225, 45), (400, 60), (1000, 95)]
)
def test_the_tail_is_a_fifth_of_the_draws_until_three_roots_are_fewer(samples, length):
    assert tail_length(samples) == length


@pytest.mark.parametrize(
    ("samples", "shape"),
    [(1, 0.0398), (11, 0.0398), (12, 0.0734), (100, 0.5), (1000, 2 / 3), (2154, 0.7), (10**6, 0.7)],
)
def test_the_shape_that_can_be_trusted_grows_with_the_draws_up_to_seven_tenths(samples, shape):
    # Vehtari et al. (2024), section 3.2.4: min(1 - 1 / log10 K, 0.7)
    assert heavy(samples) == pytest.approx(shape, abs=1e-4)


def of_weights(*weights: float) -> float:
    """The shape of 100 draws, the largest of which are given; 20 of them are the tail."""
    every = torch.ones(100, 1, dtype=torch.float64)
    every[: len(weights), 0] = torch.tensor(weights, dtype=torch.float64)
    return float(pareto_shape(every.log()))


def test_draws_that_tie_with_the_last_one_left_out_are_not_of_the_tail():
    above = [2.0, 3.0, 5.0, 9.0, 30.0]
    assert of_weights(*above) == pytest.approx(fitted(np.array(above) - 1), rel=1e-9)
    assert of_weights(*above[1:]) == 0.0  # four are too few
    assert of_weights(*above[:4], 1 + 1e-13 * 9) == 0.0  # as far above as rounding is
    nineteen = np.linspace(1.5, 9.0, 19) ** 2  # of twenty: one tie is left out as well as many
    assert of_weights(*nineteen) == pytest.approx(fitted(nineteen - 1), rel=1e-9)
    assert ALIKE == 1e-12
