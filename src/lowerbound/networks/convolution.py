"""Convolutions over time, and a linear way past them, for series `(T, C)`.

The encoder goes down to a quarter of the steps, and again, until few are left, which a fully
connected layer sees all at once; the decoder goes back through the same lengths. Beside both a
single linear layer goes from end to end: of smooth series it learns the principal components, and
the convolutions what these leave. All of it is a few large matrix products, since many small ones
take their time on CPUs.

Source: steps from channels: Shi et al. (2016), arXiv 1609.05158, there for images.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowerbound.errors import SettingError, ShapeError
from lowerbound.networks.pair import Init, Network, Pair

#: Steps at which convolutions end and a fully connected layer takes over.
SMALLEST = 12
#: Steps that become one, and steps that a convolution looks at on the way down and up.
STRIDE, DOWN, UP = 4, 8, 3


def lengths(steps: int) -> list[int]:
    """Return the lengths that a series passes through, from its own to the smallest.

    Example:
        >>> lengths(140)
        [140, 35, 9]
    """
    found = [steps]
    while found[-1] > SMALLEST:
        found.append(-(-found[-1] // STRIDE))
    return found


class SeriesEncoder(Network):
    """From a series, with or without a mask beside it, to an array.

    Args:
        inputs: `(T, C)`; or `(2 T, C)`, where the second half says which cells were observed.
        outputs: Shape of one output, such as `(2, 16)`.
        steps: `T`, which tells the two apart.
        channels: Of the convolutions.
        hidden: Units of the fully connected layer.
        dropout: Chance that one of them is left out of an update.

    Raises:
        SettingError: A size is not positive, or `inputs` is no shape of series.
        ShapeError: An input of another shape (raised by `forward`).

    Example:
        >>> import torch
        >>> SeriesEncoder((100, 3), (2, 8), steps=50)(torch.zeros(5, 100, 3)).shape
        torch.Size([5, 2, 8])
    """

    def __init__(
        self,
        inputs: Sequence[int],
        outputs: Sequence[int],
        steps: int | None = None,
        channels: int = 32,
        hidden: int = 128,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        _check(self.inputs, self.outputs, channels, hidden, dropout)
        self.steps = steps or self.inputs[0]
        self.lengths = lengths(self.steps)
        before, size = math.prod(self.inputs) // self.steps, math.prod(self.outputs)
        self.stages = nn.ModuleList()
        for _ in self.lengths[1:]:
            self.stages.append(nn.Conv1d(before, channels, DOWN, stride=STRIDE))
            before = channels
        self.all = nn.Linear(before * self.lengths[-1], hidden)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, size)
        self.past = nn.Linear(math.prod(self.inputs), size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """From `(..., *inputs)` to `(..., *outputs)`."""
        if tuple(x.shape[-2:]) != self.inputs:
            raise ShapeError(f"this network takes series {self.inputs}, got {tuple(x.shape)}")
        batch = x.shape[:-2]
        flat = x.reshape(-1, *self.inputs).to(self.head.weight.dtype)
        h = torch.cat(flat.split(self.steps, dim=1), dim=-1).transpose(1, 2)
        for stage in self.stages:
            h = F.silu(stage(F.pad(h, (2, 2 + -h.shape[-1] % STRIDE))))
        features = self.drop(F.silu(self.all(h.flatten(start_dim=1))))
        out = self.head(features) + self.past(flat.flatten(start_dim=1))
        return out.reshape(*batch, *self.outputs)

    def start(self, init: Init) -> None:
        """Keep the layers as torch draws them.

        Raises:
            SettingError: Another start is asked for.
        """
        _check_start(init)

    def start_small(self) -> None:
        """Start the last layers near zero, so that the rate starts near 0."""
        with torch.no_grad():
            for layer in (self.head, self.past):
                layer.weight.mul_(0.1)
            self.head.bias.zero_()

    def start_at(self, values: Tensor, place: int = 0) -> None:
        """Start the last biases at some outputs, the first of them at `place`."""
        with torch.no_grad():
            self.head.bias[place : place + values.numel()].copy_(values.flatten())

    def __str__(self) -> str:
        sizes = " -> ".join(map(str, self.lengths))
        return f"convolutions over time {sizes}, and a linear way past them"


class SeriesDecoder(Network):
    """From a latent vector to `parameters` series.

    Args:
        inputs: `(D,)`, the number of latent units.
        outputs: `(parameters, T, C)`.
        channels: As in `SeriesEncoder`.
        hidden: As in `SeriesEncoder`.
        dropout: As in `SeriesEncoder`.

    Raises:
        SettingError: A size is not positive, or `outputs` is no shape of series.
        ShapeError: An input of another size (raised by `forward`).

    Example:
        >>> import torch
        >>> SeriesDecoder((8,), (1, 50, 3))(torch.zeros(4, 5, 8)).shape
        torch.Size([4, 5, 1, 50, 3])
    """

    def __init__(
        self,
        inputs: Sequence[int],
        outputs: Sequence[int],
        channels: int = 32,
        hidden: int = 128,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        _check(self.outputs[1:], self.inputs, channels, hidden, dropout)
        self.lengths = lengths(self.outputs[1])[::-1]
        widths = [*[channels] * (len(self.lengths) - 1), self.outputs[0] * self.outputs[2]]
        self.small = (widths[0], self.lengths[0])
        self.stem = nn.Linear(self.inputs[0], hidden)
        self.drop = nn.Dropout(dropout)
        self.all = nn.Linear(hidden, math.prod(self.small))
        self.stages = nn.ModuleList(
            nn.Conv1d(before, after * STRIDE, UP, padding=UP // 2)
            for before, after in pairwise(widths)
        )
        self.level = nn.Parameter(torch.zeros(self.outputs[0], 1, self.outputs[2]))
        self.past = nn.Linear(self.inputs[0], math.prod(self.outputs), bias=False)

    def forward(self, z: Tensor) -> Tensor:
        """From `(..., D)` to `(..., parameters, T, C)`."""
        if z.shape[-1:] != self.inputs:
            raise ShapeError(f"this network takes {self.inputs[0]} latents, got {tuple(z.shape)}")
        batch, (parameters, steps, channels) = z.shape[:-1], self.outputs
        flat = z.reshape(-1, self.inputs[0]).to(self.stem.weight.dtype)
        h = self.all(self.drop(F.silu(self.stem(flat)))).reshape(-1, *self.small)
        for stage, length in zip(self.stages, self.lengths[1:], strict=True):
            # four steps from four times the channels; the encoder rounded up: some are too many
            h = stage(F.silu(h)).unflatten(1, (-1, STRIDE)).transpose(2, 3)
            h = h.flatten(start_dim=2)[..., :length]
        out = h.unflatten(1, (parameters, channels)).transpose(2, 3) + self.level
        out = out + self.past(flat).reshape(-1, parameters, steps, channels)
        return out.reshape(*batch, *self.outputs)

    def start(self, init: Init) -> None:
        """See `SeriesEncoder.start`."""
        _check_start(init)

    def start_small(self) -> None:
        """Start the last layers near zero."""
        last = self.stages[-1] if self.stages else self.all
        with torch.no_grad():
            last.get_parameter("weight").mul_(0.1)
            self.past.weight.mul_(0.1)

    def start_at(self, values: Tensor, place: int = 0) -> None:
        """Start at the means over time of outputs, `(some, T, C)`."""
        first = place // math.prod(self.outputs[1:])
        with torch.no_grad():
            self.level[first : first + len(values)] = values.mean(dim=1, keepdim=True)

    def __str__(self) -> str:
        sizes = " -> ".join(map(str, self.lengths))
        return f"convolutions over time {sizes}, and a linear way past them"


def _check(
    series: tuple[int, ...], other: tuple[int, ...], channels: int, hidden: int, dropout: float
) -> None:
    if len(series) != 2:
        raise SettingError(f"convolutions over time need series (T, C), got {series}; use an MLP")
    if min(*series, *other, channels, hidden) < 1 or not 0 <= dropout < 1:
        raise SettingError(
            f"sizes must be positive and dropout in [0, 1), got series {series}, {other}, "
            f"channels={channels}, hidden={hidden}, dropout={dropout}"
        )


def _check_start(init: Init) -> None:
    if init in ("even", "glorot"):
        raise SettingError(
            f"init '{init}' is for --set network=mlp, and the network here is convolution; "
            "give init=small, init=torch, or leave it out"
        )


def convolution(*, channels: int = 32, width: int = 128, dropout: float = 0.0) -> Pair:
    """Convolutions over time, for series.

    Args:
        channels: Of the convolutions.
        width: Units of the fully connected layer.
        dropout: Chance that one of them is left out of an update.
    """
    if min(channels, width) < 1 or max(channels, width) > 4096 or not 0 <= dropout < 1:
        raise SettingError(
            "channels and width must be from 1 to 4096 and dropout in [0, 1), got "
            f"{channels}, {width} and {dropout}"
        )

    def encoder(inputs: tuple[int, ...], outputs: tuple[int, ...]) -> SeriesEncoder:
        # a view of a series has its mask below it
        return SeriesEncoder(inputs, outputs, inputs[0] // 2, channels, width, dropout)

    return Pair(
        encoder,
        lambda inputs, outputs: SeriesDecoder(inputs, outputs, channels, width, dropout),
        series=True,
    )
