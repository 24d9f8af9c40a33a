"""Rows of one length that lie one after the other in a file, read by position."""

import math
import os
import weakref
from pathlib import Path

import numpy as np

from lowerbound.data.read.npy import read_start, refuse_false_size
from lowerbound.data.rows import Block
from lowerbound.errors import DataError


class FlatRows:
    """Rows of a `.npy` file, and those of a second one that says which cells are known.

    Read by position, not mapped: what was read and is let go leaves the process's memory at once,
    and a file that is cut short gives a sentence, not the end of the process.

    Args:
        path: The file.
        observed: A file of bool of the same shape; None where all cells are known that are not nan.

    Raises:
        DataError: A file cannot be opened, is no array of numbers, or is shorter than it says.
    """

    in_memory = False

    def __init__(self, path: Path, observed: Path | None = None) -> None:
        self._file, where = OpenFile(path), repr(path.name)
        with path.open("rb") as stream:
            shape, self._stored, turned = read_start(stream, where)
            self._offset = stream.tell()
            size = self._file.size - self._offset
            refuse_false_size(shape, self._stored, size, where, memory=False)
        turned = turned and len(shape) > 1
        if self._stored.kind not in "biuf" or not shape or 0 in shape or turned:
            raise DataError(
                f"{where} holds {self._stored} of shape {shape}{', columns first' * turned}, which "
                "cannot be read in parts; save plain numbers (N, ...) with np.ascontiguousarray(x)"
            )
        self._count: int = shape[0]
        self.shape: tuple[int, ...] = tuple(shape[1:]) or (1,)
        self._mask = None if observed is None else FlatRows(observed)
        if self._mask is not None and (len(self._mask), self._mask.shape) != (
            len(self),
            self.shape,
        ):
            raise DataError(f"{observed} and {path} differ in shape; pack them again")

    @property
    def dtype(self) -> np.dtype:
        """Type of its cells."""
        return _native(np.empty(0, self._stored)).dtype

    @property
    def files(self) -> tuple[Path, ...]:
        """Source that they are read from."""
        return (self._file.path, *(() if self._mask is None else self._mask.files))

    def __len__(self) -> int:
        return self._count

    def read(self, start: int, stop: int) -> Block:
        """Read rows `start` to `stop - 1`; see `Rows`."""
        rows = np.empty((max(0, stop - start), *self.shape), self._stored)
        self._file.read_into(rows, self._place(start))
        mask = None if self._mask is None else self._mask.read(start, stop).values.astype(bool)
        return Block(_native(rows), mask)

    def take(self, index: np.ndarray) -> Block:
        """Read any rows; runs of neighbours at once."""
        found = np.empty((len(index), *self.shape), self._stored)
        begins = np.flatnonzero(np.diff(index, prepend=-2) != 1)
        for begin, end in zip(begins, np.append(begins[1:], len(index)), strict=True):
            self._file.read_into(found[begin:end], self._place(int(index[begin])))
        mask = None if self._mask is None else self._mask.take(index).values.astype(bool)
        return Block(_native(found), mask)

    def _place(self, row: int) -> int:
        return self._offset + row * math.prod(self.shape) * self._stored.itemsize


def _native(rows: np.ndarray) -> np.ndarray:
    """Turn numbers into the machine's own byte order, at most 8 bytes each."""
    if rows.dtype.itemsize > 8:
        return rows.astype(np.float64)
    return rows.astype(rows.dtype.newbyteorder("="), copy=False)


class OpenFile:
    """A file open for reading by position, from any thread, as it was when it was opened."""

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
