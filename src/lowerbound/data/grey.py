"""Grey levels as chances: every cell is drawn 0 or 1, anew each time it is learned from."""

from dataclasses import dataclass
from zlib import crc32

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Grey:
    """The grey levels behind examples that were drawn 0 or 1.

    A model trained on fresh draws maximises the expected log-likelihood of such a draw. One draw
    alone, repeated every epoch, is a data set of its own, and its numbers are not comparable.

    Args:
        levels: `(N, *shape)`, from 0 to `white`, as the source stores them.
        white: The level that is 1 for certain; level g is 1 with chance g / white.

    Source: Salakhutdinov & Murray (2008), section 6 (one fixed draw); Burda, Grosse &
        Salakhutdinov (2016), appendix D, arXiv 1509.00519 (a fresh one each time).

    Example:
        >>> grey = Grey(torch.tensor([[0, 255], [255, 0]], dtype=torch.uint8), 255.0)
        >>> grey.draw(slice(0, 2)).tolist()
        [[0, 1], [1, 0]]
    """

    levels: Tensor
    white: float

    def draw(self, index: Tensor | slice) -> Tensor:
        """Draw the examples at `index` afresh, uint8 `(B, *shape)`, from the random state."""
        levels = self.levels[index]
        # a uniform number lies in [0, 1): black is never 1 and white always
        chance = torch.rand(levels.shape, device=levels.device) * self.white
        return (chance < levels).to(torch.uint8)


def drawn_once(levels: np.ndarray, white: float, seed: int) -> np.ndarray:
    """Draw every cell once, uint8 of the same shape: the same for a seed everywhere."""
    generator, bits = np.random.default_rng(seed), np.empty(levels.shape, np.uint8)
    for start in range(0, len(levels), 10_000):  # bounded memory
        some = slice(start, start + 10_000)
        bits[some] = generator.random(levels[some].shape, np.float32) * white < levels[some]
    return bits


def drawn_alike(levels: np.ndarray, white: float) -> np.ndarray:
    """Draw every cell once, uint8 `(B, *shape)`; a row's draw depends on its contents alone."""
    bits = np.empty(levels.shape, np.uint8)
    for place, row in enumerate(np.ascontiguousarray(levels)):
        generator = np.random.default_rng(crc32(row.astype(np.float64).data))
        bits[place] = generator.random(row.shape, np.float32) * white < row
    return bits
