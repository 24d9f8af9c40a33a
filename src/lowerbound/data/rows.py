"""Rows of a source, wherever they lie: every rule about data is written over blocks of them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

#: Bytes of a block: what is read at once. Large enough that a disk reads it about as fast as any
#: amount, small enough that many of them are open while training and mix well.
BLOCK_BYTES = 2**20
#: Rows that a block has at least, unless they are larger than this many of its bytes.
FEWEST_ROWS, MOST_BLOCKS = 32, 8


@dataclass(frozen=True)
class Block:
    """Some rows as they were found.

    Args:
        values: `(B, *shape)`, native numbers.
        observed: Which cells are known, bool `(B, *shape)`; None when all are that are not NaN.
    """

    values: np.ndarray
    observed: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> "Block":
        return Block(self.values[index], None if self.observed is None else self.observed[index])


class Rows(Protocol):
    """`N` rows of one shape and dtype: `(D,)`, `(T, C)` or `(C, H, W)`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a row."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """Type of its cells: bool, whole numbers or floats, native."""
        ...

    @property
    def in_memory(self) -> bool:
        """Whether reading costs nothing, and holds nothing that was not held before."""
        ...

    def __len__(self) -> int:
        """Count the rows, `N`."""
        ...

    def read(self, start: int, stop: int) -> Block:
        """Read rows `start` to `stop - 1`.

        Raises:
            DataError: They are not there any more, or not what they were.
        """
        ...

    def take(self, index: np.ndarray) -> Block:
        """Read any rows, in the order of `index`, int64 `(B,)`."""
        ...


@dataclass(frozen=True)
class ArrayRows:
    """Rows in memory.

    Args:
        values: `(N, *shape)`.
        observed: Which cells are known, bool `(N, *shape)`; None when all are that are not NaN.

    Example:
        >>> rows = ArrayRows(np.arange(6).reshape(3, 2))
        >>> len(rows), rows.shape, rows.take(np.array([2, 0])).values.tolist()
        (3, (2,), [[4, 5], [0, 1]])
    """

    values: np.ndarray
    observed: np.ndarray | None = None
    in_memory = True

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a row."""
        return self.values.shape[1:]

    @property
    def dtype(self) -> np.dtype:
        """Type of its cells."""
        return self.values.dtype

    def __len__(self) -> int:
        return len(self.values)

    def read(self, start: int, stop: int) -> Block:
        """Look at rows `start` to `stop - 1`; a view."""
        return Block(self.values, self.observed)[slice(start, stop)]

    def take(self, index: np.ndarray) -> Block:
        """Copy any rows, in the order of `index`."""
        return Block(self.values, self.observed)[index]


def row_bytes(rows: Rows) -> int:
    """Count the bytes of the numbers of a row."""
    return max(1, math.prod(rows.shape) * rows.dtype.itemsize)


def block_starts(rows: Rows) -> np.ndarray:
    """Tell where blocks of about `BLOCK_BYTES` begin and the last one ends, int64 `(M + 1,)`."""
    size = row_bytes(rows)
    least = min(FEWEST_ROWS, MOST_BLOCKS * BLOCK_BYTES // size)
    step = max(1, least, BLOCK_BYTES // size)
    return np.append(np.arange(0, len(rows), step, dtype=np.int64), len(rows))


def blocks(rows: Rows) -> Iterator[tuple[int, Block]]:
    """Read all rows once: where each block begins, and its rows."""
    starts = block_starts(rows).tolist()
    for start, stop in pairwise(starts):
        yield start, rows.read(start, stop)


def joined(parts: Sequence[Block]) -> Block:
    """Put blocks one below the other; a mask where any has one."""
    if len(parts) == 1:
        return parts[0]
    values = np.concatenate([part.values for part in parts])
    if all(part.observed is None for part in parts):
        return Block(values)
    masks = [
        np.ones(part.values.shape, bool) if part.observed is None else part.observed
        for part in parts
    ]
    return Block(values, np.concatenate(masks))
