"""Convolutions over time, and a linear way past them, for series `(T, C)`.

The encoder halves the steps until at most `SMALLEST` are left and ends in one fully connected
layer; the decoder goes back through the same lengths. Beside both a single linear layer goes from
end to end: of smooth series it learns the principal components at once, and the convolutions what
these leave.

Source: residual blocks: He et al. (2016), arXiv 1603.05027; each starts as the identity: Zhang,
    Dauphin & Ma (2019), arXiv 1901.09321.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowerbound.errors import SettingError, ShapeError
from lowerbound.networks.pair import Init, Network, Pair

#: Steps at which convolutions end and a fully connected layer takes over.
SMALLEST = 8
#: Steps that a convolution looks at.
KERNEL = 5


def lengths(steps: int) -> list[int]:
    """Return the lengths that a series passes through, from its own to the smallest.

    Example:
        >>> lengths(50)
        [50, 25, 13, 7]
    """
    found = [steps]
    while found[-1] > SMALLEST:
        found.append((found[-1] + 1) // 2)
    return found


class Block(nn.Module):
    """x + conv(act(conv(act(x)))) over time, starting as the identity."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Conv1d(channels, channels, KERNEL, padding=KERNEL // 2)
        self.second = nn.Conv1d(channels, channels, KERNEL, padding=KERNEL // 2)
        self.drop = nn.Dropout(dropout)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.get_parameter("bias"))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape, `(B, channels, T)`."""
        return x + self.second(self.drop(F.silu(self.first(F.silu(x)))))


class SeriesEncoder(Network):
    """From a series, with or without a mask beside it, to an array.

    Args:
        inputs: `(T, C)`; or `(2 T, C)`, where the second half says which cells were observed.
        outputs: Shape of one output, such as `(2, 16)`.
        steps: `T`, which tells the two apart.
        channels: Of the convolutions.
        dropout: Chance that a hidden unit is left out of an update.

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
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        _check(self.inputs, self.outputs, channels, dropout)
        self.steps = steps or self.inputs[0]
        self.lengths = lengths(self.steps)
        parts, size = self.inputs[0] // self.steps, math.prod(self.outputs)
        before = parts * self.inputs[1]
        layers: list[nn.Module] = [nn.Conv1d(before, channels, KERNEL, padding=KERNEL // 2)]
        for _ in self.lengths[1:]:
            layers += [Block(channels, dropout), nn.SiLU()]
            layers += [nn.Conv1d(channels, channels, KERNEL, stride=2, padding=KERNEL // 2)]
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Linear(channels * self.lengths[-1], size)
        self.past = nn.Linear(math.prod(self.inputs), size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """From `(..., *inputs)` to `(..., *outputs)`."""
        if tuple(x.shape[-2:]) != self.inputs:
            raise ShapeError(f"this network takes series {self.inputs}, got {tuple(x.shape)}")
        batch = x.shape[:-2]
        flat = x.reshape(-1, *self.inputs).to(self.head.weight.dtype)
        parts = torch.cat(flat.split(self.steps, dim=1), dim=-1).transpose(1, 2)
        features = F.silu(self.convolutions(parts.contiguous())).flatten(start_dim=1)
        out = self.head(features) + self.past(flat.flatten(start_dim=1))
        return out.reshape(*batch, *self.outputs)

    def start(self, init: Init) -> None:
        """Keep the layers as they are: blocks start as the identity.

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
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        _check(self.outputs[1:], self.inputs, channels, dropout)
        self.lengths = lengths(self.outputs[1])[::-1]
        self.channels = channels
        self.stem = nn.Linear(self.inputs[0], channels * self.lengths[0])
        self.stages = nn.ModuleList(Block(channels, dropout) for _ in self.lengths)
        self.head = nn.Conv1d(
            channels, self.outputs[0] * self.outputs[2], KERNEL, padding=KERNEL // 2
        )
        self.past = nn.Linear(self.inputs[0], math.prod(self.outputs), bias=False)

    def forward(self, z: Tensor) -> Tensor:
        """From `(..., D)` to `(..., parameters, T, C)`."""
        if z.shape[-1:] != self.inputs:
            raise ShapeError(f"this network takes {self.inputs[0]} latents, got {tuple(z.shape)}")
        batch, (parameters, steps, channels) = z.shape[:-1], self.outputs
        flat = z.reshape(-1, self.inputs[0]).to(self.stem.weight.dtype)
        h = self.stem(flat).reshape(-1, self.channels, self.lengths[0])
        for stage, length in zip(self.stages, self.lengths, strict=True):
            if h.shape[-1] != length:
                # twice as long, then cut: the encoder rounded up, so at most one step is too many
                h = F.interpolate(h, scale_factor=2, mode="nearest")[..., :length]
            h = stage(h)
        out = self.head(F.silu(h)).unflatten(1, (parameters, channels)).transpose(2, 3)
        out = out + self.past(flat).reshape(-1, parameters, steps, channels)
        return out.reshape(*batch, *self.outputs)

    def start(self, init: Init) -> None:
        """See `SeriesEncoder.start`."""
        _check_start(init)

    def start_small(self) -> None:
        """Start the last layers near zero."""
        with torch.no_grad():
            self.head.weight.mul_(0.1)
            self.past.weight.mul_(0.1)

    def start_at(self, values: Tensor, place: int = 0) -> None:
        """Start the biases of channels at the means of outputs, `(some, T, C)`."""
        channels, first = values.mean(dim=-2).flatten(), place // self.outputs[1]
        with torch.no_grad():
            self.head.get_parameter("bias")[first : first + len(channels)].copy_(channels)

    def __str__(self) -> str:
        sizes = " -> ".join(map(str, self.lengths))
        return f"convolutions over time {sizes}, and a linear way past them"


def _check(
    series: tuple[int, ...], other: tuple[int, ...], channels: int, dropout: float
) -> None:
    if len(series) != 2:
        raise SettingError(f"convolutions over time need series (T, C), got {series}; use an MLP")
    if min(*series, *other, channels) < 1 or not 0 <= dropout < 1:
        raise SettingError(
            f"sizes must be positive and dropout in [0, 1), got series {series}, {other}, "
            f"channels={channels}, dropout={dropout}"
        )


def _check_start(init: Init) -> None:
    if init in ("even", "glorot"):
        raise SettingError(
            f"init '{init}' is for --set network=mlp, and the network here is convolution; "
            "give init=small, init=torch, or leave it out"
        )


def convolution(*, channels: int = 32, dropout: float = 0.0) -> Pair:
    """Convolutions over time, for series.

    Args:
        channels: Of the convolutions.
        dropout: Chance that a hidden unit is left out of an update.
    """
    if not 1 <= channels <= 4096 or not 0 <= dropout < 1:
        raise SettingError(
            f"channels must be from 1 to 4096 and dropout in [0, 1), got {channels} and {dropout}"
        )

    def encoder(inputs: tuple[int, ...], outputs: tuple[int, ...]) -> SeriesEncoder:
        # a view of a series has its mask below it
        return SeriesEncoder(inputs, outputs, inputs[0] // 2, channels, dropout)

    return Pair(
        encoder,
        lambda inputs, outputs: SeriesDecoder(inputs, outputs, channels, dropout),
        series=True,
    )
