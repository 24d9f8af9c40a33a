"""What every likelihood says of itself: its support, and whether it counts or measures."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from lowerbound.core.conditional import Conditional
from lowerbound.distributions import Independent
from lowerbound.errors import ShapeError, SupportError


class Likelihood(Conditional):
    """p(x|z): independent cells whose parameters a decoder network computes from z.

    Args:
        network: Maps z, `(..., D)`, to `(..., parameters, *event)`.
    """

    #: The name that recipes and the command line use.
    name: ClassVar[str]
    #: True when log p(x) is a log-probability, so that bits per dimension mean something; False
    #: when it is a density, whose value depends on the unit of measurement.
    is_discrete: ClassVar[bool]

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @property
    @abstractmethod
    def parameters_per_cell(self) -> int:
        """How many numbers the network computes for each cell of x."""

    @abstractmethod
    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` with the remedy if `x`, `(N, *event)`, holds an impossible value."""

    @abstractmethod
    def cells(self, parameters: Tensor) -> Distribution:
        """The law of single cells, batch `(..., *event)`, from `(..., *event, parameters)`."""

    def forward(self, context: Tensor | None = None) -> Independent:
        """The law of x given z.

        Args:
            context: z, `(..., D)`.

        Returns:
            A distribution with batch `(...)` and event `(*event)`.

        Raises:
            ShapeError: There is no z, or the network puts out another number of parameters a cell.
        """
        if context is None:
            raise ShapeError(f"likelihood '{self.name}' needs a latent z as its context, got None")
        output = self.network(context)
        axis = context.ndim - 1
        if output.ndim <= axis or output.shape[axis] != self.parameters_per_cell:
            raise ShapeError(
                f"likelihood '{self.name}' needs a network that puts out "
                f"{self.parameters_per_cell} parameters a cell, "
                f"(..., {self.parameters_per_cell}, *event), got "
                f"{tuple(output.shape)} from z of {tuple(context.shape)}"
            )
        return Independent(self.cells(output.movedim(axis, -1)), output.ndim - axis - 1)


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
