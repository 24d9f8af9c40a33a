"""Working through many rows a few at a time, on the model's device."""

import math
from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from lowerbound.data import Source
from lowerbound.processes import current
from lowerbound.seeding import seeded

#: Rows that go through a network at a time.
ROWS_AT_ONCE = 256


def device_of(model: nn.Module) -> torch.device:
    """Where the model is."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


@torch.no_grad()
def by_chunks(
    model: nn.Module,
    rows: Source | Tensor,
    step: Callable[[Tensor], Tensor],
    *,
    drawn: bool = False,
) -> Tensor:
    """`step` of all rows, `ROWS_AT_ONCE` at a time, model in evaluation mode; on the CPU.

    Several processes (`lowerbound.processes.together`) share the chunks, and each gets all.

    Args:
        model: On its device.
        rows: `N` of them, `(N, ...)`; unobserved cells are 0.
        step: From some rows to as many.
        drawn: Whether `step` draws random numbers: each chunk then has a seed of its own, taken
            from the random state, and does not depend on who went through those before it.
    """
    was_training, group = model.training, current()
    device = device_of(model)
    chunks = max(1, math.ceil(len(rows) / ROWS_AT_ONCE))
    seeds = torch.randint(2**62, (chunks,)).tolist() if drawn else None
    mine = range(chunks)[group.mine(chunks)]
    count = min(mine.stop * ROWS_AT_ONCE, len(rows)) - mine.start * ROWS_AT_ONCE
    done: Tensor | None = None
    model.eval()
    try:
        for index in mine:
            with nullcontext() if seeds is None else seeded(seeds[index], device):
                some = step(_chunk(rows, index).to(device)).cpu()
            if done is None:  # its place is made once: all chunks are never there a second time
                done = some.new_empty((count, *some.shape[1:]))
            place = (index - mine.start) * ROWS_AT_ONCE
            done[place : place + len(some)] = some
    finally:
        model.train(was_training)
    if done is not None and group.size == 1:
        return done
    parts = group.gather({} if done is None else {"rows": done})
    return torch.cat([part["rows"] for part in parts if part])


def _chunk(rows: Source | Tensor, index: int) -> Tensor:
    some = slice(index * ROWS_AT_ONCE, (index + 1) * ROWS_AT_ONCE)
    return rows[some] if isinstance(rows, Tensor) else rows.batch(some).filled()
