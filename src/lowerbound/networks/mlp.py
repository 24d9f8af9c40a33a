"""The multilayer perceptron."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from lowerbound.errors import SettingError, ShapeError
from lowerbound.networks.pair import Init, Network, Pair, start_small


class MLP(Network):
    """Fully connected layers from one shape to another.

    Args:
        inputs: Shape of one input, such as `(1, 28, 28)` or `(16,)`.
        outputs: Shape of one output, such as `(2, 16)`.
        hidden: Widths of the hidden layers; empty for a linear map.
        activation: Makes the nonlinearity between layers. Of `nn.GLU`, which halves what it is
            given, a layer puts out twice its width.
        dropout: Chance that a hidden unit is left out of an update.

    Raises:
        SettingError: A shape or width is empty or not positive, or a chance is none.
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
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.hidden = tuple(inputs), tuple(outputs), tuple(hidden)
        if min((*self.inputs, *self.outputs, *self.hidden, math.prod(self.inputs))) < 1:
            raise SettingError(
                f"sizes of an MLP must be positive, got {self.inputs} -> {self.hidden} -> "
                f"{self.outputs}"
            )
        widths = [math.prod(self.inputs), *self.hidden, math.prod(self.outputs)]
        if not 0 <= dropout < 1:
            raise SettingError(f"dropout must lie in [0, 1), got {dropout}")
        layers: list[nn.Module] = []
        gated = activation is nn.GLU
        for place, (before, after) in enumerate(pairwise(widths)):
            if dropout and layers:
                layers.append(nn.Dropout(dropout))
            twice = gated and place < len(self.hidden)
            layers += [nn.Linear(before, 2 * after if twice else after), activation()]
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

    def start(self, init: Init) -> None:
        """Give the layers their first weights.

        Args:
            init: "even" for hidden layers that hand on numbers of the size they are given;
                "glorot" for all layers as Glorot and Bengio have them; "small" and "torch" for
                those that torch drew.
        """
        if init == "even":
            start_even(self.linear[:-1])
        if init == "glorot":
            sides = self.outputs[0] if len(self.outputs) > 1 else 1
            start_glorot(self.linear, sides)

    def start_small(self) -> None:
        """Start the last layer near zero."""
        start_small(self.linear[-1])

    def start_at(self, values: Tensor, place: int = 0) -> None:
        """Start the last biases at some outputs, `(some, *)`, the first of them at `place`."""
        with torch.no_grad():
            self.linear[-1].bias[place : place + values.numel()].copy_(values.flatten())

    @property
    def linear(self) -> list[nn.Linear]:
        """The fully connected layers, first to last."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]


def start_even(layers: Sequence[nn.Linear]) -> None:
    """Draw weights from N(0, 1 / inputs), and set biases to 0.

    The mean square of what a layer puts out is that of what it is given, before the nonlinearity;
    torch's own weights are of a third of this variance.

    Source: LeCun, Bottou, Orr & Mueller (1998), Efficient BackProp, section 4.6.
    Differs: in the nonlinearity, which is 1.7159 tanh(2x / 3) there.
    """
    for layer in layers:
        nn.init.normal_(layer.weight, std=1 / math.sqrt(layer.in_features))
        nn.init.zeros_(layer.bias)


def start_glorot(layers: Sequence[nn.Linear], sides: int = 1) -> None:
    """Draw weights from U(-b, b) with b = sqrt(6 / (inputs + outputs)), and set biases to 0.

    Args:
        layers: First to last.
        sides: Outputs side by side, such as mean and scale, that count as layers of their own.

    Source: Glorot & Bengio (2010), equation 16.
    """
    *hidden, last = layers
    for layer in hidden:
        nn.init.xavier_uniform_(layer.weight)
    for side in last.weight.chunk(sides):
        nn.init.xavier_uniform_(side)
    for layer in layers:
        nn.init.zeros_(layer.bias)


Activation = Literal["silu", "relu", "tanh", "gated"]


def mlp(
    *,
    hidden: tuple[int, ...] = (512, 512),
    activation: Activation = "silu",
    dropout: float = 0.0,
) -> Pair:
    """Fully connected layers.

    Args:
        hidden: Widths of the hidden layers, encoder first; the decoder has them reversed.
        activation: Between the layers; "gated" multiplies each unit by the sigmoid of another.
        dropout: Chance that a hidden unit is left out of an update.
    """
    if len(hidden) > 64 or not all(1 <= width <= 65536 for width in hidden):
        shown = str(hidden) if len(hidden) <= 8 else f"{len(hidden)} of them"
        raise SettingError(f"hidden must be at most 64 widths from 1 to 65536, got {shown}")
    kinds = {"silu": nn.SiLU, "relu": nn.ReLU, "tanh": nn.Tanh, "gated": nn.GLU}
    kind = kinds[activation]
    return Pair(
        lambda inputs, outputs: MLP(inputs, outputs, hidden, kind, dropout),
        lambda inputs, outputs: MLP(inputs, outputs, hidden[::-1], kind, dropout),
    )
