"""A residual convolutional encoder and its mirror image, for images of any size.

The encoder halves height and width until the shorter side is at most `SMALLEST`, rounding up, and
ends in one fully connected layer; the decoder goes back through exactly the same sizes, so odd
heights and widths work, down to 1x1. Its first convolution has stride 2, or 4 for images that
would be halved `DEEP` times or more, and the decoder ends in squares of so many cells: most of the
work was there, at the sizes where neighbours say least that is new. Beside the convolutions goes a
linear way: of small images from means of 4x4 cells, and to some channels of the decoder's last map.
Of those that end in squares of 4x4 it goes from the slowest cosines, and to those of what the
decoder puts out, which no square interrupts. There it may start as the map of each latent unit to
one cosine, nearly the principal components of images; the convolutions learn what these leave.

All of it suits a processor that multiplies matrices of bfloat16 far faster than it does anything
else: channels are multiples of 32, nonlinearities are cheap, and few maps are large.

Source: residual blocks with pre-activation: He et al. (2016), arXiv 1603.05027; squares from
channels: Shi et al. (2016), arXiv 1609.05158.
Differs: no normalisation layers (no row of a batch may depend on another); the second
convolution of each block starts at zero, so that every block starts as the identity
(Zhang, Dauphin & Ma 2019, arXiv 1901.09321).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowerbound.errors import SettingError, ShapeError
from lowerbound.networks.cosines import Cosines
from lowerbound.networks.pair import Init, Network, Pair, start_small

#: Resolution at which convolutions end and a fully connected layer takes over.
SMALLEST = 7
#: Halvings from which on the first two are one.
DEEP = 4
#: Of small images: sides of the squares whose means the linear way starts at, and channels where it
#: ends. Garments of 28x28 are learned better so than by cosines, which are for photographs.
POOL, PAST = 4, 16
#: Standard deviation in which cosines start in the decoder: grey levels reach from -1 to 1.
CONTRAST = 0.3
#: Channels never grow beyond this multiple of the first stage's.
WIDEST = 4


def stages(height: int, width: int) -> list[tuple[int, int]]:
    """The sizes an image passes through, from its own to the smallest.

    Example:
        >>> stages(28, 28)
        [(28, 28), (14, 14), (7, 7)]
        >>> stages(1, 9)
        [(1, 9)]
    """
    sizes = [(height, width)]
    while min(sizes[-1]) > SMALLEST or max(sizes[-1]) > 4 * SMALLEST:
        height, width = sizes[-1]
        sizes.append(((height + 1) // 2, (width + 1) // 2))
    return sizes


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(relu(x)))), starting as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Same shape, `(B, channels, H, W)`."""
        return x + self.second(F.relu(self.first(F.relu(x))))


def _plan(size: tuple[int, ...], channels: int) -> tuple[list[tuple[int, int]], list[int], int]:
    """Return the sizes of maps, largest first, their channels, and the first stride."""
    sizes = stages(*size)
    widths = [channels * min(2**i, WIDEST) for i in range(max(len(sizes) - 1, 1))]
    if len(sizes) == 1:
        return sizes, widths, 1
    return (sizes[1:], widths, 2) if len(sizes) <= DEEP else (sizes[2:], widths[1:], 4)


