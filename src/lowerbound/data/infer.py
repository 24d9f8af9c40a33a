"""From numbers to their meaning: the kind of the cells, and which columns say nothing.

The rules, first match wins:

======================================  =======================================================
all cells 0 or 1 (any dtype)            binary
uint8                                   ordinal of 256 levels; images of only 0 and 255 are binary
other integers, images, 0..16           ordinal of max + 1 levels (the digits)
other integers, images, 0..255          ordinal of 256 levels
anything else                           real: float32 for images and narrow floats, else float64
======================================  =======================================================
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lowerbound.data.advice import MOST_ORDINAL, advice, column_name, index_notes
from lowerbound.data.arrays import check_finite, layout
from lowerbound.data.grey import drawn_once
from lowerbound.data.kinds import Precision
from lowerbound.data.notes import Note
from lowerbound.data.raw import Raw
from lowerbound.data.schema import Constant
from lowerbound.errors import DataError, SettingError

#: Whether cells become 0 or 1: cut at half of their range, or drawn by it, anew in every epoch.
Binarize = bool | Literal["dynamic"]


@dataclass(frozen=True)
class Inferred:
    """All examples as stored, `(N, *shape)`, with the parts of a schema that need no split."""

    values: np.ndarray
    kind: str
    levels: int | None
    names: tuple[str, ...] | None
    constants: tuple[Constant, ...]
    threshold: float | None
    precision: Precision
    notes: tuple[Note, ...]
    grey: np.ndarray | None = None
    """What `values` were drawn from, as stored; None where they were not."""
    white: float | None = None


def infer(raw: Raw, *, binarize: Binarize, seed: int = 0) -> Inferred:
    """Decide what `raw` is; see the table above.

    Args:
        raw: What a reader found.
        binarize: Make every cell 0 or 1, at half of its range, or "dynamic": by a draw.
        seed: Of the draw.

    Raises:
        DataError: Cells are missing, or cannot be binarised.
        SettingError: Cells are to be drawn and are 0 or 1 already.
    """
    check_finite(raw.values, raw.where, raw.names)
    values, notes = (raw.values, ()) if raw.pictures else layout(raw.values, raw.where)
    constants: tuple[Constant, ...] = ()
    names = raw.names
    kind, levels = kind_of(values, raw.levels)
    if values.ndim == 2 and (names is not None or kind == "real"):
        notes += index_notes(values, names)
        values, names, constants, more = _drop_constants(values, names)
        notes += more
        kind, levels = kind_of(values, raw.levels)
        if names is not None and kind not in ("binary", "real"):
            kind, levels = "real", None
    if (kind, levels) == ("ordinal", 256) and values.ndim == 4 and _two_levels(values):
        values, kind, levels = values // 255, "binary", 2
        notes += (Note("every cell is 0 or 255: read as binary, 0 or 1"),)
    threshold = grey = white = None
    if binarize == "dynamic":
        if kind == "binary":
            raise SettingError(
                f"{raw.where} holds only 0 and 1: there are no grey levels to draw them from; "
                "leave out binarize='dynamic' (--binarize-dynamic)"
            )
        white = 2 * half(kind, levels, values, raw.where)
        grey = stored(values, levels, "float32", raw.where)
        values, kind, levels = drawn_once(grey, white, seed), "binary", 2
        notes += (Note(f"drawn 0 or 1: a cell is 1 with chance grey level / {white:g}"),)
    elif binarize and kind != "binary":
        threshold = half(kind, levels, values, raw.where)
        values, kind, levels = values > threshold, "binary", 2
        notes += (Note(f"binarised: a cell above {threshold:g} is 1"),)
    notes += advice(values, kind, names)
    precision = precision_of(values)
    return Inferred(
        stored(values, levels, precision, raw.where),
        kind,
        levels,
        names,
        constants,
        threshold,
        precision,
        notes,
        grey,
        white,
    )


def kind_of(values: np.ndarray, levels: int | None = None) -> tuple[str, int | None]:
    """The kind of cells and their number of levels, by the table above."""
    if levels is not None:
        return "ordinal", levels
    if only_bits(values):
        return "binary", 2
    if values.dtype.kind in "iu" and values.ndim == 4:
        return kind_from(values.dtype, values.ndim, values.min(), values.max())
    return kind_from(values.dtype, values.ndim)


def kind_from(
    dtype: np.dtype, axes: int, low: float = -1, high: float = -1
) -> tuple[str, int | None]:
    """The same of cells that are not all 0 or 1, from their type, axes and range."""
    if dtype == np.uint8:
        return "ordinal", 256
    if dtype.kind in "iu" and axes == 4 and 0 <= low <= high <= 255:
        return "ordinal", int(high) + 1 if high <= MOST_ORDINAL else 256
    return "real", None


def only_bits(values: np.ndarray) -> bool:
    """Whether every cell is 0 or 1."""
    if values.dtype.kind == "b":
        return True
    if values.dtype == np.uint8:
        return int(values.max()) <= 1
    return bool(((values == 0) | (values == 1)).all())


def half(kind: str, levels: int | None, values: np.ndarray, where: str) -> float:
    """Where binarising cuts: 127.5 for bytes, half of the levels, 0.5 for reals in [0, 1]."""
    return half_of(levels, values.min(), values.max(), where)


def half_of(levels: int | None, low: float, high: float, where: str) -> float:
    """The same from the number of levels or the range of the reals."""
    if levels is not None:
        return (levels - 1) / 2
    if low < 0 or high > 1:
        raise DataError(
            f"cannot binarise {where}: reals must lie in [0, 1], got {low:g} to {high:g}; "
            "scale them first, or leave out --binarize"
        )
    return 0.5


def precision_of(values: np.ndarray) -> Precision:
    """Images and narrow floats are stored as float32, all other reals as float64."""
    narrow = values.dtype.kind == "f" and values.dtype.itemsize <= 4
    return "float32" if narrow or values.ndim == 4 else "float64"


def stored(values: np.ndarray, levels: int | None, precision: Precision, where: str) -> np.ndarray:
    """The values in the dtype that the schema stores them in; refuses those that do not fit."""
    if levels is not None:
        return values.astype(np.uint8 if levels <= 256 else np.int32)
    with np.errstate(over="ignore"):
        wide = values.astype(precision, copy=False)
    if not np.isfinite(wide).all():
        raise DataError(
            f"{where} has values beyond {precision}, up to {np.abs(values).max():g}; rescale"
        )
    return wide


def _two_levels(values: np.ndarray) -> bool:
    return bool(((values == 0) | (values == 255)).all())


def _drop_constants(
    values: np.ndarray, names: tuple[str, ...] | None
) -> tuple[np.ndarray, tuple[str, ...] | None, tuple[Constant, ...], tuple[Note, ...]]:
    still = (values == values[0]).all(axis=0)
    if still.all() or not still.any():  # all rows identical: the split says so
        return values, names, (), ()
    kept, constants, note = constant_columns(still, values[0], names)
    return values[:, ~still], kept, constants, (note,)


def constant_columns(
    still: np.ndarray, first: np.ndarray, names: tuple[str, ...] | None
) -> tuple[tuple[str, ...] | None, tuple[Constant, ...], Note]:
    """Columns that are left out, `still` bool `(D,)`, and the names of those that are kept."""
    constants = tuple(
        Constant(column_name(names, int(place)), int(place), float(first[place]))
        for place in np.flatnonzero(still)
    )
    kept = (
        None if names is None else tuple(n for n, out in zip(names, still, strict=True) if not out)
    )
    listed = tuple(f"{column.name} = {column.value:g}" for column in constants)
    return kept, constants, Note("columns left out: they never vary", len(constants), listed)


def check_limit(limit: int | None) -> None:
    """Raise a `SettingError` unless `limit` is None or at least 10."""
    if limit is not None and (isinstance(limit, bool) or limit < 10):
        raise SettingError(f"limit is at least 10 examples, got {limit}")
