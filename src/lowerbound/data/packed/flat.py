"""Rows of one length that lie one after the other in a file: .npy and its like."""

import math
import os
import weakref
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lowerbound.data.stored.store import even_starts
from lowerbound.errors import DataError


@dataclass(frozen=True)
class Flat:
    """`count` rows from byte `offset` of a file.

    Read by position, not mapped: what was read and is let go leaves the process's memory at once.

    Args:
        path: The file.
        offset: Where the first row begins.
        count: How many rows.
        shape: Of a row; `()` is kept as `(1,)`.
        dtype: Of its cells, of either byte order.

    Raises:
        DataError: The file cannot be opened, or is shorter than that.
    """

    path: Path
    offset: int
    count: int
    shape: tuple[int, ...]
    dtype: np.dtype
    starts: np.ndarray = field(init=False, repr=False, compare=False)
    _file: "OpenFile" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_file", OpenFile(self.path))
        object.__setattr__(self, "starts", even_starts(self.count, self.row_bytes))
        need = self.offset + self.count * self.row_bytes
        if self._file.size < need:
            raise DataError(
                f"{self.path.name!r} is truncated: it should have {need} bytes, and has "
                f"{self._file.size}; fetch or write it again"
            )

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def files(self) -> tuple[Path, ...]:
        """The file."""
        return (self.path,)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows `start` to `stop - 1`, native numbers; see `Piece`."""
        rows = np.empty((stop - start, *self.shape), self.dtype)
        self._file.read_into(rows, self.offset + start * self.row_bytes)
        return native(rows)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Any rows; runs of neighbours are read at once."""
        found = np.empty((len(rows), *self.shape), self.dtype)
        begins = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
        for begin, end in zip(begins, np.append(begins[1:], len(rows)), strict=True):
            self._file.read_into(found[begin:end], self.offset + int(rows[begin]) * self.row_bytes)
        return native(found)


def native(rows: np.ndarray) -> np.ndarray:
    """The same numbers in the machine's own byte order, at most 8 bytes each."""
    if rows.dtype.itemsize > 8:
        return rows.astype(np.float64)
    return rows.astype(rows.dtype.newbyteorder("="), copy=False)


class OpenFile:
    """A file open for reading by position, from any thread, as it was when it was opened.

    Args:
        path: The file.

    Raises:
        DataError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except OSError as error:
            raise DataError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
        weakref.finalize(self, os.close, self.descriptor)
        status = os.fstat(self.descriptor)
        self.size, self.changed = status.st_size, status.st_mtime_ns

    def read_into(self, array: np.ndarray, offset: int) -> None:
        """Fill a contiguous array with the bytes from `offset`.

        Raises:
            DataError: The file was changed since it was opened, or cannot be read.
        """
        if not array.nbytes:
            return
        view = memoryview(array.reshape(-1).view(np.uint8).data)
        try:
            status = os.fstat(self.descriptor)
            if (status.st_size, status.st_mtime_ns) != (self.size, self.changed):
                raise DataError(
                    f"{self.path.name!r} was changed while it was being read; leave it alone and "
                    "begin again"
                )
            while view:
                done = os.preadv(self.descriptor, [view], offset)
                if not done:
                    raise DataError(f"{self.path.name!r} ends too early; fetch or write it again")
                view, offset = view[done:], offset + done
        except OSError as error:
            raise DataError(f"cannot read {self.path.name!r}: {error.strerror or error}") from error
