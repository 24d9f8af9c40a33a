"""A likelihood without its network: the law of single cells from their parameters."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from lowerbound.distributions import Bins, Independent, Pixels
from lowerbound.errors import SupportError


@dataclass(frozen=True)
class Site:
    """Facts that the builder of a law is told of its cells.

    Attributes:
        kind: A row of `lowerbound.data.KINDS`.
        shape: Of the cells: that of an example, or `(n,)` for n columns.
        levels: The number of values that a cell can take; None for counts and reals.
        mean: Of the training examples, broadcasting against `shape`; None if not measured.
        scale: Their spread, likewise.
        bins: Of each column, measured on the training examples; None if not measured.
        ordered: Whether each column has an order, for one law of columns of many kinds.
        bounds: Between which the cells lie, both broadcasting against `shape`, infinite where there
            is no bound; None if nothing is said.
    """

    kind: str
    shape: tuple[int, ...]
    levels: int | None = None
    mean: Tensor | None = None
    scale: Tensor | None = None
    bins: tuple[Bins, ...] | None = None
    ordered: tuple[bool, ...] | None = None
    bounds: tuple[Tensor, Tensor] | None = None

    @property
    def is_image(self) -> bool:
        """Whether the cells are an image, `(C, H, W)`."""
        return len(self.shape) == 3


class Cells(nn.Module, ABC):
    """The law of single cells, from as many numbers a cell as it has parameters.

    A subclass is one family: which kinds of data it takes, its law, its start.
    """

    #: The name that recipes and the command line use.
    name: ClassVar[str]
    #: How the law is written, such as "N(x; m(z), s^2)".
    formula: ClassVar[str]
    #: The kinds of data that it takes.
    kinds: ClassVar[frozenset[str]]
    #: A value inside the support, that unobserved cells are taken to hold.
    filler: ClassVar[float] = 0.0
    #: Whether its columns differ in how many numbers they need, which then stand column after
    #: column; `numbers` and `of_columns` say how.
    ragged: ClassVar[bool] = False
    #: Whether a channel of a pixel is weighed given those before it.
    coupled: ClassVar[bool] = False
    #: Whether the first of its parameters is the log of a mean, in units of its mean in training:
    #: then a model that is told the total of an example makes the means sum to it.
    sized: ClassVar[bool] = False
    #: Whether the model is told the total, and so the means sum to it.
    told: bool = False

    @property
    def family(self) -> type[Independent]:
        """The law of an example whose cells all have this law."""
        return Pixels if self.coupled else Independent

    @property
    def parameters_per_cell(self) -> int:
        """The count of numbers that a network computes for each cell; 1 unless said otherwise."""
        return 1

    def numbers(self, columns: int) -> int:
        """Return how many numbers a network computes for so many columns."""
        return columns * self.parameters_per_cell

    def of_columns(self, numbers: Tensor) -> Distribution:
        """Return the law of columns, batch `(..., n)`, from `(..., numbers)`."""
        return self.law(numbers.unflatten(-1, (self.parameters_per_cell, -1)).movedim(-2, -1))

    @abstractmethod
    def law(self, parameters: Tensor) -> Distribution:
        """Return the law of cells, batch `(..., *shape)`, from `(..., *shape, parameters)`."""

    @abstractmethod
    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` with the remedy if `x` holds an impossible value."""

    def start(self, mean: Tensor) -> Tensor | None:
        """Return the leading parameters at which the law has a mean.

        Args:
            mean: Of the training examples, `shape`.

        Returns:
            `(some, *shape)`, for the biases of a decoder; None to leave them as they are.
        """
        return None


def check_levels(x: Tensor, levels: int, likelihood: str, field: str, remedy: str) -> None:
    """Raise `SupportError` unless every value of `x` is a whole number in 0 ... levels - 1."""
    if x.numel() == 0:
        return
    low, high = (float(v) for v in torch.aminmax(x))
    whole = not x.is_floating_point() or bool((x == x.round()).all())
    if not (low >= 0 and high <= levels - 1 and whole):
        needs = "values 0 or 1" if levels == 2 else f"whole numbers from 0 to {levels - 1}"
        got = f"min {low:g}, max {high:g}" if whole else "fractions between them"
        raise SupportError(
            f"likelihood '{likelihood}' needs {needs}, got {got} in '{field}'; {remedy}"
        )
