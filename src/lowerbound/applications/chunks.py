"""Working through many rows a few at a time, on the model's device."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

#: Rows that go through a network at a time.
ROWS_AT_ONCE = 256


def device_of(model: nn.Module) -> torch.device:
    """Where the model is."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


@torch.no_grad()
def by_chunks(model: nn.Module, rows: Tensor, step: Callable[[Tensor], Tensor]) -> Tensor:
    """`step` of all rows, `ROWS_AT_ONCE` at a time, model in evaluation mode; on the CPU."""
    was_training = model.training
    model.eval()
    device = device_of(model)
    try:
        return torch.cat([step(chunk.to(device)).cpu() for chunk in rows.split(ROWS_AT_ONCE)])
    finally:
        model.train(was_training)
