"""A figure and how sure we are of it."""

import math
from dataclasses import dataclass

from torch import Tensor

#: Standard errors on either side of a mean that make a 95 % interval.
CONFIDENCE = 1.959964
#: Of so many examples on, the mean is normal enough for an interval of 1.96 standard errors.
NORMAL_FROM = 30


@dataclass(frozen=True)
class Estimate:
    """A mean over examples and its standard error; None where it is not defined.

    Attributes:
        mean: The mean.
        standard_error: Standard deviation over examples / sqrt(N): how far the mean may be from
            that over the whole population; None for a single example.
        unit: Of the mean.
        draw_error: How far the mean may be from that of endlessly many draws of z for these very
            examples; None where no draws were made, or their error is not known.
    """

    mean: float
    standard_error: float | None
    unit: str = "nats per example"
    draw_error: float | None = None

    @classmethod
    def of(
        cls, values: Tensor, unit: str = "nats per example", draw_variance: Tensor | None = None
    ) -> "Estimate":
        """Take the mean of `(N,)` values, each with a variance over draws if given."""
        count = len(values)
        error = float(values.std() / math.sqrt(count)) if count > 1 else None
        drawn = None if draw_variance is None else float(draw_variance.sum().sqrt() / count)
        return cls(float(values.mean()), error, unit, drawn)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval for the mean over the population; None for a single example."""
        if self.standard_error is None:
            return None
        reach = CONFIDENCE * self.standard_error
        return self.mean - reach, self.mean + reach

    def __str__(self) -> str:
        error = "" if self.standard_error is None else f" ± {self.standard_error:.2f}"
        return f"{self.mean:.2f}{error} {self.unit}"
