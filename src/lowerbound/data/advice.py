"""What the owner of the data may want to change in them before training."""

import numpy as np

from lowerbound.data.notes import Note

MOST_ORDINAL = 16
"""Integer images that end here or below are ordinal: these are levels, not bytes."""

EXACT = 2**53
"""Integers above this are rounded in float64."""


def column_name(names: tuple[str, ...] | None, place: int) -> str:
    """A column's name; "column 1" for the first of those without names."""
    return f"column {place + 1}" if names is None else names[place]


def index_notes(values: np.ndarray, names: tuple[str, ...] | None) -> tuple[Note, ...]:
    """A warning when the first column only numbers the rows."""
    first = values[:, 0]
    count = np.arange(len(values))
    counts = bool((first == count).all() or (first == count + 1).all())
    return numbering(names, counts) if min(values.shape) >= 2 else ()


def numbering(names: tuple[str, ...] | None, counts: bool) -> tuple[Note, ...]:
    """The warning, if the first of several columns counts the rows and has no name of its own."""
    usual = names is None or names[0].strip().lower() in (
        "",
        "unnamed: 0",
        "id",
        "index",
        "row",
        "column 1",
    )
    if not usual or not counts:
        return ()
    name = column_name(names, 0)
    return (Note(f"the first column, {name!r}, only numbers the rows: drop it from the data"),)


def advice(values: np.ndarray, kind: str, names: tuple[str, ...] | None) -> tuple[Note, ...]:
    """What the owner may want to change in the data, now that their kind is known."""
    if values.dtype == np.uint8 and kind == "ordinal" and values.max() <= MOST_ORDINAL:
        most = int(values.max())
        return (few_bytes(most),)
    if kind != "real":
        return ()
    if values.ndim == 4:
        return image_advice(values)
    bits = ((values == 0) | (values == 1)).all(axis=0)
    with np.errstate(invalid="ignore"):
        whole = (values == np.round(values)).all(axis=0) & ~bits
    wide = values.dtype.kind in "iu" and np.abs(values.astype(float)).max() > EXACT
    return column_advice(bits, whole, names, rounded=bool(wide))


def few_bytes(most: int) -> Note:
    """What to say of bytes that end early."""
    return Note(f"bytes end at {most}: for {most + 1} ordinal levels give int16 images")


def column_advice(
    bits: np.ndarray, whole: np.ndarray, names: tuple[str, ...] | None, *, rounded: bool
) -> tuple[Note, ...]:
    """What to say of real columns that hold only 0 and 1, or only whole numbers, bool `(D,)`."""
    found = []
    for mask, looks in ((bits, "only 0 and 1"), (whole, "only whole numbers")):
        places = np.flatnonzero(mask)
        if len(places):
            listed = tuple(column_name(names, int(place)) for place in places[:4])
            what = f"columns of {looks}, modelled as real: their density has no upper limit"
            found.append(Note(what, len(places), listed))
    if rounded:
        found.append(Note("integers above 2^53 were rounded to float64"))
    return tuple(found)


def image_advice(values: np.ndarray) -> tuple[Note, ...]:
    """What to say of real images that look like bytes."""
    some = values[:1000].astype(np.float64)
    if some.min() < 0 or some.max() > 255:
        return ()
    scale = 255 if some.max() <= 1 else 1
    if np.abs(some * scale - np.round(some * scale)).max() > 1e-4:
        return ()
    looks = "multiples of 1/255" if scale == 255 else "whole numbers from 0 to 255"
    how = "np.round(x * 255).astype('uint8')" if scale == 255 else "x.astype('uint8')"
    return (Note(f"images hold {looks}: give {how} for an exact discrete likelihood"),)
