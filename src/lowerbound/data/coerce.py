"""New data made to fit a schema that a model was trained under."""

import math
from dataclasses import replace

import numpy as np
import torch

from lowerbound.data.advice import gap_notes
from lowerbound.data.condition import told_alike
from lowerbound.data.facts import Facts
from lowerbound.data.field import Constant, Field
from lowerbound.data.fitting import Fitting, Lookup
from lowerbound.data.infer import half_of, kind_of
from lowerbound.data.loading import load
from lowerbound.data.moments import UNITS
from lowerbound.data.notes import Note, Tally
from lowerbound.data.packed.examples import part_of
from lowerbound.data.raw import Column, Raw
from lowerbound.data.rows import blocks
from lowerbound.data.schema import Schema
from lowerbound.data.source import Source
from lowerbound.errors import DataError, SettingError, ShapeError


def coerce(
    raw: Raw, schema: Schema, *, binarize: bool = False, allow_missing: bool = False
) -> tuple[Source, tuple[Note, ...]]:
    """Take all examples of `raw`, in their order, as `schema` stores them.

    A word that training never saw is a gap; a column that never varied in training is left out
    again, and it is said where it now does.

    Args:
        raw: The findings of a reader.
        schema: Of the model that will get them.
        binarize: Cut at half of the range, for a binary schema; a schema of binarised data does
            so by itself, and one of data drawn from grey levels draws them, the same each time.
        allow_missing: Whether a column of the model that is not there is a column of gaps.

    Returns:
        The examples, in memory if `raw` is, and what was noticed.

    Raises:
        ShapeError: The examples have another shape.
        DataError: Values that the schema does not have, or columns that are missing.
    """
    if binarize and schema.kind != "binary":
        raise SettingError(
            f"--binarize is for a model of binary data; this one takes {schema.describe()}"
        )
    raw, facts, tally = told_alike(raw, schema), Facts.of(raw.rows), Tally()
    fitting, notes = match(raw, schema, facts, binarize=binarize, allow_missing=allow_missing)
    if raw.rows.in_memory:
        examples = load(raw, fitting, np.arange(len(raw)), tally)
        unseen = fitting.unseen(raw.rows.read(0, len(raw)))
        if unseen is not None:
            examples = replace(examples, unseen=torch.from_numpy(unseen))
    else:
        for _, block in blocks(raw.rows):  # refused before any work is done
            fitting(block, tally)
        examples = part_of(raw, fitting, facts)
    return examples, (*raw.notes, *gap_notes(facts, raw), *notes, *tally.notes())


