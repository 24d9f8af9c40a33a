"""A source's rows where they lie, in pieces and blocks."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from lowerbound.data.notes import Note
from lowerbound.data.raw import TRAIN

#: Bytes of a block: what is read at once. Large enough that a disk reads it about as fast as any
#: amount, small enough that many of them are open while training and mix well.
BLOCK_BYTES = 2**20
#: Rows that a block has at least, unless they are larger than this many of its bytes.
FEWEST_ROWS, MOST_BLOCKS = 32, 8


class Piece(Protocol):
    """A run of rows, all in one place, such as one array of a file."""

    @property
    def starts(self) -> np.ndarray:
        """Where its blocks begin and the last one ends, int64 `(M + 1,)`, from 0."""
        ...

    @property
    def files(self) -> tuple[Path, ...]:
        """What it is read from."""
        ...

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows `start` to `stop - 1`, `(stop - start, *shape)`, a copy.

        Raises:
            DataError: They are not there any more, or not what they were.
        """
        ...

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Any rows, `(B, *shape)`, in the order of `rows`, int64 `(B,)`."""
        ...


@dataclass(frozen=True)
class Store:
    """All rows of a source, as they were found; compare `Raw`, which holds them in memory.

    Args:
        where: What messages call the source.
        pieces: One after the other.
        shape: Of a row, as it is stored.
        dtype: Of its cells.
        names: The column names of a table.
        parts: (part, start, stop) of the rows that the source gives to each part; None where it
            gives none.
        label: Classes `(N,)`, integers of any width.
        label_names: What the classes are called.
        levels: How many levels the cells have, where the source knows it.
        pictures: Whether the rows were decoded from picture files (uint8, `(C, H, W)`).
        notes: What the reader noticed.
    """

    where: str
    pieces: tuple[Piece, ...]
    shape: tuple[int, ...]
    dtype: np.dtype
    names: tuple[str, ...] | None = None
    parts: tuple[tuple[int, int, int], ...] | None = None
    label: np.ndarray | None = None
    label_names: tuple[str, ...] | None = None
    levels: int | None = None
    pictures: bool = False
    notes: tuple[Note, ...] = ()

    def __len__(self) -> int:
        return int(self._ends[-1])

    @cached_property
    def _ends(self) -> np.ndarray:
        """Where each piece begins and the last one ends, `(P + 1,)`."""
        counts = [int(piece.starts[-1]) for piece in self.pieces]
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    @cached_property
    def starts(self) -> np.ndarray:
        """Where blocks begin and the last one ends, int64 `(M + 1,)`."""
        begun = [p.starts[:-1] + end for p, end in zip(self.pieces, self._ends, strict=False)]
        return np.concatenate([*begun, self._ends[-1:]]).astype(np.int64)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row as it was found."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    @property
    def files(self) -> tuple[Path, ...]:
        """What it is read from, each once."""
        return tuple(dict.fromkeys(file for piece in self.pieces for file in piece.files))

    def spans(self, part: int) -> list[tuple[int, int]]:
        """The runs of rows that belong to a part; without parts all are TRAIN."""
        if self.parts is None:
            return [(0, len(self))] if part == TRAIN else []
        return [(start, stop) for known, start, stop in self.parts if known == part]

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """Where each block begins and its rows, of the rows `start` to `stop - 1`."""
        stop = len(self) if stop is None else stop
        first = int(np.searchsorted(self.starts, start, side="right")) - 1
        while start < stop:
            end = min(int(self.starts[first + 1]), stop)
            yield start, self.read(start, end)
            start, first = end, first + 1

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows `start` to `stop - 1`, `(stop - start, *shape)`."""
        found = []
        for piece, begin, end in zip(self.pieces, self._ends, self._ends[1:], strict=False):
            low, high = max(start, int(begin)), min(stop, int(end))
            if low < high:
                found.append(piece.read(low - int(begin), high - int(begin)))
        if not found:
            return np.empty((0, *self.shape), self.dtype)
        return found[0] if len(found) == 1 else np.concatenate(found)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Any rows, `(B, *shape)`, in the order of `rows`, int64 `(B,)`."""
        found = np.empty((len(rows), *self.shape), self.dtype)
        home = np.searchsorted(self._ends, rows, side="right") - 1
        for number in np.unique(home):
            here = home == number
            found[here] = self.pieces[number].take(rows[here] - self._ends[number])
        return found


def even_starts(count: int, row_bytes: int) -> np.ndarray:
    """Where blocks of about `BLOCK_BYTES` begin and the last one ends, int64 `(M + 1,)`."""
    row_bytes = max(row_bytes, 1)
    least = min(FEWEST_ROWS, MOST_BLOCKS * BLOCK_BYTES // row_bytes)
    rows = max(1, least, BLOCK_BYTES // row_bytes)
    return np.append(np.arange(0, count, rows, dtype=np.int64), count)
