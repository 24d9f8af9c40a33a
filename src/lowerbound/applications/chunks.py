"""Working through many rows a few at a time, on the model's device."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from lowerbound.data import Source

#: Rows that go through a network at a time.
ROWS_AT_ONCE = 256


def device_of(model: nn.Module) -> torch.device:
    """Where the model is."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


@torch.no_grad()
def by_chunks(model: nn.Module, rows: Source | Tensor, step: Callable[[Tensor], Tensor]) -> Tensor:
    """`step` of all rows, `ROWS_AT_ONCE` at a time, model in evaluation mode; on the CPU.

    Unobserved cells are 0.
    """
    was_training = model.training
    model.eval()
    device = device_of(model)
    try:
        return torch.cat([step(chunk.to(device)).cpu() for chunk in _chunks(rows)])
    finally:
        model.train(was_training)


def _chunks(rows: Source | Tensor) -> Iterator[Tensor]:
    if isinstance(rows, Tensor):
        yield from rows.split(ROWS_AT_ONCE)
        return
    for start in range(0, max(len(rows), 1), ROWS_AT_ONCE):
        yield rows.batch(slice(start, start + ROWS_AT_ONCE)).filled()