def match(
    raw: Raw,
    schema: Schema,
    facts: Facts,
    *,
    binarize: bool = False,
    grey: bool = False,
    allow_missing: bool = False,
) -> tuple[Fitting, tuple[Note, ...]]:
    """Find out how rows of a source become those of a schema, a model's or its own.

    Args:
        raw: The source.
        schema: Of the rows to be made.
        facts: About all rows.
        binarize: Cut at half of the range, for a binary schema.
        grey: Keep the grey levels that others draw 0 and 1 from.
        allow_missing: Whether a column that is not there is a column of gaps.

    Raises:
        ShapeError: The examples have another shape.
        DataError: Columns are missing, or hold words where training had numbers.
    """
    if schema.is_sequence and raw.names is not None:
        what = "texts; give lines, or a column of it by FILE#COLUMN"
        if schema.is_tune:
            what = "tunes; give MIDI files or piano rolls"
        raise DataError(f"{raw.where} is a table, and the model takes {what}")
    columns, notes = _columns(raw, schema, allow_missing=allow_missing)
    table = raw.table
    found = [Column("")] * raw.rows.shape[0] if table is None else table
    lookups, constants = {}, {}
    if len(schema.shape) == 1:
        places = np.arange(raw.rows.shape[0]) if columns is None else columns
        for j, one in enumerate(schema.modelled if schema.is_table else ()):
            # gaps alone look like numbers, and need no codes
            there = places[j] >= 0 and bool(facts.known[places[j]])
            lookup = _lookup(found[places[j]], one, raw.where) if there else None
            if lookup is not None:
                lookups[j] = lookup
        constants = _constants(found, schema, named=table is not None)
    units = {
        j: UNITS[one.unit] for j, one in enumerate(schema.modelled) if one.unit and schema.is_table
    }
    rules = []
    for rule in schema.derived:
        place = next((i for i, one in enumerate(found) if one.name == rule.name), None)
        if place is not None and facts.known[place]:
            rules.append((rule, place, _lookup(found[place], rule.field, raw.where)))
    absent = columns is not None and bool((columns < 0).any())
    facts = facts.only(columns)
    cut, drawn, halved = None, None, False
    if not facts.bits and schema.kind == "binary" and not lookups:
        halved = facts.extreme  # black and white, as pictures store it
        cut, drawn = (None, None) if halved else _chance(raw, schema, facts, binarize)
    if schema.kind == "real" and raw.pictures and raw.rows.dtype == np.uint8:
        raise DataError(
            f"the model takes {schema.describe()}, and {raw.where} holds 8-bit pictures; "
            "give an array scaled as the training data were"
        )
    masked = absent or _beyond(schema, facts) or bool(facts.gaps.any())
    masked |= any(lookup.partial for lookup in lookups.values())
    fitting = Fitting(
        schema, raw.where, raw.rows.dtype, columns, lookups, units, constants, rules, halved, cut,
        drawn, grey, masked,
    )  # fmt: skip
    return fitting, notes


def _beyond(schema: Schema, facts: Facts) -> bool:
    """Whether a positive or bounded column has cells that it cannot hold."""
    ends = [one.bounds or (0.0, math.inf) if one.kind in ("positive", "bounded") else None
            for one in schema.modelled]  # fmt: skip
    return schema.is_table and any(
        end is not None and (facts.low[j] <= end[0] or facts.high[j] > end[1])
        for j, end in enumerate(ends)
    )


def _columns(
    raw: Raw, schema: Schema, *, allow_missing: bool
) -> tuple[np.ndarray | None, tuple[Note, ...]]:
    """Find the schema's columns among those found; None where these are the same."""
    table = raw.table
    if table is not None and schema.columns is not None:
        names = tuple(column.name for column in table)
        return _by_name(names, schema, raw.where, allow_missing=allow_missing)
    words = [column.name for column in table or () if column.categories is not None]
    if words:
        raise DataError(
            f"{raw.where} holds words in column {words[0]!r}; the model takes {schema.describe()}"
        )
    shape = raw.rows.shape
    width = schema.dimensions + len(schema.constants)
    if schema.constants and shape == (width,):
        out = [column.position for column in schema.constants]
        return np.setdiff1d(np.arange(width), out), ()
    if shape != schema.shape:
        raise ShapeError(_other_shape(shape, schema, raw.where))
    return None, ()


def _by_name(
    names: tuple[str, ...], schema: Schema, where: str, *, allow_missing: bool
) -> tuple[np.ndarray, tuple[Note, ...]]:
    """Find the schema's columns by their names, and note the others."""
    place = {name: i for i, name in enumerate(names)}
    wanted = [field.name for field in schema.modelled]
    absent = [name for name in wanted if name not in place]
    if absent and (not allow_missing or len(absent) == len(wanted)):
        listed = ", ".join(repr(name) for name in absent[:3]) + ", ..." * (len(absent) > 3)
        raise DataError(
            f"{where} lacks {len(absent)} of the model's {len(schema.columns or ())} columns: "
            f"{listed}; give the columns of the training data, or --allow-missing "
            "(allow_missing=True) takes them for gaps"
        )
    extra = tuple(name for name in names if name not in (schema.columns or ()))
    notes = (
        Note("columns ignored: the model has none of them", len(extra), extra),
        Note("columns missing, read as gaps", len(absent), tuple(absent)),
    )
    places = np.array([place.get(name, -1) for name in wanted])
    return places, tuple(note for note in notes if note.count)


