"""The multilayer perceptron."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from lowerbound.errors import SettingError, ShapeError


class MLP(nn.Module):
    """Fully connected layers from one shape to another.

    Args:
        inputs: Shape of one input, such as `(1, 28, 28)` or `(16,)`.
        outputs: Shape of one output, such as `(2, 16)`.
        hidden: Widths of the hidden layers; empty for a linear map.
        activation: Makes the nonlinearity between layers.

    Raises:
        SettingError: A shape or width is empty or not positive.
        ShapeError: An input of another shape (raised by `forward`).

    Example:
        >>> import torch
        >>> MLP((1, 28, 28), (2, 16))(torch.zeros(5, 1, 28, 28)).shape
        torch.Size([5, 2, 16])
    """

    def __init__(
        self,
        inputs: Sequence[int],
        outputs: Sequence[int],
        hidden: Sequence[int] = (512, 512),
        activation: type[nn.Module] = nn.SiLU,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.hidden = tuple(inputs), tuple(outputs), tuple(hidden)
        if min((*self.inputs, *self.outputs, *self.hidden, math.prod(self.inputs))) < 1:
            raise SettingError(
                f"sizes of an MLP must be positive, got {self.inputs} -> {self.hidden} -> "
                f"{self.outputs}"
            )
        widths = [math.prod(self.inputs), *self.hidden, math.prod(self.outputs)]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), activation()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """From `(..., *inputs)` to `(..., *outputs)`."""
        axes = len(self.inputs)
        if tuple(x.shape[x.ndim - axes :]) != self.inputs:
            raise ShapeError(f"this network takes {self.inputs}, got {tuple(x.shape)}")
        batch = x.shape[: x.ndim - axes]
        first = self.layers[0]
        flat = x.reshape(-1, math.prod(self.inputs)).to(first.weight.dtype)  # type: ignore[union-attr]
        return self.layers(flat).reshape(*batch, *self.outputs)

    def __str__(self) -> str:
        widths = [math.prod(self.inputs), *self.hidden, math.prod(self.outputs)]
        return "MLP " + "-".join(str(w) for w in widths)
