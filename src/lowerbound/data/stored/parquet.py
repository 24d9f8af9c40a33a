"""Parquet files as a store: one file or a folder of them, a row group a block."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lowerbound.data.columns import read_columns, refuse_same_names
from lowerbound.data.stored.store import Store
from lowerbound.errors import DataError, LowerboundError, MissingExtraError

#: Row groups that are kept as they were read last: rows are asked for in runs.
RECENT = 2
NUMBERS = ("int", "uint", "float", "double", "halffloat", "bool")


@dataclass(frozen=True)
class RowGroups:
    """One Parquet file of columns of numbers.

    Args:
        path: The file.
        names: The columns, which it must have in this order.
        dtype: Of the rows that are made of them.
        starts: Where its row groups begin and the last one ends.
    """

    path: Path
    names: tuple[str, ...]
    dtype: np.dtype
    starts: np.ndarray
    _date: int
    _recent: OrderedDict[int, np.ndarray] = field(default_factory=OrderedDict, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, compare=False)

    @property
    def files(self) -> tuple[Path, ...]:
        """The file."""
        return (self.path,)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows `start` to `stop - 1`, `(stop - start, D)`."""
        return self.take(np.arange(start, stop))

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Any rows; each row group that has one of them is read once."""
        found = np.empty((len(rows), len(self.names)), self.dtype)
        home = np.searchsorted(self.starts, rows, side="right") - 1
        for number in np.unique(home).tolist():
            here = home == number
            found[here] = self._group(number)[rows[here] - self.starts[number]]
        return found

    def _group(self, number: int) -> np.ndarray:
        with self._lock:
            if number not in self._recent:
                self._recent[number] = self._read(number)
                while len(self._recent) > RECENT:
                    self._recent.popitem(last=False)
            self._recent.move_to_end(number)
            return self._recent[number]

    def _read(self, number: int) -> np.ndarray:
        where = repr(self.path.name)
        try:
            if self.path.stat().st_mtime_ns != self._date:
                raise DataError(
                    f"{where} was changed while it was being read; leave it alone and begin again"
                )
            with _open(self.path) as file:
                table = file.read_row_group(number, columns=list(self.names))
        except (OSError, ValueError) as error:  # those of pyarrow are ValueErrors or OSErrors
            if isinstance(error, LowerboundError):
                raise
            raise _broken(where, error) from error
        values = read_columns(table, where).values.astype(self.dtype, copy=False)
        if len(values) != self.starts[number + 1] - self.starts[number]:
            raise DataError(f"a row group of {where} is shorter than it says; write it again")
        return values


def open_parquet(path: Path) -> Store:
    """The rows of a Parquet file, or of all those of a folder, one after the other.

    Raises:
        MissingExtraError: pyarrow is not installed.
        DataError: A file is broken, has other columns than the first, or columns of no numbers.
    """
    paths = [path] if path.is_file() else parquet_files(path)
    found = [_described(each) for each in paths]
    first = found[0]
    for each, other in zip(paths[1:], found[1:], strict=True):
        if other[0] != first[0]:
            raise DataError(
                f"{each.name!r} has the columns {_listed(other[0])}, {paths[0].name!r} has "
                f"{_listed(first[0])}; write both with the same ones in the same order"
            )
    dtype = np.dtype(np.float32 if all(narrow for _, narrow, _ in found) else np.float64)
    pieces = tuple(
        RowGroups(each, first[0], dtype, starts, each.stat().st_mtime_ns)
        for each, (_, _, starts) in zip(paths, found, strict=True)
        if starts[-1]
    )
    where = repr(path.name)
    if not pieces:
        raise DataError(f"{where} has a header but no rows")
    return Store(where, pieces, (len(first[0]),), dtype, names=first[0])


def parquet_files(folder: Path) -> list[Path]:
    """The Parquet files of a folder, sorted; none if it holds anything else that is visible."""
    files = [p for p in sorted(folder.iterdir()) if not p.name.startswith((".", "_"))]
    plain = all(p.is_file() and p.suffix.lower() in (".parquet", ".pq") for p in files)
    return files if plain else []


def size_of(path: Path) -> int:
    """Bytes of memory that the rows of a file or folder would take."""
    paths = [path] if path.is_file() else parquet_files(path)
    return sum(8 * len(names) * int(starts[-1]) for names, _, starts in map(_described, paths))


def _described(path: Path) -> tuple[tuple[str, ...], bool, np.ndarray]:
    """The columns, whether all are narrow floats, and where row groups begin."""
    where = repr(path.name)
    try:
        with _open(path) as file:
            schema, metadata = file.schema_arrow, file.metadata
            names, kinds = tuple(map(str, schema.names)), [str(kind) for kind in schema.types]
            sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    except (OSError, ValueError) as error:
        raise _broken(where, error) from error
    if not names:
        raise DataError(f"{where} has no columns")
    refuse_same_names(names, where)
    for name, kind in zip(names, kinds, strict=True):
        if not kind.startswith((*NUMBERS, "decimal")):
            raise DataError(
                f"column {name!r} of {where} is not numeric: it holds {kind[:40]}; drop the column "
                "or code it as numbers"
            )
    narrow = all(kind in ("float", "halffloat") for kind in kinds)
    return names, narrow, np.cumsum([0, *sizes]).astype(np.int64)


def _open(path: Path) -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("reading Parquet", "pyarrow", "parquet") from error
    return parquet.ParquetFile(path)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:6]) + ", ..." * (len(names) > 6)


def _broken(where: str, error: Exception) -> DataError:
    line = (str(error).splitlines() or ["unknown"])[0][:200]
    return DataError(f"cannot read {where} as Parquet: {line}; write it again")
