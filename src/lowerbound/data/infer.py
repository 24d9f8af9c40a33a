"""From numbers to their meaning: the kind of the cells, and which columns say nothing.

Columns of a table are each of the kind that `lowerbound.data.guess` finds, or of the one that a
person says. For data without names one rule holds for all cells, the first that matches:

======================================  =======================================================
the source knows its levels             ordinal
all cells 0 or 1 (any dtype)            binary
images of bytes, only 0 and 255         binary
uint8                                   ordinal of 256 levels
other integers, images, 0..16           ordinal of max + 1 levels (the digits)
other integers, images, 0..255          ordinal of 256 levels
other integers from 0 on, no images     count
anything else                           real: float32 for images and narrow floats, else float64
======================================  =======================================================
"""

from dataclasses import dataclass, replace

import numpy as np

from lowerbound.data.advice import MOST_ORDINAL, advice, column_name, gap_notes, numbering
from lowerbound.data.facts import Facts
from lowerbound.data.field import Constant, Field
from lowerbound.data.guess import traits_of
from lowerbound.data.kinds import KINDS, LARGEST_COUNT, Precision, Seen
from lowerbound.data.moments import unit_of, written
from lowerbound.data.notes import Note
from lowerbound.data.raw import Column, Raw
from lowerbound.data.reading import Binarize
from lowerbound.data.schema import Schema
from lowerbound.errors import DataError, SettingError

#: Rows in memory, and rows on disk, that kinds are inferred from.
MANY, FEW = 500_000, 20_000


@dataclass(frozen=True)
class Told:
    """Infer the kind of all cells of data without names, or of a table as one."""

    kind: str
    levels: int | None
    threshold: float | None = None
    white: float | None = None
    notes: tuple[Note, ...] = ()


def infer(raw: Raw, facts: Facts, binarize: Binarize = False) -> tuple[Schema, tuple[Note, ...]]:
    """Decide what `raw` is; see above.

    Args:
        raw: The findings of a reader; its `reading` may say kinds of columns.
        facts: About all its rows.
        binarize: Make every cell 0 or 1, at half of its range, or "dynamic": by a draw.

    Returns:
        The schema, nothing measured yet, and what was decided.

    Raises:
        DataError: Cells cannot be binarised, or a column is not what it is said to be.
        SettingError: Cells are to be drawn and are 0 or 1 already.
    """
    if not facts.known.any():
        raise DataError(f"{raw.where} holds no known cell: all are empty")
    notes = gap_notes(facts, raw)
    table, shape = raw.table, raw.rows.shape
    fields, constants = [], ()
    kind, levels = kind_of(raw, facts)
    still = np.zeros(len(facts.low), bool)
    if table is not None or (len(shape) == 1 and kind in ("real", "count")):
        notes += numbering(facts, raw.names)
        still = facts.still if not facts.still.all() else still  # else the split says so
        constants, more = _constants(still, facts, table, raw.order)
        notes += more
    kept = np.flatnonzero(~still)
    if still.any():
        shape, facts = (len(kept),), facts.only(kept)
        table = None if table is None else tuple(table[j] for j in kept)
        kind, levels = kind_of(raw, facts)
    precision = precision_of(raw)
    if table is None or binarize:
        told = _binarized(raw, table, facts, binarize, Told(kind, levels))
        fields, notes = _one_field(raw, facts, shape, told), notes + told.notes
        if table is not None:
            fields = [replace(fields[0], name=column.name, shape=()) for column in table]
        elif not binarize:
            notes += advice(facts, raw.rows, told.kind, told.levels)
        threshold, white = told.threshold, told.white
    else:
        fields = _fields(raw, table, facts, kept)
        notes += _whole_notes(fields)
        threshold = white = None
    if white is None and len({field.kind for field in fields}) > 1:
        precision = "float64"
    left_out = raw.left_out if all(field.shape == () for field in fields) else ()
    return Schema(
        tuple(fields), shape, constants, threshold, precision, white, raw.reading, left_out
    ), notes


def kind_of(raw: Raw, facts: Facts) -> tuple[str, int | None]:
    """Tell the kind of all cells together, and their number of levels, by the table above."""
    dtype, image = raw.rows.dtype, len(raw.rows.shape) == 3
    low, high = facts.least, facts.most
    if raw.levels is not None or raw.kind is not None:
        return raw.kind or "ordinal", raw.levels
    if facts.bits:
        return "binary", 2
    if dtype == np.uint8:
        return ("binary", 2) if image and facts.extreme else ("ordinal", 256)
    if dtype.kind in "iu" and low >= 0:
        if image and high <= 255:
            return "ordinal", int(high) + 1 if high <= MOST_ORDINAL else 256
        if not image and high <= LARGEST_COUNT:
            return "count", None
    return "real", None


def half_of(levels: int | None, low: float, high: float, where: str) -> float:
    """Tell where binarising cuts: 127.5 for bytes, half of the levels, 0.5 for reals in [0, 1]."""
    if levels is not None:
        return (levels - 1) / 2
    if low < 0 or high > 1:
        raise DataError(
            f"cannot binarise {where}: reals must lie in [0, 1], got {low:g} to {high:g}; "
            "scale them first, or leave out --binarize"
        )
    return 0.5


