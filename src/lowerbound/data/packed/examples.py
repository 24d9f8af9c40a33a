"""Examples that stay on disk until they are needed."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from lowerbound.core.batch import Batch
from lowerbound.data.examples import Examples
from lowerbound.data.fitting import Fitting
from lowerbound.data.loading import load
from lowerbound.data.packed import memory
from lowerbound.data.packed.prefetch import ahead
from lowerbound.data.packed.span import Span
from lowerbound.data.packed.window import shuffled, sliding_order
from lowerbound.data.raw import Raw
from lowerbound.data.rows import Block
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
        if not self.fitting.masked:
            return None
        found = self._read(np.arange(len(self))).observed
        return None if found is None else torch.from_numpy(found)

    @property
    def label(self) -> Tensor | None:
        """The class of each example, int64 `(N,)`; made anew each time."""
        if self.raw.label is None:
            return None
        return torch.from_numpy(self.raw.label[self._rows(np.arange(len(self)))].astype(np.int64))

    @property
    def label_names(self) -> tuple[str, ...] | None:
        """The names of classes 0, 1, ..."""
        return self.raw.label_names

    @property
    def row_names(self) -> tuple[str, ...] | None:
        """The name of each example; made anew each time."""
        names = self.raw.row_names
        return None if names is None else tuple(
            names[row] for row in self._rows(np.arange(len(self))).tolist()
        )  # fmt: skip

    @property
    def row_label(self) -> str | None:
        """What the column of these names is called."""
        return self.raw.row_label

    def batch(self, index: Tensor | slice) -> Batch:
        """Read the examples at `index`, in its order.

        Raises:
            DataError: The source is not what it was any more.
        """
        return self._batch(self._read(places_of(index, len(self))))

    def batches(self, size: int, first: int = 0) -> Generator[Batch, None, None]:
        """Go through all examples once, shuffled by a window, read ahead by a thread.

        One random number is drawn now, and all the order follows from it. Closing the iterator
        ends the thread.

        Raises:
            DataError: Examples are too large to mix; or, from the iterator, the source has changed.
        """
        return ahead(map(self._batch, self._blocks(size, first)), AHEAD)

    def _blocks(self, size: int, first: int) -> Iterator[Block]:
        seed = int(torch.randint(2**62, ()))
        if self.chosen is None:
            order = sliding_order(self.raw.rows, self.fitting, self.span, seed)
            return shuffled(self.raw.rows, self.fitting, self.span, order, size, first)
        places = np.random.default_rng(seed).permutation(len(self))
        starts = range(first * size, len(places), size)
        return (self._read(places[i : i + size]) for i in starts)

    def select(self, index: Tensor | slice) -> "StoredExamples":
        """Choose the examples at `index`; they stay on disk."""
        places = places_of(index, len(self))
        return replace(self, chosen=places if self.chosen is None else self.chosen[places])

    def few(self, most: int) -> Examples:
        """Read at most so many, evenly spaced over the source."""
        count = min(most, len(self))
        return self.select(
            torch.linspace(0, len(self) - 1, count, dtype=torch.float64).long()
        ).load()

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
        return load(self.raw, self.fitting, self._rows(np.arange(len(self))))

    def extremes(self) -> Batch:
        """Return the witness: see `Source.extremes`."""
        return Batch(self.witness)

    def to(self, device: torch.device | str) -> "StoredExamples":
        """Hand the same examples over on another device."""
        return replace(self, device=torch.device(device))

    def _rows(self, places: np.ndarray) -> np.ndarray:
        return self.span.rows(places if self.chosen is None else self.chosen[places])

    def _read(self, places: np.ndarray) -> Block:
        found = load(self.raw, self.fitting, self._rows(places), alone=True)
        mask = None if found.observed is None else found.observed.numpy()
        return Block(found.x.numpy(), mask)

    def _batch(self, block: Block) -> Batch:
        x = torch.from_numpy(block.values)
        observed = None if block.observed is None else torch.from_numpy(block.observed)
        if self.device.type == "cuda":
            return Batch(self._over(x.pin_memory()), None if observed is None else self._over(
                observed.pin_memory()))  # fmt: skip
        return Batch(x, observed).to(self.device)

    def _over(self, part: Tensor) -> Tensor:
        return part.to(self.device, non_blocking=True)


def places_of(index: Tensor | slice, count: int) -> np.ndarray:
    """List the places that an index of either kind names among `count`, int64.

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
