"""What a feature space is: a map from examples to vectors that says in words what it compares."""

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from lowerbound.errors import DataError, ShapeError

#: Cells of examples that are mapped at a time, 128 MB of float64.
CELLS_AT_ONCE = 16_000_000


class FeatureSpace(ABC):
    """A map from examples `(N, *shape)` to features `(N, F)`.

    Attributes:
        name: A word: "pixels", "pca", "classifier" or "inception".
        shape: Of an example.
        costly: Whether mapping a whole training set takes hours rather than seconds.
    """

    name: str
    shape: tuple[int, ...]
    costly: bool = False

    @property
    @abstractmethod
    def dimensions(self) -> int:
        """How many features, `F`."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What the features are, in a phrase."""

    @abstractmethod
    def embed(self, x: Tensor) -> Tensor:
        """Features `(B, F)` of a few examples `(B, *shape)`."""

    def rows_at_once(self) -> int:
        """How many examples `embed` takes."""
        return max(1, CELLS_AT_ONCE // math.prod(self.shape))

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """Features of all examples, a few at a time.

        Args:
            x: `(N, *shape)`, in the units of the data; draws, or means of draws.

        Returns:
            `(N, F)`, float64, on the CPU.

        Raises:
            ShapeError: The examples have another shape.
            DataError: A feature is not finite.
        """
        if tuple(x.shape[1:]) != self.shape:
            expected = ", ".join(map(str, self.shape))
            raise ShapeError(
                f"these features are of (N, {expected}) examples, got {tuple(x.shape)}"
            )
        parts = [self.embed(chunk).cpu().double() for chunk in x.split(self.rows_at_once())]
        features = torch.cat(parts)
        if not bool(torch.isfinite(features).all()):
            raise DataError(
                f"some examples have no finite features in the space '{self.name}'; remove those "
                "with nan, inf or extreme values"
            )
        return features

    def to_json(self) -> dict[str, Any]:
        """Name, words and number of features."""
        return {"name": self.name, "words": self.words, "dimensions": self.dimensions}


def some(count: int, of: int, seed: int) -> Tensor:
    """At most `count` different row numbers below `of`, in random order, `(min(count, of),)`."""
    return torch.randperm(of, generator=torch.Generator().manual_seed(seed))[:count]
