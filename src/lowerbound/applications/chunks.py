"""Working through many rows a few at a time, on the model's device."""

import math
from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor

from lowerbound.core import Model, on
from lowerbound.processes import current
from lowerbound.seeding import seeded

#: Rows that go through a network at a time.
ROWS_AT_ONCE = 256


@torch.no_grad()
def by_chunks(
    model: Model,
    rows: int,
    step: Callable[[slice, torch.device], Tensor],
    *,
    drawn: bool = False,
) -> Tensor:
    """Join `step` of all rows, `ROWS_AT_ONCE` at a time, model in evaluation mode; on the CPU.

    Several processes (`lowerbound.processes.together`) share the chunks, and each gets all.

    Args:
        model: On its device.
        rows: How many there are.
        step: From some of the rows, and the model's device, to a number of rows as large.
        drawn: Whether `step` draws random numbers: each chunk then has a seed of its own, taken
            from the random state, and does not depend on who went through those before it.
    """
    group, chunks = current(), max(1, math.ceil(rows / ROWS_AT_ONCE))
    seeds = torch.randint(2**62, (chunks,)).tolist() if drawn else None
    mine = range(chunks)[group.mine(chunks)]
    count = min(mine.stop * ROWS_AT_ONCE, rows) - mine.start * ROWS_AT_ONCE
    done: Tensor | None = None
    with on(model) as device:
        for index in mine:
            first = index * ROWS_AT_ONCE
            with nullcontext() if seeds is None else seeded(seeds[index], device):
                some = step(slice(first, min(first + ROWS_AT_ONCE, rows)), device).cpu()
            if done is None:  # its place is made once: all chunks are never there a second time
                done = some.new_empty((count, *some.shape[1:]))
            place = first - mine.start * ROWS_AT_ONCE
            done[place : place + len(some)] = some
    if done is not None and group.size == 1:
        return done
    parts = group.gather({} if done is None else {"rows": done})
    return torch.cat([part["rows"] for part in parts if part])