def _start_even(network: nn.Module) -> None:
    """Draw weights so that what layers put out is of the size of what they are given.

    Source: He et al. (2015), equation 10, arXiv 1502.01852.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d) and bool(layer.weight.any()):
            nn.init.normal_(layer.weight, std=math.sqrt(2 / layer.weight[0].numel()))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class ResidualEncoder(Network):
    """From an image to an array, halving its size stage by stage.

    Args:
        inputs: `(C, H, W)`, any positive sizes.
        outputs: Shape of one output, such as `(2, 16)`.
        channels: Width of the first stage; each further one doubles it, up to four times.
        blocks: Residual blocks in each stage.

    Raises:
        SettingError: A size is not positive, or `inputs` is not a shape of an image.
        ShapeError: An input of another shape (raised by `forward`).

    Example:
        >>> import torch
        >>> ResidualEncoder((3, 33, 20), (2, 8))(torch.zeros(5, 3, 33, 20)).shape
        torch.Size([5, 2, 8])
    """

    def __init__(
        self,
        inputs: Sequence[int],
        outputs: Sequence[int],
        channels: int = 32,
        blocks: int = 1,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        _check_sizes(self.inputs, self.outputs, channels, blocks)
        self.sizes, widths, self.stride = _plan(self.inputs[1:], channels)
        before, size = self.inputs[0], math.prod(self.outputs)
        layers: list[nn.Module] = []
        for stage, after in enumerate(widths):
            step = 2 if stage else self.stride
            layers += [nn.ReLU()] if stage else []
            # a window of step + 1 reaches both neighbours, and rounds sizes up
            layers += [nn.Conv2d(before, after, max(step + 1, 3), step, max(step // 2, 1))]
            layers += [ResidualBlock(after) for _ in range(blocks)]
            before = after
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Linear(before * math.prod(self.sizes[-1]), size)
        self.cosines = Cosines(self.inputs[1:]) if self.stride > 2 else None
        means = [-(-side // POOL) for side in self.inputs[1:]]
        seen = means if self.cosines is None else self.cosines.shape
        self.past = nn.Linear(self.inputs[0] * math.prod(seen), size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """From `(..., C, H, W)` to `(..., *outputs)`."""
        if tuple(x.shape[-3:]) != self.inputs:
            raise ShapeError(f"this network takes images {self.inputs}, got {tuple(x.shape)}")
        batch = x.shape[:-3]
        flat = x.reshape(-1, *self.inputs).to(self.head.weight.dtype)
        features = F.relu(self.convolutions(flat)).flatten(start_dim=1)
        if self.cosines is None:
            slow = F.avg_pool2d(flat, POOL, ceil_mode=True)
        else:
            slow = self.cosines.of(flat)
        past = self.past(slow.flatten(start_dim=1))
        return (self.head(features) + past).reshape(*batch, *self.outputs)

    def start(self, init: Init) -> None:
        """Give the layers their first weights; blocks start as the identity.

        Args:
            init: "even" for layers that hand on numbers of the size they are given, and cosines
                that the first outputs start at, the means of a Gaussian; "small" and "torch" for
                those that torch drew.

        Raises:
            SettingError: Another start is asked for.
        """
        _check_start(init)
        if init == "even":
            _start_even(self)
        if init == "even" and self.cosines is not None:
            ways, lengths = self.cosines.largest(self.inputs[0], self.outputs[-1])
            with torch.no_grad():
                self.past.weight.zero_()
                self.past.weight[: len(ways)] = ways.flatten(start_dim=1) / lengths[:, None]

    def start_small(self) -> None:
        """Start the last layers near zero; cosines start at their size."""
        start_small(self.head)
        if self.cosines is None:
            with torch.no_grad():
                self.past.weight.mul_(0.1)

    def start_at(self, values: Tensor, place: int = 0) -> None:
        """Start the last biases at some outputs, the first of them at `place`."""
        with torch.no_grad():
            self.head.bias[place : place + values.numel()].copy_(values.flatten())

    def __str__(self) -> str:
        sizes = [*([self.inputs[1:]] if self.stride > 1 else []), *self.sizes]
        return "residual encoder " + " -> ".join(f"{h}x{w}" for h, w in sizes)


class ResidualDecoder(Network):
    """From a latent vector to `parameters` images, doubling the size stage by stage.

    Args:
        inputs: `(D,)`, the number of latent units.
        outputs: `(parameters, C, H, W)`.
        channels: As in `ResidualEncoder`.
        blocks: As in `ResidualEncoder`.

    Raises:
        SettingError: A size is not positive, or `outputs` is not a shape of images.
        ShapeError: An input of another size (raised by `forward`).

    Example:
        >>> import torch
        >>> ResidualDecoder((8,), (2, 3, 33, 20))(torch.zeros(4, 5, 8)).shape
        torch.Size([4, 5, 2, 3, 33, 20])
    """

    def __init__(
        self,
        inputs: Sequence[int],
        outputs: Sequence[int],
        channels: int = 32,
        blocks: int = 1,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        _check_sizes(self.outputs[1:], self.inputs, channels, blocks)
        sizes, widths, self.square = _plan(self.outputs[2:], channels)
        self.sizes, widths = sizes[::-1], widths[::-1]
        self.small = (widths[0], *self.sizes[0])
        self.stem = nn.Linear(self.inputs[0], math.prod(self.small))
        self.cosines = Cosines(self.outputs[2:]) if self.square > 2 else None
        planes = math.prod(self.outputs[:2])
        if self.cosines is None:
            self.slow, beside = (PAST, *self.sizes[-1]), PAST
        else:
            self.slow, beside = (planes, *self.cosines.shape), 0
        self.past = nn.Linear(self.inputs[0], math.prod(self.slow), bias=self.cosines is None)
        self.stages, self.narrow = nn.ModuleList(), nn.ModuleList()
        for before, after in zip(widths, [*widths[1:], None], strict=True):
            self.stages.append(nn.Sequential(*[ResidualBlock(before) for _ in range(blocks)]))
            if after is not None:
                self.narrow.append(nn.Conv2d(before, after, 1))
        self.head = nn.Conv2d(widths[-1] + beside, planes * self.square**2, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """From `(..., D)` to `(..., parameters, C, H, W)`."""
        if z.shape[-1:] != self.inputs:
            raise ShapeError(f"this network takes {self.inputs[0]} latents, got {tuple(z.shape)}")
        batch = z.shape[:-1]
        flat = z.reshape(-1, self.inputs[0]).to(self.stem.weight.dtype)
        h = self.stages[0](self.stem(flat).unflatten(-1, self.small))
        for narrow, stage, size in zip(self.narrow, self.stages[1:], self.sizes[1:], strict=True):
            # twice the size, then cut: the encoder rounded up, so at most one row is too many
            h = F.interpolate(narrow(F.relu(h)), scale_factor=2, mode="nearest")
            h = stage(h[..., : size[0], : size[1]])
        h, slow = F.relu(h), self.past(flat).unflatten(-1, self.slow)
        if self.cosines is None:
            h = torch.cat([h, slow.to(h.dtype)], dim=1)
        x = F.pixel_shuffle(self.head(h), self.square)
        x = x[..., : self.outputs[2], : self.outputs[3]]
        if self.cosines is not None:
            x = x + self.cosines.image(CONTRAST * slow)
        return x.reshape(*batch, *self.outputs)

    def start(self, init: Init) -> None:
        """See `ResidualEncoder.start`; the last layer starts near zero if others start even.

        Where there are cosines, each latent unit starts as the one that the encoder starts it at,
        of the first of the parameters, which is the location of a law that has one. Scales of a law
        are exponentials: such as differ by a factor of ten from pixel to pixel would make the first
        bound absurd, and bfloat16 too coarse for it.
        """
        _check_start(init)
        if init == "even":
            _start_even(self)
            self.start_small()
        if init == "even" and self.cosines is not None:
            ways, lengths = self.cosines.largest(self.outputs[1], self.inputs[0])
            first = (ways.flatten(start_dim=1) * lengths[:, None]).T
            with torch.no_grad():
                self.past.weight[: len(first), : len(ways)] = first

    def start_small(self) -> None:
        """Start the last layers near zero."""
        with torch.no_grad():
            self.head.weight.mul_(0.1)
            if self.cosines is not None:
                self.past.weight.zero_()

    def start_at(self, values: Tensor, place: int = 0) -> None:
        """Start the biases of channels at the means of outputs, `(some, C, H, W)`."""
        channels = values.mean(dim=(-2, -1)).flatten().repeat_interleave(self.square**2)
        place *= self.square**2
        with torch.no_grad():
            self.head.get_parameter("bias")[place : place + len(channels)].copy_(channels)

    def __str__(self) -> str:
        sizes = [*self.sizes, *([self.outputs[2:]] if self.square > 1 else [])]
        return "residual decoder " + " -> ".join(f"{h}x{w}" for h, w in sizes)


def _check_sizes(
    image: tuple[int, ...], other: tuple[int, ...], channels: int, blocks: int
) -> None:
    if len(image) != 3:
        raise SettingError(f"a residual network needs images (C, H, W), got {image}; use an MLP")
    if min(*image, *other, channels) < 1 or blocks < 0:
        raise SettingError(
            f"sizes of a residual network must be positive, got image {image}, {other}, "
            f"channels={channels}, blocks={blocks}"
        )


def _check_start(init: Init) -> None:
    if init == "glorot":
        raise SettingError(
            f"init '{init}' is for --set network=mlp, and the network here is residual; "
            "give init=even, init=small, init=torch, or leave it out"
        )


def residual(*, channels: int = 32, blocks: int = 1) -> Pair:
    """Residual convolutions, for images.

    Args:
        channels: Width of the first stage; each further one doubles it, up to four times.
        blocks: Residual blocks in each stage.
    """
    if not 1 <= channels <= 4096 or not 0 <= blocks <= 64:
        raise SettingError(
            f"channels must be from 1 to 4096 and blocks from 0 to 64, got {channels} and {blocks}"
        )
    return Pair(
        lambda inputs, outputs: ResidualEncoder(inputs, outputs, channels, blocks),
        lambda inputs, outputs: ResidualDecoder(inputs, outputs, channels, blocks),
        images=True,
    )
