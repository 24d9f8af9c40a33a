"""The slowest cosines of an image, in the sizes that they have in photographs."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: Cosines along a side, at most.
MOST = 16
#: Size of differences between colours, as a fraction of that of what they have in common.
BETWEEN_COLOURS = 1 / 3


class Cosines(nn.Module):
    """A linear map between images and their slowest cosines, in units of their usual size.

    A cosine that goes up and down u times in height and v times in width has a variance in
    proportion to 1 / (1 + u^2 + v^2), as in photographs on average, and all of an image together
    have variance 1 a cell.

    Args:
        size: Height and width.

    Source: the cosines are nearly the principal components of images: Ahmed, Natarajan & Rao
        (1974), IEEE Trans. Computers C-23, 90; the spectrum: Field (1987), JOSA A 4, 2379.

    Example:
        >>> cosines = Cosines((9, 40))
        >>> cosines.shape
        (9, 16)
        >>> units = torch.randn(2, 3, 9, 16)
        >>> bool(torch.allclose(cosines.of(cosines.image(units)), units, atol=1e-4))
        True
    """

    high: Tensor
    wide: Tensor
    sizes: Tensor

    def __init__(self, size: Sequence[int]) -> None:
        super().__init__()
        height, width = size
        power = 1 / (1 + torch.arange(height)[:, None] ** 2 + torch.arange(width) ** 2).double()
        sizes = (power * (power.numel() / power.sum())).sqrt()
        # told by the size, so no part of a state
        self.register_buffer("high", basis(height, MOST).float(), persistent=False)
        self.register_buffer("wide", basis(width, MOST).float(), persistent=False)
        self.register_buffer("sizes", sizes[:MOST, :MOST].float(), persistent=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Cosines along height and width."""
        return self.sizes.shape[0], self.sizes.shape[1]

    def of(self, image: Tensor) -> Tensor:
        """From `(..., H, W)` to `(..., *shape)`."""
        return F.linear(self.high @ image, self.wide) / self.sizes

    def image(self, units: Tensor) -> Tensor:
        """From `(..., *shape)` to `(..., H, W)`."""
        return F.linear(self.high.T @ (units * self.sizes), self.wide.T)

    def largest(self, channels: int, count: int) -> tuple[Tensor, Tensor]:
        """Choose the cosines of colours that are usually largest.

        Args:
            channels: Of the image; what they have in common is larger than their differences.
            count: How many.

        Returns:
            Their directions among all cosines of all channels, `(some, channels, *shape)`, each of
            length 1, and their lengths in units of the cosines', `(some,)`, the largest first.
        """
        lengths = torch.full((channels,), BETWEEN_COLOURS)
        lengths[0] = 1.0
        lengths *= math.sqrt(channels)
        sizes = lengths[:, None, None] * self.sizes.detach().cpu()
        chosen = sizes.flatten().argsort(descending=True, stable=True)[:count]
        axis, place = chosen // self.sizes.numel(), chosen % self.sizes.numel()
        directions = torch.zeros(len(chosen), channels, self.sizes.numel())
        directions[torch.arange(len(chosen)), :, place] = basis(channels, channels).float()[axis]
        return directions.unflatten(-1, self.shape), lengths[axis]


def basis(size: int, most: int) -> Tensor:
    """Return the orthonormal cosines along `size` cells, the slowest first, `most` at most."""
    cells = torch.arange(size, dtype=torch.float64) + 0.5
    rows = torch.cos(math.pi / size * torch.arange(min(size, most))[:, None] * cells)
    rows[0] /= math.sqrt(2)
    return rows * math.sqrt(2 / size)
