"""Data as a reader hands it over, before anything has been decided about it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from lowerbound.data.field import Field, LeftOut
from lowerbound.data.notes import Note
from lowerbound.data.reading import Reading
from lowerbound.data.rows import ArrayRows, Rows
from lowerbound.errors import DataError

MOST_BYTES = 8 * 2**30
"""Data that would take more memory than this is refused with a remedy, before it is allocated."""

TRAIN, VALIDATION, TEST = 0, 1, 2


@dataclass(frozen=True)
class Column:
    """One column of a table, as its reader found it.

    Args:
        name: Its name.
        categories: The words that the codes 0, 1, ... stand for; None for a column of numbers.
        whole: Whether the source stores or writes whole numbers, gaps or not: 3 and not 3.0.
        decimals: The most digits after the point that were written; None where that says nothing.
        form: How its dates are written: see `lowerbound.data.moments`; cells are microseconds then.
        declared: The kind that the type of the source says.
    """

    name: str
    categories: tuple[str, ...] | None = None
    whole: bool = False
    decimals: int | None = None
    form: str | None = None
    declared: str | None = None


@dataclass(frozen=True)
class Raw:
    """Numbers as they were found, all parts one below the other.

    Args:
        where: Name of the source in messages.
        rows: `N` rows `(D,)`, `(T, C)` or `(C, H, W)`: the reader has decided what axes mean.
        names: The column names of a table.
        columns: The columns of a table whose reader knows more of them than their names.
        part: Int8 `(N,)`: TRAIN, VALIDATION or TEST where the source says so; None where not.
        label: Classes `(N,)`, whole numbers of any width.
        label_names: Names of the classes.
        levels: How many levels the cells have, where the source knows it (digits: 17).
        pictures: Whether the values were decoded from picture files (uint8, `(C, H, W)`).
        row_names: Name of each row, where the source says it: file names, an index.
        row_label: Name of the column of these names.
        notes: Remarks of the reader.
        reading: The decisions it took, by which new data are read alike.
        kind: The kind of all cells, where the format says it.
        order: Names of all columns of a table, those left out included, in their first order.
        left_out: Columns of which `rows` has no cells, since no model can learn them.
        conditions: Facts that a model is told of each row and does not explain.
        condition: Codes, or numbers, of these, int64 `(N, C)`; -1 where not known.
    """

    where: str
    rows: Rows
    names: tuple[str, ...] | None = None
    columns: tuple[Column, ...] | None = None
    part: np.ndarray | None = None
    label: np.ndarray | None = None
    label_names: tuple[str, ...] | None = None
    levels: int | None = None
    pictures: bool = False
    row_names: tuple[str, ...] | None = None
    row_label: str | None = None
    notes: tuple[Note, ...] = ()
    reading: Reading = field(default_factory=Reading)
    kind: str | None = None
    order: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    conditions: tuple[Field, ...] = ()
    condition: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def values(self) -> np.ndarray:
        """All numbers in memory, `(N, *shape)`."""
        return self.rows.read(0, len(self.rows)).values

    @property
    def table(self) -> tuple[Column, ...] | None:
        """The columns of a table; None for data without names."""
        if self.columns is not None or self.names is None:
            return self.columns
        whole = self.rows.dtype.kind in "biu"
        return tuple(Column(name, whole=whole) for name in self.names)


def whole(parts: Iterable[Raw]) -> Raw:
    """Put the parts of a source without gaps and names into one."""
    first, *rest = found = list(parts)
    if not rest:
        return first

    def all_of(parts: list[np.ndarray | None]) -> np.ndarray | None:
        known = [part for part in parts if part is not None]
        return np.concatenate(known) if known else None

    return replace(
        first,
        rows=ArrayRows(np.concatenate([raw.values for raw in found])),
        part=all_of([raw.part for raw in found]),
        label=all_of([raw.label for raw in found]),
    )


def refuse_oversize(size: int, where: str) -> None:
    """Raise a `DataError` when `size` bytes are more than this version holds in memory."""
    if size > MOST_BYTES:
        raise DataError(
            f"{where} needs {size / 2**30:.1f} GiB of memory, over the limit of "
            f"{MOST_BYTES // 2**30} GiB; "
            "give fewer examples (--limit) or smaller ones (--image-size)"
        )
