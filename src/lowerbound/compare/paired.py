"""Paired differences: the same examples under two models, so that easy and hard ones cancel."""

import math
from dataclasses import dataclass
from statistics import NormalDist

from torch import Tensor

from lowerbound.errors import DataError

#: Fewest examples for which an interval is stated.
FEWEST = 5


@dataclass(frozen=True)
class Paired:
    """The mean over examples of a difference, first minus second, nats per example.

    Attributes:
        mean: The mean.
        standard_error: Standard deviation of the differences / sqrt(N).
        interval: Confidence interval for the mean over the population.
        confidence: Of the interval, after the correction for so many comparisons.
        first_better: Share of examples on which the first is higher, ties counted half.
        examples: How many.
    """

    mean: float
    standard_error: float
    interval: tuple[float, float]
    confidence: float
    first_better: float
    examples: int

    @property
    def settled(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.interval[0] > 0 or self.interval[1] < 0


def paired(first: Tensor, second: Tensor, comparisons: int = 1) -> Paired:
    """Take the paired difference of two figures of the same examples.

    Student's interval at 1 - 0.05 / comparisons (Bonferroni): of all intervals together, at most
    5 % of the times one leaves out its truth. The figures are `(N,)`, nats, in the same order.

    Raises:
        DataError: There are fewer than 5 examples.

    Example:
        >>> import torch
        >>> a = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
        >>> paired(a + 1, a).mean
        1.0
    """
    count = len(first)
    if count < FEWEST:
        raise DataError(f"{count} common examples are too few to compare on; give {FEWEST} or more")
    difference = (first - second).double()
    mean = float(difference.mean())
    error = float(difference.std() / math.sqrt(count))
    confidence = 1 - 0.05 / comparisons
    reach = student_quantile(0.5 + confidence / 2, count - 1) * error
    better = float((difference > 0).double().mean() + (difference == 0).double().mean() / 2)
    return Paired(mean, error, (mean - reach, mean + reach), confidence, better, count)


def student_quantile(probability: float, freedom: int) -> float:
    """Return the quantile of Student's t, to a hundredth from 4 degrees of freedom on.

    Source: Abramowitz & Stegun (1964), 26.7.5 (Cornish-Fisher expansion about the normal).
    """
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, start=1))
