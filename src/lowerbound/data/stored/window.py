"""One pass through a part of a store in a shuffled order, a window of blocks in memory."""

from collections.abc import Iterator

import numpy as np

from lowerbound.data.stored.fitted import Fitted
from lowerbound.data.stored.rows import Span
from lowerbound.data.stored.sliding import Sliding
from lowerbound.data.stored.store import Store
from lowerbound.errors import DataError

#: Bytes of blocks that are open at a time while training.
WINDOW_BYTES = 2**28
#: Fewer blocks than this mix badly: blocks so large are refused.
FEWEST_BLOCKS = 4


def sliding_order(store: Store, fitted: Fitted, span: Span, seed: int) -> Sliding:
    """The order of one pass, its window as wide as `WINDOW_BYTES` allow.

    Raises:
        DataError: The blocks of the store are so large that too few are open to mix them.
    """
    starts = span.places(store.starts)
    largest = int(np.diff(starts).max()) * fitted.row_bytes
    window = WINDOW_BYTES // max(largest, 1)
    if window < FEWEST_BLOCKS and len(starts) - 1 > window:
        raise DataError(
            f"{store.where} is stored in blocks of {largest / 2**20:,.0f} MiB, too large to mix "
            f"{FEWEST_BLOCKS} of them in {WINDOW_BYTES / 2**20:,.0f} MiB; write smaller row "
            "groups, or make shards of it: lowerbound data pack SOURCE OUT"
        )
    return Sliding(starts, max(window, 1), seed)


def shuffled(
    store: Store, fitted: Fitted, span: Span, order: Sliding, size: int, first: int = 0
) -> Iterator[np.ndarray]:
    """Batches of rows, `(size, *shape)` as the schema stores them; the last may be smaller.

    Args:
        store: Where they are read from.
        fitted: What makes the schema's values of them.
        span: Which rows take part.
        order: From `sliding_order`.
        size: Rows in a batch.
        first: Batches to pass over; their rows are not read unless others of their blocks are.
    """
    starts, skip = order.starts, first * size
    room = int(np.diff(starts).max())
    opened = np.empty((order.width, room, *fitted.schema.shape), fitted.dtype)
    held = np.full(order.width, -1)
    left: list[np.ndarray] = []
    for step, places, rows in order.steps():
        if skip and skip >= len(rows):  # a step without rows has its new block all the same
            skip -= len(rows)
            continue
        for place, block in order.opened(step) if held[0] < 0 else [order.newest(step)]:
            if held[place] != block:
                values = _block(store, fitted, span, block)
                opened[place, : len(values)] = values
                held[place] = block
        blocks = held[places[skip:]]
        left.append(opened[places[skip:], rows[skip:] - starts[blocks]])
        skip = 0
        if sum(map(len, left)) >= size:
            ready = np.concatenate(left) if len(left) > 1 else left[0]
            whole = len(ready) // size * size
            yield from (ready[i : i + size] for i in range(0, whole, size))
            left = [ready[whole:]]
    if left and sum(map(len, left)):
        yield np.concatenate(left)


def _block(store: Store, fitted: Fitted, span: Span, block: int) -> np.ndarray:
    """Those rows of a block that take part, as the schema stores them."""
    start = max(int(store.starts[block]), span.start)
    stop = min(int(store.starts[block + 1]), span.stop)
    rows = store.read(start, stop)
    kept = span.kept(start, stop)
    return fitted(rows if kept.all() else rows[kept])
