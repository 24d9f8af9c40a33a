"""The cells of an example themselves, and their principal components."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lowerbound.data import Examples, Schema
from lowerbound.evaluation.quality.space import FeatureSpace, some
from lowerbound.seeding import seeded

#: Principal components that `PCA` keeps at most.
COMPONENTS = 64
#: Cells of training examples that features are fitted on at most, 400 MB of float64.
CELLS_TO_FIT = 50_000_000
#: Examples that features are fitted on at most.
EXAMPLES_TO_FIT = 10_000


@dataclass(frozen=True)
class Pixels(FeatureSpace):
    """Every cell, on one scale: levels from 0 to 1, reals in standard deviations of training.

    Args:
        shape: Of an example.
        location: The number subtracted, broadcast against `shape`.
        unit: The divisor after that, likewise; positive.
        scale: The unit of a cell after both, in words.
    """

    shape: tuple[int, ...]
    location: Tensor
    unit: Tensor
    scale: str

    name = "pixels"

    @classmethod
    def fit(cls, train: Examples, schema: Schema) -> "Pixels":
        """Take the scale from the schema, or where it has none from training examples."""
        zero = torch.zeros((), dtype=torch.float64)
        if schema.levels is not None:
            top = torch.tensor(float(schema.levels - 1), dtype=torch.float64)
            return cls(schema.shape, zero, top, "from 0 to 1")
        location, unit = schema.mean, schema.scale
        if location is None or unit is None:
            axes = None if schema.is_image else 0
            values = train.x.double()
            location = values.mean(dim=axes)
            unit = (values - location).square().mean(dim=axes).sqrt()
            unit = torch.where(unit > 0, unit, 1.0)
        return cls(schema.shape, location.double(), unit.double(), "in standard deviations")

    @property
    def dimensions(self) -> int:
        return math.prod(self.shape)

    @property
    def words(self) -> str:
        return f"the {self.dimensions:,} cells themselves, {self.scale}, not whitened"

    def embed(self, x: Tensor) -> Tensor:
        """Return cells `(B, D)` of `(B, *shape)`, float64."""
        return ((x.double() - self.location) / self.unit).flatten(start_dim=1)


@dataclass(frozen=True)
class PCA(FeatureSpace):
    """Principal components, and how far an example lies from their span.

    The distance is there because the components alone are blind to noise outside their span.
    Components are not whitened: distances between features are nearly those between cells, and
    what varies most counts most.

    Args:
        shape: Of an example.
        pixels: The cells.
        mean: Of the cells, `(D,)`.
        components: Orthonormal directions, `(D, C)`.
        explained: Share of the training variance along them.
        fitted_on: Number of training examples.
    """

    shape: tuple[int, ...]
    pixels: Pixels
    mean: Tensor
    components: Tensor
    explained: float
    fitted_on: int

    name = "pca"

    @classmethod
    def fit(
        cls, train: Examples, schema: Schema, components: int = COMPONENTS, *, seed: int = 0
    ) -> "PCA":
        """Fit on 2 to 10,000 training examples, fewer if they are large.

        There are at most `components`, fewer where there are fewer cells or examples. The seed is
        of the choice of examples, and of the randomised decomposition.

        Source: Halko, Martinsson & Tropp (2011), algorithm 5.1, arXiv 0909.4061.
        """
        pixels = Pixels.fit(train, schema)
        rows = some(rows_to_fit(schema), len(train), seed)
        cells = pixels(train.x[rows])
        mean = cells.mean(dim=0)
        cells = cells - mean
        width = min(components, len(cells) - 1)
        extra = min(width + 16, *cells.shape)
        with seeded(seed):
            _, lengths, directions = torch.svd_lowrank(cells, q=extra, niter=4)
        whole = float(cells.square().sum())
        explained = float(lengths[:width].square().sum()) / whole if whole > 0 else 1.0
        return cls(schema.shape, pixels, mean, directions[:, :width].clone(), explained, len(rows))

    @property
    def dimensions(self) -> int:
        return self.components.shape[1] + 1

    @property
    def words(self) -> str:
        return (
            f"{self.components.shape[1]} principal components of the cells ({self.pixels.scale}), "
            f"not whitened, fitted on {self.fitted_on:,} training examples, of whose variance they "
            f"hold {100 * self.explained:.0f} %, and the distance from their span"
        )

    def embed(self, x: Tensor) -> Tensor:
        """Return components and distance from their span, `(B, C + 1)`, of `(B, *shape)`."""
        cells = self.pixels.embed(x) - self.mean
        along = cells @ self.components
        left = (cells - along @ self.components.mT).norm(dim=1, keepdim=True)
        return torch.cat([along, left], dim=1)


def rows_to_fit(schema: Schema) -> int:
    """Count the examples that features are fitted on at most, so that they fit into memory."""
    return max(2, min(EXAMPLES_TO_FIT, CELLS_TO_FIT // schema.dimensions))