def _lookup(column: Column, field: Field, where: str) -> Lookup | None:
    """Match the numbers of a column with the codes of a field; None where they are the same."""
    known = {word: code for code, word in enumerate(field.categories)}
    if column.categories is not None:
        if not field.categories:
            raise DataError(
                f"column {column.name!r} of {where} holds words such as "
                f"{column.categories[0][:40]!r} where training had numbers"
            )
        codes = np.array([known.get(word, -1) for word in column.categories], np.int64)
        same = len(codes) <= len(known) and (codes == np.arange(len(codes))).all()
        found = np.arange(len(codes), dtype=float)
        return None if same else Lookup(found, codes, partial=bool((codes < 0).any()))
    if not field.categories:
        return None
    try:
        numbers = np.array([float(word) for word in field.categories])
    except ValueError:
        raise DataError(
            f"column {field.name!r} of {where} holds numbers where training had words such as "
            f"{field.categories[0][:40]!r}"
        ) from None
    order = np.argsort(numbers)
    return Lookup(numbers[order], order, partial=True)


def _constants(
    found: tuple[Column, ...] | list[Column], schema: Schema, *, named: bool
) -> dict[int, tuple[Constant, float | None]]:
    """Find the columns that never varied in training, by their place among those found."""
    by_name = {column.name: i for i, column in enumerate(found)}
    whole = len(found) == schema.dimensions + len(schema.constants)
    constants = {}
    for one in schema.constants:
        place = one.position if whole else None
        if named and schema.is_table:
            place = by_name.get(one.name)
        if place is None:
            continue
        words, value = found[place].categories, one.value
        if isinstance(value, str):
            number = float(words.index(value)) if words and value in words else None
        else:
            number = None if words is not None or value is None else float(value)
        constants[place] = (one, number)
    return constants


def _chance(
    raw: Raw, schema: Schema, facts: Facts, binarize: bool
) -> tuple[float | None, float | None]:
    """Tell where cells that are not 0 or 1 are cut, or what they are drawn by."""
    white = schema.white if schema.white is not None else 2 * (schema.threshold or 0)
    if white:
        most = 255 if raw.pictures and raw.rows.dtype == np.uint8 else white
        if facts.least < 0 or facts.most > most:
            how = "drawn from grey levels" if schema.white else f"binarised at {white / 2:g} of"
            raise DataError(
                f"the model's data were {how} 0 to {white:g}, got {facts.least:g} to "
                f"{facts.most:g} in {raw.where}; scale them alike"
            )
        return (None, most) if schema.white is not None else (most / 2, None)
    if binarize:
        _, levels = kind_of(raw, facts)
        return half_of(levels, facts.least, facts.most, raw.where), None
    return None, None


def _other_shape(shape: tuple[int, ...], schema: Schema, where: str) -> str:
    got = f"{shape[0]} columns" if len(shape) == 1 else _by(shape)
    if len(schema.shape) > 1:
        wanted = f"{_by(schema.shape)} {'images' if schema.is_image else 'series'}"
    elif math.prod(shape) == schema.dimensions:
        return (
            f"the model takes vectors of {schema.dimensions}, got {got} images in {where}; reshape "
            f"them to (N, {schema.dimensions})"
        )
    else:
        wanted, width = f"{schema.dimensions} columns", schema.dimensions + len(schema.constants)
        wanted += f" (or {width} with those that never vary)" * bool(schema.constants)
    remedy = "give the columns of the training data"
    if schema.is_image:
        remedy = "resize or reshape them, or give picture files, which are resized"
    return f"the model takes {wanted}, got {got} in {where}; {remedy}"


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
