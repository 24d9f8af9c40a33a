"""Tables of pyarrow as numbers, codes of words, and a mask of their gaps."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from lowerbound.data.field import LeftOut
from lowerbound.data.guess import words_of
from lowerbound.data.ids import id_of
from lowerbound.data.moments import EPOCHS, UNITS, counted, counted_form
from lowerbound.data.notes import Note
from lowerbound.data.raw import Column, Raw, refuse_oversize
from lowerbound.data.read.words import Told, tell
from lowerbound.data.reading import LEFT_OUT, Gap, Reading, Said, Written
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError, UnknownNameError

MOST_WORDS = 1000
MOST_DECIMALS = 6
FEW_ROWS, FEW_IDS = 20, 50
LONG, MANY = 30, 5
"""Of free text: characters, or words, of a cell on average."""
IDS = ("id", "key", "uuid", "guid", "no", "nr", "number")
NUMBERING = ("", "unnamed: 0", "index", "id", "row", "rownames", "row_names", "__index_level_0__")


@dataclass(frozen=True)
class Taken:
    """One column, read."""

    name: str
    told: Told
    integer: bool = False
    narrow: bool = False
    decimals: int | None = None
    declared: str | None = None


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

    Numbers are numbers; words become codes; dates and times become microseconds; empty cells, NaN,
    infinities and the codes that a person names are gaps. A column that only names or numbers
    the rows becomes their names; ids, free text, and columns of lists are left out. All of it is
    said.

    Args:
        table: Of pyarrow.
        where: The name in messages.
        options: Options that a person gave.
        decimal: "." or ",": how numbers in words are written.
        named: Whether its columns have names of their own.
        notes: Decisions so far.

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
    label, row_names, out, more = _row_names(table, names, options, decimal if named else None)
    notes += more
    taken: list[Taken] = []
    left: list[LeftOut] = []
    for place, (name, column) in enumerate(zip(names, table.columns, strict=True)):
        if name in out:
            why = "it names the rows"
            left.append(id_of(column, name, place, why) if named else LeftOut(name, place, "skip"))
            continue
        found = _taken(column, name, decimal, options, named=named)
        if isinstance(found, Taken):
            taken.append(found)
            notes += found.told.notes
        else:
            kind, why = found
            fits = id_of(column, name, place, why) if kind == "id" else None
            left.append(fits or LeftOut(name, place, kind, why))
    notes += _left_notes([one for one in left if one.name not in out])
    if not taken:
        told = "; ".join(str(note) for note in notes)
        raise DataError(f"{where} has no columns to model: {told}")
    dtype = np.float32 if all(one.narrow for one in taken) else np.float64
    values = np.empty((table.num_rows, len(taken)), dtype)
    for place, one in enumerate(taken):
        values[:, place] = one.told.values
    names_taken = [one.name for one in taken]
    dates = {one.name: Written(one.name, one.told.form) for one in taken if one.told.form}
    written = {one.column: one for one in options.written}
    gaps = options.gaps
    if not options.recorded:  # what stood for a gap in training does so later, however often
        gaps += tuple(Gap(one.name, one.told.gaps) for one in taken if one.told.gaps)
    said = {one.name: Said(one.name, one.kind) for one in left if one.name not in out}
    said |= {one.column: one for one in options.columns}
    named = named or any(one.told.categories is not None or one.told.form for one in taken)
    return Raw(
        where,
        ArrayRows(values),
        names=tuple(names_taken) if named else None,
        columns=tuple(_column(one) for one in taken) if named else None,
        row_names=row_names,
        row_label=label,
        notes=notes + gap_notes(values, names_taken),
        reading=replace(
            options,
            row_names=label or options.row_names,
            gaps=gaps,
            written=tuple({**written, **dates}.values()),
            columns=tuple(said.values()),
        ),
        order=tuple(names) if named else (),
        left_out=tuple(left) if named else (),
    )


def _left_notes(left: list[LeftOut]) -> tuple[Note, ...]:
    """Say which columns are left out, and why; those that a person leaves out need no word."""
    reasons: dict[str, list[str]] = {}
    for one in left:
        if one.reason:
            reasons.setdefault(f"{one.kind}: {one.reason}", []).append(one.name)
    notes = []
    for why, names in reasons.items():
        remedy = f"; FILE#{names[0]} reads texts" if why.startswith("text: ") else ""
        notes.append(Note(f"columns left out, {why}{remedy}", len(names), tuple(names)))
    return tuple(notes)


def gap_notes(values: np.ndarray, names: Sequence[str]) -> tuple[Note, ...]:
    """Make endless numbers `(N, D)` nan, in place, and say how many cells are unknown."""
    endless = np.isinf(values)
    counts = np.isnan(values).sum(axis=0)
    values[endless] = np.nan
    some = [f"{names[j]} {counts[j]:,}" for j in range(len(names)) if counts[j]]
    listed = ", ".join(some[:3]) + ", ..." * (len(some) > 3)
    notes = [Note(f"cells empty, read as gaps: {listed}", int(counts.sum()))] if some else []
    if endless.any():
        notes.append(Note("cells infinite, read as gaps", int(endless.sum())))
    return tuple(notes)


def _column(one: Taken) -> Column:
    values = one.told.values
    known = values[np.isfinite(values)]
    decimals = one.decimals
    if one.told.categories is None and not one.integer and len(known) and decimals is None:
        # by far most numbers were typed, rounded or measured with few digits, or with all of them
        for digits in range(MOST_DECIMALS + 1):
            if all((np.round(some, digits) == some).all() for some in (known[:1000], known)):
                decimals = digits
                break
    told = one.told
    return Column(one.name, told.categories, one.integer, decimals, told.form, one.declared)


def _check_names(names: list[str], options: Reading) -> None:
    wanted = [one.column for one in (*options.gaps, *options.columns)] + [options.row_names or "*"]
    for name in wanted:
        if name != "*" and name not in names:
            raise UnknownNameError("column", name, names)


def _row_names(
    table: Any, names: list[str], options: Reading, decimal: str | None
) -> tuple[str | None, tuple[str, ...] | None, list[str], tuple[Note, ...]]:
    """The column that names the rows: its name, its cells, and the columns it is made of."""
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
        return None, None, [], ()
    parts = [table.column(one).to_pylist() for one in out or [name]]
    words = tuple(" ".join(map(str, row)) for row in zip(*parts, strict=True))
    return label, words, out or [name], notes


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


def _taken(
    column: Any, name: str, decimal: str, options: Reading, *, named: bool
) -> Taken | tuple[Literal["id", "text", "skip"], str]:
    """A column's cells; or how and why it is left out."""
    import pyarrow as pa

    kind, how, types, told = column.type, options.how(name), pa.types, options.kind(name)
    if told in LEFT_OUT:
        return told, ""  # type: ignore[return-value]
    codes = options.codes(name)
    if types.is_dictionary(kind) and not _is_text(kind.value_type):
        column = column.cast(kind.value_type)
        kind = column.type
    if types.is_null(kind):
        return Taken(name, Told(np.full(len(column), np.nan)))
    if types.is_boolean(kind):
        values = np.asarray(column.cast(pa.int8()).cast(pa.float64()))
        return Taken(name, Told(values, ("False", "True")), declared="binary")
    declared = None
    if types.is_dictionary(kind):
        column = column.unify_dictionaries()
        declared = "ordinal" if kind.ordered else None
    elif _is_text(kind) or (how == "words or numbers" and types.is_integer(kind)):
        column = column.cast(pa.large_string())
    if _is_text(column.type):
        strict = options.recorded
        found = tell(column, name, decimal=decimal, how=how, codes=codes, strict=strict)
        if found.categories is None:
            return Taken(name, found, integer=found.integer)
        out = None if how is not None or declared else _unmodelled(found)
        return out or Taken(name, found, declared=declared)
    found = moments_of(column)
    if found is not None:
        return Taken(name, found, integer=True)
    if not (types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)):
        return "skip", f"{kind} is neither a number nor a word"
    values = np.asarray(column.cast(pa.float64(), safe=False))
    if codes:
        values = np.where(np.isin(values, [_number(code) for code in codes]), np.nan, values)
    if types.is_integer(kind) and named:
        known = values[np.isfinite(values)]
        form = how if how in (*EPOCHS, "%Y%m%d") else None
        if how is None and len(known):
            form = counted_form(name, known.min(), known.max(), known)
        if form is not None:
            return Taken(name, Told(counted(values, form), form=form), integer=True)
        if how is None and len(known) == len(values):
            why = _numbers_rows(known, name)
            if why:
                return "id", why
    narrow = types.is_float16(kind) or types.is_float32(kind)
    scale = kind.scale if types.is_decimal(kind) and 0 <= kind.scale <= 15 else None
    return Taken(name, Told(values), types.is_integer(kind), narrow, scale)


