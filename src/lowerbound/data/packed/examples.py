"""Examples that stay on disk until they are needed."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from lowerbound.core.batch import Batch
from lowerbound.data.examples import Examples
from lowerbound.data.facts import Facts
from lowerbound.data.fitting import Fitting
from lowerbound.data.loading import load, load_block
from lowerbound.data.packed import memory
from lowerbound.data.packed.prefetch import ahead
from lowerbound.data.packed.window import Span, shuffled, sliding_order
from lowerbound.data.raw import Raw
from lowerbound.data.rows import Block
from lowerbound.data.source import Source
from lowerbound.data.sparse import SparseRows
from lowerbound.data.splits import HELD_OUT_BYTES
from lowerbound.errors import DataError

#: Batches that are made ready while the present one is worked on.
AHEAD = 8
CPU = torch.device("cpu")


@dataclass(frozen=True)
class StoredExamples:
    """A part of a source on disk, as a schema wants it; a `Source`.

    Going through `batches` holds a window of blocks, some hundred MiB, whatever the size of the
    source; `batch` reads what is asked for and keeps nothing.

    Args:
        raw: Where rows are from.
        fitting: All that is done to them.
        span: Which rows these are.
        witness: A few examples that have a support only if all have it.
        device: Where batches are handed over.
        chosen: Places in the span, int64, where only some in an order of their own are meant.
    """

    raw: Raw
    fitting: Fitting
    span: Span
    witness: Tensor
    device: torch.device = CPU
    chosen: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.span) if self.chosen is None else len(self.chosen)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return self.fitting.schema.shape

    @property
    def observed(self) -> Tensor | None:
        """Which cells are known, bool `(N, *shape)`, read anew each time; None when all are."""
        found = self._read(np.arange(len(self))).observed if self.fitting.masked else None
        return None if found is None else torch.from_numpy(found)

    @property
    def label(self) -> Tensor | None:
        """The class of each example, int64 `(N,)`; made anew each time."""
        label = self.raw.label
        return None if label is None else torch.from_numpy(label[self._rows()].astype(np.int64))

    @property
    def label_names(self) -> tuple[str, ...] | None:
        """Names of classes 0, 1, ..."""
        return self.raw.label_names

    @property
    def row_names(self) -> tuple[str, ...] | None:
        """Name of each example; made anew each time."""
        names = self.raw.row_names
        return None if names is None else tuple(names[row] for row in self._rows().tolist())

    @property
    def row_label(self) -> str | None:
        """Name of the column of these names."""
        return self.raw.row_label

    def batch(self, index: Tensor | slice) -> Batch:
        """Read the examples at `index`, in its order.

        Raises:
            DataError: The source is not what it was any more.
        """
        places = places_of(index, len(self))
        batch, told = self._batch(self._read(places)), self.raw.condition
        if told is None:
            return batch
        condition = torch.from_numpy(told[self._rows(places)])
        return replace(batch, condition=condition.to(self.device))

    def batches(self, size: int, first: int = 0) -> Generator[Batch, None, None]:
        """Go through all examples once, shuffled by a window, read ahead by a thread.

        One random number is drawn now, and all the order follows from it. Closing the iterator
        ends the thread.

        Raises:
            DataError: Examples are too large to mix; or, from the iterator, the source has changed.
        """
        return ahead(self._batches(size, first), AHEAD)

    def _batches(self, size: int, first: int) -> Iterator[Batch]:
        seed = int(torch.randint(2**62, ()))
        if self.chosen is None:
            order = sliding_order(self.raw.rows, self.fitting, self.span, seed)
            blocks = shuffled(self.raw.rows, self.fitting, self.span, order, size, first)
            return map(self._batch, blocks)
        places = torch.from_numpy(np.random.default_rng(seed).permutation(len(self)))
        return (self.batch(places[i : i + size]) for i in range(first * size, len(self), size))

    def select(self, index: Tensor | slice) -> "StoredExamples":
        """Choose the examples at `index`; they stay on disk."""
        places = places_of(index, len(self))
        return replace(self, chosen=places if self.chosen is None else self.chosen[places])

    def few(self, most: int) -> Examples:
        """Read at most `most`, evenly spaced over the source."""
        count = min(most, len(self))
        places = torch.linspace(0, len(self) - 1, count, dtype=torch.float64).long()
        return self.select(places).load()

    def load(self) -> Examples:
        """Read all of them, on the processor.

        Raises:
            DataError: They do not fit in memory.
        """
        size = len(self) * self.fitting.row_bytes
        if memory.too_big(size):
            raise DataError(
                f"{self.raw.where}: {len(self):,} examples of {size / 2**30:.1f} GiB do "
                "not fit in memory; ask for fewer"
            )
        return load(self.raw, self.fitting, self._rows())

    def extremes(self) -> Batch:
        """Return the witness: see `Source.extremes`."""
        return Batch(self.witness)

    def to(self, device: torch.device | str) -> "StoredExamples":
        """Hand the same examples over on another device."""
        return replace(self, device=torch.device(device))

    def _rows(self, places: np.ndarray | None = None) -> np.ndarray:
        places = np.arange(len(self)) if places is None else places
        return self.span.rows(places if self.chosen is None else self.chosen[places])

    def _read(self, places: np.ndarray) -> Block:
        return load_block(self.raw, self.fitting, self._rows(places))

    def _batch(self, block: Block) -> Batch:
        parts = [None if part is None else torch.from_numpy(part)
                 for part in (block.values, block.observed)]  # fmt: skip
        if self.device.type == "cuda":
            parts = [None if part is None else part.pin_memory().to(self.device, non_blocking=True)
                     for part in parts]  # fmt: skip
        x, observed = parts
        return Batch(x, observed).to(self.device)  # type: ignore[arg-type]


def part_of(
    raw: Raw,
    fitting: Fitting,
    facts: Facts,
    rows: np.ndarray | None = None,
    without: np.ndarray | None = None,
) -> Source:
    """Take the rows `rows` of a source, int64, or all but `without` in their own order.

    Returns:
        Examples in memory if the source is, or if few are asked for; else such as stay on disk.
    """
    without = np.empty(0, np.int64) if without is None else np.sort(without)
    span = Span(0, len(raw), without)
    if raw.rows.in_memory or (rows is not None and len(rows) * fitting.row_bytes <= HELD_OUT_BYTES):
        return load(raw, fitting, span.rows(np.arange(len(span))) if rows is None else rows)
    if rows is not None:  # many of a part that the source gives: first to last, less others
        first, last = int(rows[0]), int(rows[-1]) + 1
        span = Span(first, last, np.setdiff1d(np.arange(first, last), rows, assume_unique=True))
    # a window of blocks knows no conditions; sparse rows are in memory, and mix without one
    chosen = np.arange(len(span)) if isinstance(raw.rows, SparseRows) else None
    return StoredExamples(raw, fitting, span, _witness(fitting, facts), chosen=chosen)


def _witness(fitting: Fitting, facts: Facts) -> Tensor:
    """Make examples `(3, *shape)`: least, greatest, and between where any is no whole number."""
    schema, facts = fitting.schema, facts.only(fitting.columns)
    low, high = facts.low, facts.high
    between = np.where(facts.whole, low, low + (high - low) / np.pi)
    ends = np.stack([low, high, between])
    ends = np.where(np.isfinite(ends), ends, 0.0)
    if schema.kind == "binary":
        ends[:] = [[0.0], [1.0], [0.0]]
    for place, lookup in fitting.lookups.items():
        ends[:, place] = [0, lookup.codes.max(), 0]
    cells = torch.from_numpy(ends).to(schema.dtype)
    shape = schema.shape if cells.shape[1] > 1 else (1,) * len(schema.shape)
    return cells.reshape(3, *shape).expand(3, *schema.shape)


def places_of(index: Tensor | slice, count: int) -> np.ndarray:
    """List the places that an index of either kind names among `count`, int64.

    Raises:
        IndexError: It names a place that is not there.
    """
    if isinstance(index, slice):
        return np.arange(*index.indices(count))
    index = torch.as_tensor(index).cpu()
    if index.dtype == torch.bool:
        index = index.nonzero().flatten()
    places = index.numpy().astype(np.int64)
    places = np.where(places < 0, places + count, places)
    if len(places) and not (places.min() >= 0 and places.max() < count):
        raise IndexError(f"an index is out of range for {count} examples")
    return places
