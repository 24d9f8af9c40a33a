"""How many numbers a law holds, for those who choose how much of it fits in memory."""

import math

from torch import Tensor
from torch.distributions import Distribution

from lowerbound.distributions.product import Product


def numbers_per_cell(law: Distribution) -> int:
    """Count the numbers that a law of one row holds for each cell of x, at least 1.

    Of the parameters of a family, such as mean and scale, the largest counts: they are held in
    several forms anyway.

    Example:
        >>> import torch
        >>> numbers_per_cell(torch.distributions.Categorical(logits=torch.zeros(1, 7, 256)))
        256
    """
    cells = max(1, math.prod((*law.batch_shape, *law.event_shape)))
    return max(1, _numbers(law) // cells)


def _numbers(law: Distribution) -> int:
    if isinstance(law, Product):
        return sum(_numbers(part.law) for part in law.parts)
    largest, waiting, inside = 0, list(vars(law).values()), 0
    while waiting:
        part = waiting.pop()
        if isinstance(part, Tensor):
            largest = max(largest, part.numel())
        elif isinstance(part, Distribution):
            inside += _numbers(part)
        elif isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list | tuple):
            waiting.extend(part)
    return largest + inside
