"""A residual convolutional encoder and its mirror image, for images of any size.

The encoder halves height and width until the shorter side is at most `SMALLEST`, rounding up, and
ends in one fully connected layer; the decoder goes back through exactly the same sizes, so odd
heights and widths work, down to 1x1. Of images that would be halved `DEEP` times or more, the first
two halvings are one convolution of stride 4, and the decoder ends in squares of 4x4 cells: most of
the work was there, at the sizes where neighbours say least that is new.

Source: residual blocks with pre-activation: He et al. (2016), arXiv 1603.05027.
Differs: no normalisation layers (no row of a batch may depend on another); the second
convolution of each block starts at zero, so that every block starts as the identity
(Zhang, Dauphin & Ma 2019, arXiv 1901.09321).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowerbound.errors import SettingError, ShapeError
from lowerbound.networks.pair import Init, Network, Pair, start_small

#: Resolution at which convolutions end and a fully connected layer takes over.
SMALLEST = 7
#: Halvings from which on the first two are one.
DEEP = 4
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
    """x + conv(act(conv(act(x)))), starting as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Same shape, `(B, channels, H, W)`."""
        return x + self.second(F.silu(self.first(F.silu(x))))


def _plan(size: tuple[int, ...], channels: int) -> tuple[list[tuple[int, int]], list[int], int]:
    """Return the sizes between convolutions, their channels, and the first stride."""
    sizes = stages(*size)
    widths = [channels * min(2**i, WIDEST) for i in range(max(len(sizes) - 1, 1))]
    if len(sizes) <= DEEP:
        return sizes, widths, 2
    return [sizes[0], *sizes[2:]], widths[1:], 4


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
        sizes, widths, stride = _plan(self.inputs[1:], channels)
        layers: list[nn.Module] = []
        before = self.inputs[0]
        if len(sizes) == 1:
            layers += [nn.Conv2d(before, channels, 3, padding=1)]
            layers += [ResidualBlock(channels) for _ in range(blocks)]
        for stage, after in enumerate(widths if len(sizes) > 1 else []):
            layers += [nn.SiLU()] if stage else []
            # a window of stride + 1 reaches both neighbours, and rounds sizes up
            layers += [nn.Conv2d(before, after, stride + 1, stride, padding=stride // 2)]
            layers += [ResidualBlock(after) for _ in range(blocks)]
            before, stride = after, 2
        self.convolutions = nn.Sequential(*layers)
        height, width = sizes[-1]
        outputs_flat = 1
        for size in self.outputs:
            outputs_flat *= size
        self.head = nn.Linear(widths[-1] * height * width, outputs_flat)

    def forward(self, x: Tensor) -> Tensor:
        """From `(..., C, H, W)` to `(..., *outputs)`."""
        if tuple(x.shape[-3:]) != self.inputs:
            raise ShapeError(f"this network takes images {self.inputs}, got {tuple(x.shape)}")
        batch = x.shape[:-3]
        flat = x.reshape(-1, *self.inputs).to(self.head.weight.dtype)
        features = F.silu(self.convolutions(flat)).flatten(start_dim=1)
        return self.head(features).reshape(*batch, *self.outputs)

    def start(self, init: Init) -> None:
        """Keep the layers as they are: blocks start as the identity.

        Raises:
            SettingError: Another start is asked for.
        """
        _check_start(init)

    def start_small(self) -> None:
        """Start the last layer near zero."""
        start_small(self.head)

    def start_at(self, values: Tensor, place: int = 0) -> None:
        """Start the last biases at some outputs, the first of them at `place`."""
        with torch.no_grad():
            self.head.bias[place : place + values.numel()].copy_(values.flatten())

    def __str__(self) -> str:
        return "residual encoder " + " -> ".join(f"{h}x{w}" for h, w in stages(*self.inputs[1:]))


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
        sizes, widths, stride = _plan(self.outputs[2:], channels)
        self.sizes, widths = sizes[::-1], widths[::-1]
        self.square = 4 if stride == 4 else 1
        height, width = self.sizes[0]
        self.small = (widths[0], height, width)
        self.stem = nn.Linear(self.inputs[0], widths[0] * height * width)
        self.stages = nn.ModuleList()
        before = widths[0]
        for after in [*widths[1:], widths[-1]][: max(len(self.sizes) - 1, 1)]:
            block = [ResidualBlock(before) for _ in range(blocks)]
            self.stages.append(
                nn.Sequential(*block, nn.SiLU(), nn.Conv2d(before, after, 3, padding=1))
            )
            before = after
        planes = self.outputs[0] * self.outputs[1] * self.square**2
        self.head = nn.Conv2d(before, planes, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """From `(..., D)` to `(..., parameters, C, H, W)`."""
        if z.shape[-1:] != self.inputs:
            raise ShapeError(f"this network takes {self.inputs[0]} latents, got {tuple(z.shape)}")
        batch = z.shape[:-1]
        flat = z.reshape(-1, self.inputs[0]).to(self.stem.weight.dtype)
        h = self.stem(flat).reshape(-1, *self.small)
        targets = self.sizes[1:] or self.sizes
        for stage, size in zip(self.stages, targets, strict=True):
            h = stage(h)
            if self.square > 1 and size == self.sizes[-1]:
                break
            if tuple(h.shape[-2:]) != size:
                # twice the size, then cut: the encoder rounded up, so at most one row is too many
                h = F.interpolate(h, scale_factor=2, mode="nearest")[..., : size[0], : size[1]]
        x = F.pixel_shuffle(self.head(F.silu(h)), self.square)
        return x[..., : self.outputs[2], : self.outputs[3]].reshape(*batch, *self.outputs)

    def start(self, init: Init) -> None:
        """See `ResidualEncoder.start`."""
        _check_start(init)

    def start_small(self) -> None:
        """Start the last layer near zero."""
        with torch.no_grad():
            self.head.weight.mul_(0.1)

    def start_at(self, values: Tensor, place: int = 0) -> None:
        """Start the biases of channels at the means of outputs, `(some, C, H, W)`."""
        channels = values.mean(dim=(-2, -1)).flatten().repeat_interleave(self.square**2)
        place *= self.square**2
        with torch.no_grad():
            self.head.get_parameter("bias")[place : place + len(channels)].copy_(channels)

    def __str__(self) -> str:
        return "residual decoder " + " -> ".join(f"{h}x{w}" for h, w in self.sizes)


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
    if init in ("even", "glorot"):
        raise SettingError(
            f"init '{init}' is for --set network=mlp, and the network here is residual; "
            "give init=small, init=torch, or leave it out"
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
