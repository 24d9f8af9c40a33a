"""The law p(x|z) of a model, looked at from outside: its kind and its size."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.core import Model, on
from lowerbound.data import Source
from lowerbound.distributions import Product
from lowerbound.seeding import seeded


@torch.no_grad()
def law_of(model: Model, examples: Source) -> Distribution:
    """Return p(x|z) at one z ~ p(z), under the condition of the first example."""
    condition = examples.batch(slice(0, 1)).condition
    with on(model) as device, seeded(0, device):
        return model.sample(1, condition=None if condition is None else condition.to(device)).law


def counts(law: Distribution) -> bool | None:
    """Tell whether log p(x|z) is a log-probability, no density; None if the law has no support."""
    try:
        support = law.support
    except NotImplementedError:
        return None
    return None if support is None else bool(support.is_discrete)


def numbers_per_cell(law: Distribution) -> int:
    """Count the numbers that a law of one row holds for each cell of x, at least 1.

    Of the parameters of a family, such as mean and scale, the largest counts: they are held in
    several forms anyway.

    Example:
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
