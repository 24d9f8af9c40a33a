"""Rows of named columns as numbers: what all measures of synthetic rows look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lowerbound.data import Schema
from lowerbound.errors import DataError

#: Kinds whose cells are words, whatever they are written as.
WORDS = frozenset({"binary", "categorical"})
#: Kinds that no measure looks at: their cells say nothing, or nothing that rows have in common.
LEFT_OUT = frozenset({"constant", "id", "text", "skip"})


@dataclass(frozen=True)
class Table:
    """Rows of a table as numbers.

    Attributes:
        names: Of the columns.
        values: Float64 `(N, D)`: numbers, dates in microseconds, codes of words; nan for a gap.
        levels: The words of each column in the order of their codes; None for numbers.
    """

    names: tuple[str, ...]
    values: np.ndarray
    levels: tuple[tuple[str, ...] | None, ...]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def words(self) -> np.ndarray:
        """Which columns hold words, bool `(D,)`."""
        return np.array([levels is not None for levels in self.levels])

    def take(self, rows: Any) -> "Table":
        """Take some of the rows, by an index or a mask."""
        return Table(self.names, self.values[rows], self.levels)


def tables(*parts: Any, kinds: Mapping[str, str] | Schema | None = None) -> tuple[Table, ...]:
    """Encode several sets of rows alike.

    Args:
        parts: Mappings from names to arrays `(N,)`, as `columns_of` gives them, or Arrow tables.
            None, nan and the empty date are gaps.
        kinds: A schema, or kinds by the names of columns. Without one, a column of numbers or
            dates is one of numbers, any other one of words.

    Returns:
        A table for each part, with the columns of the first one in its order and common codes.
        Columns of one value, ids and text are left out.

    Raises:
        DataError: A part lacks a column, its columns differ in length, or nothing is left.
    """
    if isinstance(kinds, Schema):
        kinds = {field.name: field.kind for field in kinds.fields}
    kinds = kinds or {}
    columns = [_columns(part) for part in parts]
    names, encoded, levels = [], [], []
    for name in columns[0]:
        if kinds.get(name) in LEFT_OUT:
            continue
        own = []
        for place, part in enumerate(columns):
            if name not in part:
                raise DataError(f"table {place + 1} has no column {name!r}; give the same columns")
            own.append(part[name])
        numbers = None if kinds.get(name) in WORDS else _all_numbers(own)
        if numbers is None:
            numbers, words = _codes(own)
        else:
            words = None
        together = np.concatenate(numbers)
        if len(np.unique(together)) < 2:  # nan is one value, too
            continue
        names.append(name)
        encoded.append(numbers)
        levels.append(words)
    if not names:
        raise DataError("there is no column that varies; nothing can be compared")
    found = []
    for place in range(len(parts)):
        lengths = {len(column[place]) for column in encoded}
        if len(lengths) > 1:
            raise DataError(f"columns of table {place + 1} have the lengths {sorted(lengths)}")
        values = np.column_stack([column[place] for column in encoded])
        found.append(Table(tuple(names), values, tuple(levels)))
    return tuple(found)


def _columns(part: Any) -> dict[str, np.ndarray]:
    if isinstance(part, Mapping):
        return {name: np.asarray(column) for name, column in part.items()}
    return {name: part.column(name).to_numpy(zero_copy_only=False) for name in part.column_names}


def _is_gap(cell: Any) -> bool:
    return cell is None or cell != cell


def _all_numbers(columns: list[np.ndarray]) -> list[np.ndarray] | None:
    try:
        return [_numbers(column) for column in columns]
    except (TypeError, ValueError):
        return None


def _numbers(column: np.ndarray) -> np.ndarray:
    """Numbers and dates as float64, nan for a gap; ValueError where there are words."""
    if column.dtype.kind == "f" or column.dtype.kind in "iu":
        return column.astype(np.float64)
    if column.dtype.kind in "mM":
        unit = "datetime64[us]" if column.dtype.kind == "M" else "timedelta64[us]"
        return np.where(np.isnat(column), np.nan, column.astype(unit).astype(np.int64))
    if column.dtype.kind == "b":
        raise ValueError("truth values are words")
    gaps = np.array([_is_gap(cell) for cell in column], dtype=bool)
    found = np.full(len(column), np.nan)
    known = column[~gaps]
    if any(isinstance(cell, str | bool) for cell in known):
        raise ValueError("words")
    if len(known) and not all(isinstance(cell, int | float | np.number) for cell in known):
        found[~gaps] = known.astype("datetime64[us]").astype(np.int64)
    else:
        found[~gaps] = known.astype(np.float64)
    return found


def _codes(columns: list[np.ndarray]) -> tuple[list[np.ndarray], tuple[str, ...]]:
    spelled = [[None if _is_gap(cell) else _word(cell) for cell in column] for column in columns]
    levels = tuple(sorted({word for words in spelled for word in words if word is not None}))
    code = {None: np.nan, **{word: float(place) for place, word in enumerate(levels)}}
    return [np.array([code[word] for word in words]) for words in spelled], levels


def _word(cell: Any) -> str:
    """Spell a level; 1, 1.0 and "1" are one."""
    is_whole = isinstance(cell, float | np.floating) and float(cell).is_integer()
    return str(int(cell)) if is_whole else str(cell)