def _unmodelled(found: Told) -> tuple[Literal["id", "text"], str] | None:
    """How and why a column of words is left out; None for one of categories."""
    words = found.categories or ()
    known = int(np.isfinite(found.values).sum())
    if not words or known < FEW_ROWS:
        return ("text", "more words than rows can teach") if len(words) > MOST_WORDS else None
    length = sum(map(len, words)) / len(words)
    parts = sum(len(word.split()) for word in words) / len(words)
    long = (length > LONG and parts > 1.5) or parts > MANY
    if long and len(words) > 0.5 * known:
        return "text", f"{length:.0f} characters on average, hardly any twice"
    if len(words) >= 0.999 * known and known >= FEW_IDS:
        return "id", "every row has its own"
    if len(words) > 0.5 * known:
        return "text", "hardly any of their words comes twice (--column NAME=categorical keeps one)"
    return None


def _numbers_rows(values: np.ndarray, name: str) -> str | None:
    """Why whole numbers without gaps are ids; None if they are data."""
    if len(values) < FEW_IDS or len(np.unique(values)) < 0.999 * len(values):
        return None
    named = next((word for word in IDS if word in words_of(name)), None)
    if named is not None:
        return f"every row has its own number, and it is named {named}"
    return "every row has its own number, ascending" if (np.diff(values) > 0).all() else None


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return value in (pa.string(), pa.large_string(), pa.string_view())


def moments_of(column: Any) -> Told | None:
    """Return microseconds of a column whose type is of dates or times; None of another."""
    import pyarrow as pa

    kind, types = column.type, pa.types
    if types.is_date(kind):
        days = column.cast(pa.date32()).cast(pa.int32()).cast(pa.float64())
        return Told(np.asarray(days) * UNITS["day"], form="date")
    if types.is_timestamp(kind):
        form = f"timestamp {kind.tz}" if kind.tz else "timestamp"
        whole = column.cast(pa.timestamp("us", kind.tz), safe=False)
    elif types.is_time(kind):
        form, whole = "time", column.cast(pa.time64("us"), safe=False)
    elif types.is_duration(kind):
        form, whole = "duration", column.cast(pa.duration("us"), safe=False)
    else:
        return None
    return Told(np.asarray(whole.cast(pa.int64()).cast(pa.float64())), form=form)


def _number(code: str) -> float:
    try:
        return float(code)
    except ValueError:
        raise DataError(f"the code {code!r} is no number, but its column holds numbers") from None
