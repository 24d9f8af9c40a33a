"""Tables of pyarrow as numbers, codes of words, and a mask of their gaps."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lowerbound.data.notes import Note
from lowerbound.data.raw import Column, Raw, refuse_oversize
from lowerbound.data.read.words import Told, tell
from lowerbound.data.reading import Reading, Written
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError, UnknownNameError

MOST_WORDS = 1000
MOST_DECIMALS = 6
FEW_ROWS = 20
NUMBERING = ("", "unnamed: 0", "index", "id", "row", "rownames", "row_names", "__index_level_0__")
DAY = 86400.0


@dataclass(frozen=True)
class Taken:
    """One column, read."""

    name: str
    told: Told
    integer: bool = False
    narrow: bool = False


def raw_of(
    table: Any,
    where: str,
    options: Reading,
    *,
    decimal: str = ".",
    named: bool = True,
    notes: tuple[Note, ...] = (),
) -> Raw:
    """Read the columns of a table, each with its own kind of cells.

    Numbers are numbers; words become codes; dates become days since 1970; empty cells, NaN,
    infinities and the codes that a person names are gaps. A column that only names or numbers
    the rows becomes their names; columns of lists, and of words that hardly ever come twice, are
    left out. All of it is said.

    Args:
        table: Of pyarrow.
        where: What messages call it.
        options: What a person told.
        decimal: "." or ",": how numbers in words are written.
        named: Whether its columns have names of their own.
        notes: What was decided so far.

    Raises:
        DataError: It has no rows, or no column that can be modelled.
        UnknownNameError: An option names a column that is not there.
    """
    names = [str(name) for name in table.column_names]
    options = options.within(names) if options.recorded else options
    _check_names(names, options)
    if not names:
        raise DataError(f"{where} has no columns")
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"{where} has two columns called {twice!r}; rename one")
    if not table.num_rows:
        raise DataError(f"{where} has a header but no rows")
    refuse_oversize(8 * table.num_rows * len(names), where)
    label, row_names, table, more = _row_names(table, names, options, decimal if named else None)
    notes += more
    taken: list[Taken] = []
    left: dict[str, list[str]] = {}
    for name, column in zip([str(n) for n in table.column_names], table.columns, strict=True):
        found = _taken(column, name, decimal, options)
        if isinstance(found, str):
            left.setdefault(found, []).append(name)
        else:
            taken.append(found)
            notes += found.told.notes
    notes += tuple(
        Note(f"columns left out: {why}", len(out), tuple(out)) for why, out in left.items()
    )
    if not taken:
        told = "; ".join(str(note) for note in notes)
        raise DataError(f"{where} has no columns to model: {told}")
    dtype = np.float32 if all(one.narrow for one in taken) else np.float64
    values = np.empty((table.num_rows, len(taken)), dtype)
    for place, one in enumerate(taken):
        values[:, place] = one.told.values
    names = [one.name for one in taken]
    dates = {one.name: Written(one.name, one.told.dates) for one in taken if one.told.dates}
    written = {one.column: one for one in options.written}
    named = named or any(one.told.categories is not None for one in taken)
    return Raw(
        where,
        ArrayRows(values),
        names=tuple(names) if named else None,
        columns=tuple(_column(one) for one in taken) if named else None,
        row_names=row_names,
        row_label=label,
        notes=notes + gap_notes(values, names),
        reading=replace(
            options,
            row_names=label or options.row_names,
            written=tuple({**written, **dates}.values()),
        ),
    )


def gap_notes(values: np.ndarray, names: Sequence[str]) -> tuple[Note, ...]:
    """Make endless numbers `(N, D)` nan, in place, and say how many cells are unknown."""
    endless = np.isinf(values)
    values[endless] = np.nan
    counts = np.isnan(values).sum(axis=0)
    if not counts.any():
        return ()
    some = [f"{names[j]} {counts[j]:,}" for j in range(len(names)) if counts[j]]
    listed = ", ".join(some[:3]) + ", ..." * (len(some) > 3)
    notes = [Note(f"cells empty, read as gaps: {listed}", int(counts.sum()))]
    if endless.any():
        notes.append(Note("cells infinite, read as gaps", int(endless.sum())))
    return tuple(notes)


def _column(one: Taken) -> Column:
    values = one.told.values
    known = values[np.isfinite(values)]
    decimals = None
    if one.told.categories is None and not one.integer and len(known):
        # by far most numbers were typed, rounded or measured with few digits, or with all of them
        for digits in range(MOST_DECIMALS + 1):
            if all((np.round(some, digits) == some).all() for some in (known[:1000], known)):
                decimals = digits
                break
    return Column(one.name, one.told.categories, one.integer, decimals)


def _check_names(names: list[str], options: Reading) -> None:
    wanted = [one.column for one in (*options.gaps, *options.kinds)] + [options.row_names or "*"]
    for name in wanted:
        if name != "*" and name not in names:
            raise UnknownNameError("column", name, names)


def _row_names(
    table: Any, names: list[str], options: Reading, decimal: str | None
) -> tuple[str | None, tuple[str, ...] | None, Any, tuple[Note, ...]]:
    """The column that names the rows, taken out of the table."""
    notes: tuple[Note, ...] = ()
    name, label, out = options.row_names, options.row_names, []
    if name is None:
        out = _index_of(table, names)
        if out:
            name = label = " ".join(out)
        elif decimal is not None and len(names) > 1:
            free = [one for one in names if options.how(one) is None]
            found = (one for one in free if _names_rows(table, one, one == names[0], decimal))
            name = label = next(found, None)
        if name:
            how = "--row-names none (row_names='') keeps it"
            label = "" if name.startswith("__index_level_") or name == "column 1" else name
            shown = f"column {label!r}" if label else "the column without a name"
            notes = (Note(f"{shown} is left out: it names the rows; {how}"),)
    if not name or len(names) == 1:
        return None, None, table, ()
    parts = [table.column(one).to_pylist() for one in out or [name]]
    words = tuple(" ".join(map(str, row)) for row in zip(*parts, strict=True))
    return label, words, table.drop_columns(out or [name]), notes


def _index_of(table: Any, names: list[str]) -> list[str]:
    """The columns that pandas wrote its index to, as the metadata of the table and names say."""
    try:
        written = json.loads((table.schema.metadata or {})[b"pandas"])["index_columns"]
    except (ValueError, KeyError, TypeError):
        written = []
    told = [name for name in written if isinstance(name, str) and name in names]
    return told or [name for name in names if name.startswith("__index_level_")]


def _names_rows(table: Any, name: str, first: bool, decimal: str) -> bool:
    """Whether a column numbers the rows under a name for that, or holds words that never repeat."""
    import pyarrow as pa

    column = table.column(name)
    text = _is_text(column.type)
    if column.null_count or table.num_rows < 3:
        return False
    if not text and not pa.types.is_integer(column.type):
        return False
    if not text and name.strip().lower() not in NUMBERING and name != "column 1":
        return False
    if len(column.unique()) < table.num_rows:
        return False
    if not text and name == "column 1":  # its name is empty: numbers there may be data
        return first and bool((np.diff(np.asarray(column).astype(float)) == 1).all())
    return not text or tell(column, name, decimal=decimal).categories is not None


def _taken(column: Any, name: str, decimal: str, options: Reading) -> Taken | str:
    """A column's cells; or why it is left out."""
    import pyarrow as pa

    kind, how, types = column.type, options.how(name), pa.types
    codes = options.codes(name)
    if types.is_dictionary(kind) and not _is_text(kind.value_type):
        column = column.cast(kind.value_type)
        kind = column.type
    if types.is_null(kind):
        return Taken(name, Told(np.full(len(column), np.nan)))
    if types.is_boolean(kind):
        values = np.asarray(column.cast(pa.int8()).cast(pa.float64()))
        return Taken(name, Told(values, ("False", "True")))
    if types.is_dictionary(kind):
        column = column.unify_dictionaries()
    elif _is_text(kind) or (how == "words or numbers" and types.is_integer(kind)):
        column = column.cast(pa.large_string())
    if _is_text(column.type):
        found = tell(column, name, decimal=decimal, how=how, codes=codes)
        if found.categories is None:
            return Taken(name, found)
        most = len(column) / 2 if len(column) >= FEW_ROWS else MOST_WORDS
        if how is None and len(found.categories) > min(MOST_WORDS, most):
            return "hardly any of their words comes twice (--kinds COLUMN=categorical keeps one)"
        return Taken(name, found)
    days, way = _days(column)
    if days is not None:
        note = Note(f"dates of {name!r}, written {way}, are read as days since 1970")
        return Taken(name, Told(days, dates=way, notes=(note,)))
    if not (types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)):
        return f"{kind} is neither a number nor a word"
    values = np.asarray(column.cast(pa.float64(), safe=False))
    if codes:
        values = np.where(np.isin(values, [_number(code) for code in codes]), np.nan, values)
    narrow = types.is_float16(kind) or types.is_float32(kind)
    return Taken(name, Told(values), types.is_integer(kind), narrow)


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return value in (pa.string(), pa.large_string(), pa.string_view())


def _days(column: Any) -> tuple[np.ndarray | None, str | None]:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_date(kind):
        days = np.asarray(column.cast(pa.date32()).cast(pa.int32()).cast(pa.float64()))
        return days, "%Y-%m-%d"
    if pa.types.is_timestamp(kind):
        moments = column.cast(pa.timestamp("us", kind.tz)).cast(pa.int64()).cast(pa.float64())
        days = np.asarray(moments) / (DAY * 1e6)
        whole = (np.isnan(days) | (days == np.round(days))).all()
        return days, "%Y-%m-%d" if whole else "%Y-%m-%d %H:%M:%S"
    return None, None


def _number(code: str) -> float:
    try:
        return float(code)
    except ValueError:
        raise DataError(f"the code {code!r} is no number, but its column holds numbers") from None