def precision_of(raw: Raw) -> Precision:
    """Store images and narrow floats as float32, all other reals as float64."""
    dtype = raw.rows.dtype
    narrow = dtype.kind == "f" and dtype.itemsize <= 4
    return "float32" if narrow or len(raw.rows.shape) == 3 else "float64"


def check_limit(limit: int | None) -> None:
    """Raise a `SettingError` unless `limit` is None or at least 10."""
    if limit is not None and (isinstance(limit, bool) or limit < 10):
        raise SettingError(f"limit is at least 10 examples, got {limit}")


def _binarized(
    raw: Raw,
    table: tuple[Column, ...] | None,
    facts: Facts,
    binarize: Binarize,
    told: Told,
) -> Told:
    """Decide what cells are in the end, and say what was done to them."""
    notes: tuple[Note, ...] = ()
    if told.kind == "binary" and facts.most > 1:
        notes = (Note("every cell is 0 or 255: read as binary, 0 or 1"),)
    if not binarize:
        return replace(told, notes=notes)
    if any(column.categories is not None for column in table or ()):
        raise SettingError(f"{raw.where} has columns of words, which cannot be cut at half")
    if binarize == "dynamic":
        if told.kind == "binary":
            raise SettingError(
                f"{raw.where} holds only 0 and 1: there are no grey levels to draw them from; "
                "leave out binarize='dynamic' (--binarize-dynamic)"
            )
        white = 2 * half_of(told.levels, facts.least, facts.most, raw.where)
        words = f"drawn 0 or 1: a cell is 1 with chance grey level / {white:g}"
        return Told("binary", 2, white=white, notes=(Note(words),))
    if told.kind == "binary":
        return replace(told, notes=notes)
    cut = half_of(told.levels, facts.least, facts.most, raw.where)
    return Told("binary", 2, cut, notes=(Note(f"binarised: a cell above {cut:g} is 1"),))


def _one_field(raw: Raw, facts: Facts, shape: tuple[int, ...], told: Told) -> list[Field]:
    name = {"byte": "text", "note": "tune"}.get(told.kind, "image" if len(shape) == 3 else "x")
    whole = told.kind != "real" or raw.rows.dtype.kind in "iu"
    missing = bool(facts.gaps.any())
    return [Field(name, told.kind, shape, told.levels, missing=missing, whole=whole)]


def _fields(raw: Raw, columns: tuple[Column, ...], facts: Facts, kept: np.ndarray) -> list[Field]:
    """Make the field of each column of a table."""
    some = _some(raw)
    fields = []
    for j, column in enumerate(columns):
        cells = some[:, kept[j]]
        seen = facts.seen(j, column, cells[np.isfinite(cells)].astype(np.float64))
        told = raw.reading.kind(column.name)
        if raw.columns is None and told is None:  # names alone: an array
            told = _kind_of_array(seen)
        name, traits, reason = traits_of(seen, told, raw.where)
        missing = bool(facts.gaps[j])
        reason = reason if raw.columns is not None else ""
        fields.append(Field(column.name, name, missing=missing, reason=reason, **vars(traits)))
    return fields


def _kind_of_array(seen: Seen) -> str:
    order = ("binary", "count", "real") if seen.integer else ("binary", "real")
    return next(name for name in order if KINDS[name].infer(seen, False) is not None)


def _some(raw: Raw) -> np.ndarray:
    """All rows in memory, unless there are very many; some of those on disk; gaps are nan."""
    step = -(-len(raw) // (MANY if raw.rows.in_memory else FEW))
    block = raw.rows.take(np.arange(0, len(raw), step))
    values = block.values.astype(np.float64)
    return values if block.observed is None else np.where(block.observed, values, np.nan)


def _constants(
    still: np.ndarray,
    facts: Facts,
    table: tuple[Column, ...] | None,
    order: tuple[str, ...],
) -> tuple[tuple[Constant, ...], tuple[Note, ...]]:
    names = None if table is None else tuple(column.name for column in table)
    constants = []
    for place in np.flatnonzero(still).tolist():
        column = Column("") if table is None else table[place]
        number = float(facts.first[place])
        value: float | str | None = number
        if not facts.known[place]:
            value = None
        elif column.categories is not None:
            value = column.categories[int(number)]
        elif column.whole and number.is_integer():
            value = int(number)
        if column.form is not None and value is not None:
            unit = unit_of(np.array([number]), column.form)
            value = str(written(np.array([number]), column.form, unit)[0])
        name = column_name(names, place)
        position = order.index(name) if order else place
        constants.append(Constant(name, position, value, int(facts.known[place])))
    if not constants:
        return (), ()
    listed = tuple(f"{one.name} = {one.text}" for one in constants)
    return tuple(constants), (Note("columns left out: they never vary", len(listed), listed),)


def _whole_notes(fields: list[Field]) -> tuple[Note, ...]:
    names = tuple(field.name for field in fields if field.kind == "real" and field.whole)
    if not names:
        return ()
    what = "columns of whole numbers, modelled as real and rounded when written"
    return (Note(what, len(names), names),)
