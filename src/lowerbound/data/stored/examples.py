"""Examples that stay on disk until they are needed."""

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from lowerbound.core.batch import Batch
from lowerbound.data.examples import Examples
from lowerbound.data.stored import memory
from lowerbound.data.stored.fitted import Fitted
from lowerbound.data.stored.prefetch import ahead
from lowerbound.data.stored.rows import Span
from lowerbound.data.stored.window import shuffled, sliding_order
from lowerbound.errors import DataError

#: Batches that are made ready while the present one is worked on.
AHEAD = 8
CPU = torch.device("cpu")


@dataclass(frozen=True)
class StoredExamples:
    """A part of a store, as a schema wants it; a `Source`.

    Going through `batches` holds a window of blocks, some hundred MiB, whatever the size of the
    source; `batch` reads what is asked for and keeps nothing.

    Args:
        fitted: Where rows are from and what makes the schema's values of them.
        span: Which rows these are.
        witness: A few values `(N, *shape)` with the smallest, the largest and any fraction.
        device: Where batches are handed over.
        chosen: Places in the span, int64, where only some in an order of their own are meant.
    """

    fitted: Fitted
    span: Span
    witness: Tensor
    device: torch.device = CPU
    chosen: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.span) if self.chosen is None else len(self.chosen)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example."""
        return self.fitted.schema.shape

    @property
    def observed(self) -> None:
        """Stored sources are complete."""
        return None

    @property
    def label(self) -> Tensor | None:
        """The class of each example, int64 `(N,)`; made anew each time."""
        if self.fitted.store.label is None:
            return None
        rows = self._rows(np.arange(len(self)))
        return torch.from_numpy(self.fitted.store.label[rows].astype(np.int64))

    @property
    def label_names(self) -> tuple[str, ...] | None:
        """What the classes are called."""
        return self.fitted.store.label_names

    def batch(self, index: Tensor | slice) -> Batch:
        """The examples at `index`, in its order; read anew each time.

        Raises:
            DataError: The source is not what it was any more.
        """
        return self._batch(self._values(self._rows(places_of(index, len(self)))))

    def batches(self, size: int, first: int = 0) -> Generator[Batch, None, None]:
        """All examples once, shuffled through a window, read ahead by a thread; see `Source`.

        One random number is drawn now, and all the order follows from it. Closing the iterator
        ends the thread.

        Raises:
            DataError: Blocks are too large to mix; or, from the iterator, the source has changed.
        """
        seed = int(torch.randint(2**62, ()))
        if self.chosen is not None:
            order = np.random.default_rng(seed).permutation(len(self))
            places = (order[i : i + size] for i in range(first * size, len(order), size))
            values = (self._values(self._rows(some)) for some in places)
        else:
            order = sliding_order(self.fitted.store, self.fitted, self.span, seed)
            values = shuffled(self.fitted.store, self.fitted, self.span, order, size, first)
        return ahead((self._batch(some) for some in values), AHEAD)

    def select(self, index: Tensor | slice) -> "StoredExamples":
        """The examples at `index`, still on disk."""
        places = places_of(index, len(self))
        return replace(self, chosen=places if self.chosen is None else self.chosen[places])

    def few(self, most: int) -> Examples:
        """At most so many, evenly spaced over the source, in memory."""
        count = min(most, len(self))
        return self.select(
            torch.linspace(0, len(self) - 1, count, dtype=torch.float64).long()
        ).load()

    def load(self) -> Examples:
        """The same examples in memory, on the processor.

        Raises:
            DataError: They do not fit.
        """
        size = len(self) * self.fitted.row_bytes
        if memory.too_big(size):
            raise DataError(
                f"{self.fitted.store.where}: {len(self):,} examples of {size / 2**30:.1f} GiB do "
                "not fit in memory; ask for fewer"
            )
        rows = self._rows(np.arange(len(self)))
        return Examples(torch.from_numpy(self._values(rows)), None, self.label, self.label_names)

    def extremes(self) -> Batch:
        """Return the witness: see `Source.extremes`."""
        return Batch(self.witness)

    def to(self, device: torch.device | str) -> "StoredExamples":
        """The same examples, handed over on another device."""
        return replace(self, device=torch.device(device))

    def _rows(self, places: np.ndarray) -> np.ndarray:
        return self.span.rows(places if self.chosen is None else self.chosen[places])

    def _values(self, rows: np.ndarray) -> np.ndarray:
        """Rows of the store, `(B, *shape)`, a run of neighbours at once."""
        store = self.fitted.store
        size = max(1, 2**24 // max(self.fitted.row_bytes, 1))
        found = np.empty((len(rows), *self.shape), self.fitted.dtype)
        for i in range(0, len(rows), size):
            found[i : i + size] = self.fitted(store.take(rows[i : i + size]))
        return found

    def _batch(self, values: np.ndarray) -> Batch:
        x = torch.from_numpy(values)
        if self.device.type == "cpu":
            return Batch(x)
        if self.device.type == "cuda":
            return Batch(x.pin_memory().to(self.device, non_blocking=True))
        return Batch(x.to(self.device))


def places_of(index: Tensor | slice, count: int) -> np.ndarray:
    """The places that an index of either kind names among `count`, int64.

    Raises:
        IndexError: It names a place that is not there.
    """
    if isinstance(index, slice):
        return np.arange(count)[index] if index.step not in (None, 1) else _run(index, count)
    index = torch.as_tensor(index).cpu()
    if index.dtype == torch.bool:
        index = index.nonzero().flatten()
    places = index.numpy().astype(np.int64)
    places = np.where(places < 0, places + count, places)
    if len(places) and not (places.min() >= 0 and places.max() < count):
        raise IndexError(f"an index is out of range for {count} examples")
    return places


def _run(index: slice, count: int) -> np.ndarray:
    start, stop, _ = index.indices(count)
    return np.arange(start, max(start, stop))
