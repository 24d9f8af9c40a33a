"""Numbers that may be codes for missing cells, and rows that lie far outside the others."""

import re

import numpy as np

from lowerbound.data.moments import unit_of, written
from lowerbound.data.notes import Note
from lowerbound.data.raw import Raw

FAR, REPEATED = 10, 3
"""A code lies ten times the range of the other cells away from them; one time if it repeats."""

EXTREME = 10_000
"""An extreme cell lies so many times the spread of its column away from its median."""

CODE = re.compile(r"-?(9{2,}(\.9+)?|8{3,}|7{3,}|1)")
NUMBER = re.compile(r"-?[0-9.]+(e[+-]?[0-9]+)?")
LOOKED_AT = 2000


def suspects(raw: Raw) -> tuple[Note, ...]:
    """Name what looks like a code for missing cells, and rows that carry the means.

    A suspected code is the largest or least number of a column that lies far outside all others:
    written like a code (9999, -99), or repeated. A row is extreme where a cell lies ten thousand
    spreads from its column's median and is not such a code. Tables and vectors are looked at,
    images and series are not.
    """
    if len(raw.rows.shape) != 1 or raw.rows.dtype.kind != "f" or len(raw) < 10:
        return ()
    values, columns = raw.rows.read(0, len(raw)).values, raw.table
    codes: list[str] = []
    rows: set[int] = set()
    for j in _candidates(values):
        column = values[:, j]
        name = f"column {j + 1}" if columns is None else columns[j].name
        if columns is not None and columns[j].categories is not None:
            continue
        known = np.isfinite(column)
        middle, spread = _spread(column[known])
        if not spread > 0:
            continue
        odd = known & (np.abs(column - middle) > EXTREME * spread)
        form = None if columns is None else columns[j].form
        for end in (column[known].min(), column[known].max()):
            code, rest = column == end, known & (column != end)
            if _is_code(float(end), int(code.sum()), column[rest]):
                shown = f"{end:g}"
                if form is not None:
                    shown = str(written(np.array([end]), form, unit_of(column[code], form))[0])
                codes.append(f"{name}={shown} in {int(code.sum()):,}")
                odd &= ~code
        rows |= set(np.flatnonzero(odd)[: len(values) // 10].tolist())
    notes = []
    if codes:
        some = codes[0].rpartition(" in ")[0]
        column, _, code = some.rpartition("=")
        quoted = code if NUMBER.fullmatch(code) else repr(code)
        how = f"--gaps {some} (gaps={{{column!r}: [{quoted}]}}) makes gaps of them"
        what = f"columns with what may be a code for missing cells; {how}"
        notes.append(Note(what, len(codes), tuple(codes)))
    if rows:
        shown = [str(raw.row_names[i] if raw.row_names else i + 1) for i in sorted(rows)]
        what = "rows far outside, over ten thousand spreads from a column's median"
        notes.append(Note(what, len(rows), tuple(shown)))
    return tuple(notes)


def _candidates(values: np.ndarray) -> list[int]:
    """Choose a few columns worth a closer look, by their ends and by some of the rows."""
    some = np.sort(values[:: -(-len(values) // LOOKED_AT)], axis=0)  # nan last
    last = np.maximum((~np.isnan(some)).sum(axis=0) - 1, 0)
    places = [(last * part).astype(int)[None] for part in (0.25, 0.5, 0.75)]
    low, middle, high = (np.take_along_axis(some, place, 0)[0] for place in places)
    least, most = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
    far = np.maximum(most - middle, middle - least) > EXTREME * (high - low)
    far &= high > low
    for end in (least, most):
        rest = np.where(some == end, np.nan, some)
        first, final = np.fmin.reduce(rest, axis=0), np.fmax.reduce(rest, axis=0)
        far |= np.maximum(first - end, end - final) > final - first
    return np.flatnonzero(far)[:LOOKED_AT].tolist()


def _is_code(end: float, count: int, rest: np.ndarray) -> bool:
    if len(rest) < 5:
        return False
    low, high = float(rest.min()), float(rest.max())
    gap = low - end if end < low else end - high
    written, repeated = CODE.fullmatch(f"{end:.12g}") is not None, count >= REPEATED
    far = (1 if written else FAR) if repeated else FAR
    return (written or repeated) and gap > far * (high - low) > 0


def _spread(known: np.ndarray) -> tuple[float, float]:
    """Find median and distance of the quartiles; of the others where most cells are alike."""
    if not len(known):
        return 0.0, 0.0
    some = known[:: max(1, len(known) // 100_000)]
    low, middle, high = np.quantile(some, (0.25, 0.5, 0.75))
    if low == high and (some != middle).sum() > 2:
        low, high = np.quantile(some[some != middle], (0.25, 0.75))
    return float(middle), float(high - low)
