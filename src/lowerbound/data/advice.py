"""Advice to the owner of data on changes before training."""

import math

import numpy as np

from lowerbound.data.facts import Facts
from lowerbound.data.notes import Note
from lowerbound.data.raw import Raw
from lowerbound.data.rows import Rows

MOST_ORDINAL = 16
"""Integer images that end here or below are ordinal: these are levels, not bytes."""

EXACT = 2**53
"""Integers above this are rounded in float64."""

NUMBERING = ("", "unnamed: 0", "id", "index", "row", "column 1")


def column_name(names: tuple[str, ...] | None, place: int) -> str:
    """Call a column by its name; "column 1" for the first of those without names."""
    return f"column {place + 1}" if names is None else names[place]


def numbering(facts: Facts, names: tuple[str, ...] | None) -> tuple[Note, ...]:
    """Warn of a first column, of several, that only numbers the rows."""
    usual = names is None or names[0].strip().lower() in NUMBERING
    if not (usual and facts.counting and facts.count > 1 and len(facts.low) > 1):
        return ()
    name = column_name(names, 0)
    return (Note(f"the first column, {name!r}, only numbers the rows: drop it from the data"),)


def gap_notes(facts: Facts, raw: Raw) -> tuple[Note, ...]:
    """Count the gaps of rows on disk; a reader has counted those of rows in memory."""
    if raw.rows.in_memory:
        return ()
    cells = facts.count * math.prod(facts.shape)
    empty = cells - int(facts.known.sum()) - facts.endless
    notes = (
        Note("cells infinite, read as gaps", facts.endless),
        Note("cells empty (NaN or masked), read as gaps", empty),
    )
    return tuple(note for note in notes if note.count)


def advice(facts: Facts, rows: Rows, kind: str, levels: int | None) -> tuple[Note, ...]:
    """Say what looks odd in data of one kind without names."""
    if levels == 256 and rows.dtype == np.uint8 and facts.most <= MOST_ORDINAL:
        most = int(facts.most)
        return (Note(f"bytes end at {most}: for {most + 1} ordinal levels give int16 images"),)
    if kind != "real":
        return ()
    if len(rows.shape) == 3:
        return _image_advice(rows)
    return _column_advice(facts, rounded=rows.dtype.kind in "iu")


def _column_advice(facts: Facts, *, rounded: bool) -> tuple[Note, ...]:
    bits = facts.whole & (facts.low >= 0) & (facts.high <= 1)
    whole = facts.whole & ~bits
    notes = []
    for mask, looks in ((bits, "only 0 and 1"), (whole, "only whole numbers")):
        places = np.flatnonzero(mask) if facts.apart else []
        if len(places):
            listed = tuple(column_name(None, int(place)) for place in places[:4])
            what = f"columns of {looks}, modelled as real: their density has no upper limit"
            notes.append(Note(what, len(places), listed))
    if rounded and max(abs(facts.least), abs(facts.most)) > EXACT:
        notes.append(Note("integers above 2^53 were rounded to float64"))
    return tuple(notes)


def _image_advice(rows: Rows) -> tuple[Note, ...]:
    some = rows.read(0, min(len(rows), 1000)).values.astype(np.float64)
    if not (some.min() >= 0 and some.max() <= 255):
        return ()
    scale = 255 if some.max() <= 1 else 1
    if np.abs(some * scale - np.round(some * scale)).max() > 1e-4:
        return ()
    looks = "multiples of 1/255" if scale == 255 else "whole numbers from 0 to 255"
    how = "np.round(x * 255).astype('uint8')" if scale == 255 else "x.astype('uint8')"
    return (Note(f"images hold {looks}: give {how} for an exact discrete likelihood"),)
