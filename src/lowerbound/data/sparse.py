"""Rows of counts, most of them 0, kept as they are until some are asked for."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lowerbound.data.rows import Block


@dataclass(frozen=True)
class SparseRows:
    """`N` rows of `D` counts in memory; see `Rows`.

    Args:
        matrix: A `csr_array` of scipy, int32 `(N, D)`.

    Example:
        >>> from scipy.sparse import csr_array
        >>> rows = SparseRows(csr_array(np.eye(3, dtype=np.int32)))
        >>> rows.take(np.array([2, 0])).values.tolist()
        [[0, 0, 1], [1, 0, 0]]
    """

    matrix: Any
    in_memory = False  # whole rows are not: each reading makes some

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a row."""
        return (self.matrix.shape[1],)

    @property
    def dtype(self) -> np.dtype:
        """Type of its cells."""
        return self.matrix.dtype

    def __len__(self) -> int:
        return self.matrix.shape[0]

    def read(self, start: int, stop: int) -> Block:
        """Make rows `start` to `stop - 1`."""
        return Block(self.matrix[start:stop].toarray())

    def take(self, index: np.ndarray) -> Block:
        """Make any rows, in the order of `index`."""
        return Block(self.matrix[index].toarray())
