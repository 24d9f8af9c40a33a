"""From rows as they were found to rows as a schema stores them, any number at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lowerbound.data.arrays import layout
from lowerbound.data.coerce import coerce
from lowerbound.data.notes import Note
from lowerbound.data.raw import Raw
from lowerbound.data.rows import ArrayRows
from lowerbound.data.schema import Schema
from lowerbound.data.stored.facts import Facts
from lowerbound.data.stored.rows import Span
from lowerbound.data.stored.store import Store
from lowerbound.errors import DataError


@dataclass(frozen=True)
class Fitted:
    """What `coerce` does to a whole source, done to any rows of it.

    Args:
        schema: What the rows become.
        store: Where they are from.
        grey: Whether pictures in colour are grey all the same, and one channel is kept.
        halved: Whether cells are 0 and 255 in all rows, and become 0 and 1.
        cut: Above which value a cell becomes 1; None where cells are not cut.
    """

    schema: Schema
    store: Store
    grey: bool = False
    halved: bool = False
    cut: float | None = None

    @cached_property
    def dtype(self) -> np.dtype:
        """Of the values it makes."""
        kinds = {"torch.uint8": np.uint8, "torch.int32": np.int32, "torch.float32": np.float32}
        return np.dtype(kinds.get(str(self.schema.dtype), np.float64))

    @property
    def row_bytes(self) -> int:
        """Bytes of a row it makes."""
        return self.schema.dimensions * self.dtype.itemsize

    @cached_property
    def as_they_are(self) -> bool:
        """Whether rows need no change and no check: bytes of 256 levels in the right shape."""
        plain = self.store.pictures or len(self.store.shape) <= 2  # grey images, one axis short
        shape = (1, *self.store.shape) if len(self.store.shape) == 2 else self.store.shape
        same = self.store.dtype == np.uint8 and shape == self.schema.shape
        changed = self.grey or self.halved or self.cut is not None
        return plain and same and self.schema.levels == 256 and not changed

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """The rows `(N, *store.shape)` as `(N, *schema.shape)`.

        Raises:
            DataError: A value that the schema does not have.
        """
        if not len(rows):
            return np.empty((0, *self.schema.shape), self.dtype)
        if self.as_they_are:
            return rows.reshape(len(rows), *self.schema.shape)
        return self._coerced(rows)[0]

    def values_of(
        self, span: Span, progress: Callable[[int, int], None] | None = None
    ) -> Iterator[np.ndarray]:
        """The rows of a span, a block of the store at a time."""
        for start, rows in self.store.blocks(span.start, span.stop):
            yield self(rows[span.kept(start, start + len(rows))])
            if progress is not None:
                progress(start + len(rows) - span.start, span.stop - span.start)

    def notes(self, rows: np.ndarray) -> tuple[Note, ...]:
        """What is noted of some rows that says something of all: sentences without a count."""
        return tuple(note for note in self._coerced(rows)[1] if not note.count)

    def _coerced(self, rows: np.ndarray) -> tuple[np.ndarray, tuple[Note, ...]]:
        laid_out = self.store.pictures
        if self.halved or self.cut is not None:
            rows = rows if laid_out else layout(rows, self.store.where)[0]
            rows = rows // 255 if self.halved else (rows > self.cut).astype(np.uint8)
            laid_out = True
        if self.grey:
            rows = rows[:, :1]
        raw = Raw(self.store.where, ArrayRows(rows), self.store.names, pictures=laid_out)
        examples, notes = coerce(raw, self.schema)
        return examples.x.numpy(), notes


def fit_to(schema: Schema, store: Store, facts: Facts, *, binarize: bool = False) -> Fitted:
    """How rows become those of a schema that a model was trained under.

    Args:
        schema: The model's.
        store: Of new data.
        facts: Of all its rows.
        binarize: Cut at half of the range, for a binary schema.

    Raises:
        DataError: Binary values are wanted, and these cannot be cut as those were.
    """
    plain = Fitted(schema, store)
    if schema.kind != "binary" or facts.bits:
        return plain
    if facts.extreme:
        return replace(plain, halved=True)
    if schema.threshold is not None:
        cut = 127.5 if store.pictures else schema.threshold
        most = 255 if store.pictures else 2 * schema.threshold
        if facts.low < 0 or facts.high > most:
            raise DataError(
                f"the model's data were binarised at {cut:g} of 0 to {most:g}, got "
                f"{facts.low:g} to {facts.high:g} in {store.where}; scale them alike"
            )
        return replace(plain, cut=cut)
    if binarize:
        return replace(plain, cut=facts.half(store))
    return plain
