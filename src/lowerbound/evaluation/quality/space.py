"""Feature spaces: maps from examples to vectors that say in words what they compare."""

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
        """Number of features, `F`."""

    @property
    @abstractmethod
    def words(self) -> str:
        """The features, in a phrase."""

    @abstractmethod
    def embed(self, x: Tensor) -> Tensor:
        """Return features `(B, F)` of a few examples `(B, *shape)`."""

    def rows_at_once(self) -> int:
        """Count the examples that `embed` takes at a time."""
        return max(1, CELLS_AT_ONCE // math.prod(self.shape))

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """Map all examples `(N, *shape)` to `(N, F)`, float64, on the CPU, a few at a time.

        Raises:
            ShapeError: The examples have another shape.
            DataError: A feature is not finite.
        """
        if tuple(x.shape[1:]) != self.shape:
            sides = f"(N, {', '.join(map(str, self.shape))}) examples, got {tuple(x.shape)}"
            raise ShapeError(f"these features are of {sides}")
        parts = [self.embed(chunk).cpu().double() for chunk in x.split(self.rows_at_once())]
        features = torch.cat(parts)
        if not bool(torch.isfinite(features).all()):
            raise DataError(
                f"some examples have no finite features in the space '{self.name}'; remove those "
                "with nan, inf or extreme values"
            )
        return features

    def to_json(self) -> dict[str, Any]:
        """Return name, words and number of features."""
        return {"name": self.name, "words": self.words, "dimensions": self.dimensions}


def some(count: int, of: int, seed: int) -> Tensor:
    """Choose at most `count` different row numbers below `of`, in random order."""
    return torch.randperm(of, generator=torch.Generator().manual_seed(seed))[:count]
