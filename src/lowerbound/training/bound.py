"""The bound of a batch and its sums: what every update computes, however it is executed."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lowerbound.core.trace import Trace
from lowerbound.data import Batch
from lowerbound.objectives import Objective

#: The bound of each example, `(B,)`; bound, distortion, rate and 1 summed over them, `(4,)`; the
#: trace, if it was kept.
Result = tuple[Tensor, Tensor, Trace | None]
#: Gives them.
BoundOf = Callable[[nn.Module, Objective, Batch], Result]


def bound_of(model: nn.Module, objective: Objective, batch: Batch) -> Result:
    """Compute the bound of a batch and its sums."""
    trace = objective.trace(model, batch)  # pyright: ignore[reportArgumentType]
    bound = objective.reduce(trace)
    with torch.no_grad():
        count = torch.full_like(bound.value, 1.0)
        sums = torch.stack([bound.value, bound.distortion, bound.rate, count]).sum(dim=1)
    return bound.value, sums, trace
