"""Mean and standard deviation of many rows, block by block."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moments:
    """Of vectors one number a column, `(D,)`; of images one for all cells, `(1,)`; float64.

    Attributes:
        count: Numbers that each mean is over.
        mean: Their means.
        squares: Sums of squared deviations from these.
        low: The smallest values.
        high: The largest values.

    Source: Chan, Golub & LeVeque (1979), Updating formulae and a pairwise algorithm for computing
        sample variances, equation 2.1.
    """

    count: int
    mean: np.ndarray
    squares: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, blocks: Iterable[np.ndarray]) -> "Moments":
        """Of all rows of the blocks, in one pass; at least one row."""
        found = None
        for values in blocks:
            if len(values):
                here = cls._of(values)
                found = here if found is None else found._and(here)
        if found is None:
            raise ValueError("no rows to measure")
        return found

    def judged(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Mean, standard deviation, smallest and largest values, as `build.measured` takes them."""
        return self.mean, np.sqrt(self.squares / self.count), self.low, self.high

    @classmethod
    def _of(cls, values: np.ndarray) -> "Moments":
        flat = values if values.ndim == 2 else values.reshape(-1, 1)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = flat.mean(axis=0, dtype=np.float64)
            squares = np.square(flat - mean).sum(axis=0, dtype=np.float64)
        return cls(len(flat), mean, squares, flat.min(axis=0), flat.max(axis=0))

    def _and(self, other: "Moments") -> "Moments":
        count = self.count + other.count
        with np.errstate(over="ignore", invalid="ignore"):
            apart = other.mean - self.mean
            mean = self.mean + apart * (other.count / count)
            between = np.square(apart) * (self.count * (other.count / count))
            squares = self.squares + other.squares + between
        low, high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        return Moments(count, mean, squares, low, high)
