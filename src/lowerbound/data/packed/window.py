"""One pass through a part of a source in a shuffled order, a window of blocks in memory."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lowerbound.data.fitting import Fitting
from lowerbound.data.packed.sliding import Sliding
from lowerbound.data.rows import Block, Rows, block_starts, joined
from lowerbound.errors import DataError

#: Bytes of blocks that are open at a time while training.
WINDOW_BYTES = 2**28
#: Fewer blocks than this mix badly: rows so large are refused.
FEWEST_BLOCKS = 4


@dataclass(frozen=True)
class Span:
    """Rows `start` to `stop - 1` of a source, less `without`, int64 and ascending, in order."""

    start: int
    stop: int
    without: np.ndarray

    def __len__(self) -> int:
        return self.stop - self.start - len(self.without)

    def rows(self, index: np.ndarray) -> np.ndarray:
        """Look up the source's rows at places `index` of this span, int64."""
        # the j-th row left out has without[j] - start - j rows of the span in front of it
        before = self.without - self.start - np.arange(len(self.without))
        return self.start + index + np.searchsorted(before, index, side="right")

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Count the rows of this span that lie in front of each of the source's `rows`, int64."""
        inside = np.clip(rows, self.start, self.stop)
        return inside - self.start - np.searchsorted(self.without, inside, side="left")

    def block(self, rows: Rows, begin: int, end: int) -> Block:
        """Read the rows of this span among `begin` to `end - 1` of the source."""
        start, stop = max(begin, self.start), min(end, self.stop)
        first, last = np.searchsorted(self.without, [start, stop])
        found = rows.read(start, stop)
        if first == last:
            return found
        kept = np.ones(stop - start, dtype=bool)
        kept[self.without[first:last] - start] = False
        return found[kept]


def sliding_order(rows: Rows, fitting: Fitting, span: Span, seed: int) -> Sliding:
    """Make the order of one pass, its window as wide as `WINDOW_BYTES` allow.

    Raises:
        DataError: Rows are so large that too few blocks are open to mix them.
    """
    starts = span.places(block_starts(rows))
    largest = int(np.diff(starts).max()) * fitting.row_bytes
    window = WINDOW_BYTES // max(largest, 1)
    if window < FEWEST_BLOCKS and len(starts) - 1 > window:
        raise DataError(
            f"examples of {fitting.where} take {largest / 2**20:,.0f} MiB, too large to mix "
            f"{FEWEST_BLOCKS} of them in {WINDOW_BYTES / 2**20:,.0f} MiB; make them smaller"
        )
    return Sliding(starts, max(window, 1), seed)


def shuffled(
    rows: Rows, fitting: Fitting, span: Span, order: Sliding, size: int, first: int = 0
) -> Iterator[Block]:
    """Make batches of rows, `(size, *shape)` as the schema stores them; the last may be smaller.

    The first `first` batches are passed over: they are not read unless others of their blocks are.
    """
    begins, starts, skip = block_starts(rows), order.starts, first * size
    room = int(np.diff(starts).max())
    opened = np.empty((order.width, room, *fitting.schema.shape), fitting.dtype)
    masks = np.ones(opened.shape, bool) if fitting.masked else None
    held = np.full(order.width, -1)
    left: list[Block] = []
    for step, places, drawn in order.steps():
        if skip and skip >= len(drawn):  # a step without rows has its new block all the same
            skip -= len(drawn)
            continue
        for place, number in order.opened(step):
            if held[place] != number:
                begin, end = begins[number : number + 2].tolist()
                block = fitting(span.block(rows, begin, end))
                opened[place, : len(block)] = block.values
                if masks is not None:
                    masks[place] = True
                    if block.observed is not None:
                        masks[place, : len(block)] = block.observed
                held[place] = number
        at = (places[skip:], drawn[skip:] - starts[held[places[skip:]]])
        left.append(Block(opened[at], None if masks is None else masks[at]))
        skip = 0
        if sum(map(len, left)) >= size:
            ready = joined(left)
            whole = len(ready) // size * size
            yield from (ready[i : i + size] for i in range(0, whole, size))
            left = [ready[whole:]]
    if left and sum(map(len, left)):
        yield joined(left)
