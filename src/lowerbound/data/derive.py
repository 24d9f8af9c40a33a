"""Columns that follow from others: found before training, worked out again on output.

Cells are independent given z, so a VAE breaks a pair of columns that says one thing twice. A column
B is taken out where every value of a column A has one B (H(B|A) = 0), where B = w A + b, or where
B is the sum or difference of two others.
"""

from dataclasses import replace
from itertools import combinations

import numpy as np

from lowerbound.data.field import Derived, Field
from lowerbound.data.schema import Schema

#: Values that a column has at most if others are looked up by it.
MOST_KEYS = 1000
#: The share of rows that may break a rule, and the share of the rows without B's usual value.
MOST_BROKEN, MOST_RARE = 0.001, 0.01
#: A rule that chance would give with a probability above exp(-SURE) is none.
SURE = 30.0
#: Numbers beyond this have no squares.
LARGEST = 1e150
#: Tables of more columns, or fewer rows, are not searched; rows that rules are first tried on.
MOST_COLUMNS, FEWEST_ROWS, TRIED = 200, 50, 2000
#: Among so many columns of numbers sums are looked for.
MOST_ADDENDS = 40
#: Distinct values of a column, nan last, and the place of each cell among them.
Codes = tuple[np.ndarray, np.ndarray] | None
NUMBERS = ("count", "whole", "real", "positive", "bounded")


def find_derived(
    fields: tuple[Field, ...], values: np.ndarray, positions: tuple[int, ...]
) -> tuple[Derived, ...]:
    """Find the columns that follow from others.

    Args:
        fields: The columns that could be modelled.
        values: Their cells as stored, `(N, D)`, nan where unknown.
        positions: Of the columns, among all.

    Returns:
        The columns to be left out, by position; what they follow from is not among them.
    """
    if len(values) < FEWEST_ROWS or not 2 <= len(fields) <= MOST_COLUMNS:
        return ()
    found: dict[int, Derived] = {}
    needed: set[int] = set()
    codes = [_codes(values[:, j]) for j in range(len(fields))]
    for b in range(len(fields)):
        if b in needed:
            continue
        others = set(range(len(fields))) - {b, *found}
        for a in sorted(others, key=lambda j: (-_count(codes[j]), j)):
            rule = _rule(fields, values, codes, a, b)
            # of two that say the same the first one stays
            if rule is not None and not (b < a and _rule(fields, values, codes, b, a)):
                found[b] = replace(rule, position=positions[b])
                needed.add(a)
                break
    for b, of, weights in _sums(fields, values, set(found), needed):
        found[b] = Derived(_plain(fields[b]), positions[b], of, weights=weights)
    return tuple(sorted(found.values(), key=lambda one: one.position))


def work_out(
    column: Derived, x: np.ndarray, observed: np.ndarray | None, schema: Schema
) -> np.ndarray:
    """Work out the cells of a column as they would be stored, float64 `(N,)`; nan for gaps."""
    parts = []
    for name in column.of:
        field = next(one for one in schema.modelled if one.name == name)
        place = schema.columns_of(field).start
        cells = x[:, place].astype(np.float64)
        if field.kind in NUMBERS:  # as they are written
            digits = 0 if field.whole else field.decimals
            cells = cells if digits is None else np.round(cells, digits)
        parts.append(cells if observed is None else np.where(observed[:, place], cells, np.nan))
    if column.weights:
        total = sum(w * cells for w, cells in zip(column.weights, parts, strict=True))
        return np.asarray(total) + column.offset
    keys = np.array([np.nan if key is None else key for key in column.keys])
    values = np.array([np.nan if value is None else value for value in column.values])
    (cells,) = parts
    gap = values[np.isnan(keys)] if np.isnan(keys).any() else np.array([np.nan])
    known = ~np.isnan(keys)
    keys, values = keys[known], values[known]
    if not len(keys):
        return np.full(len(cells), gap[0])
    middle = (keys[1:] + keys[:-1]) / 2  # the nearest key, for means between them
    near = values[np.searchsorted(middle, np.nan_to_num(cells))]
    return np.where(np.isnan(cells), gap[0], near)


def _codes(values: np.ndarray) -> Codes:
    """Number the values of a column; None where there is one alone, or too many."""
    if len(np.unique(values[:TRIED])) > MOST_KEYS:
        return None
    keys, places = np.unique(values, return_inverse=True)
    return (keys, places) if 2 <= len(keys) <= MOST_KEYS else None


def _count(codes: Codes) -> int:
    """How many values a column has; more than can be looked up where there are many."""
    return MOST_KEYS + 1 if codes is None else len(codes[0])


def _rule(
    fields: tuple[Field, ...], values: np.ndarray, codes: list[Codes], a: int, b: int
) -> Derived | None:
    return _linear(fields, values, a, b) or _looked_up(fields, codes, a, b)


def _looked_up(fields: tuple[Field, ...], codes: list[Codes], a: int, b: int) -> Derived | None:
    """The rule that B is looked up by A, if it holds and is no accident."""
    first, second = codes[a], codes[b]
    if first is None or second is None or len(first[0]) < len(second[0]):
        return None
    for rows in (slice(0, TRIED), slice(None)):
        (keys, i), (others, j) = (first[0], first[1][rows]), (second[0], second[1][rows])
        table = np.bincount(i * len(others) + j, minlength=len(keys) * len(others))
        table = table.reshape(len(keys), len(others))
        count, usual = len(i), int(table.sum(axis=0).max())
        broken = count - int(table.max(axis=1).sum())
        if broken > MOST_BROKEN * count or broken > MOST_RARE * (count - usual):
            return None
    shares = np.bincount(j) / len(j)
    again = int((table.sum(axis=1) - 1).clip(min=0).sum())
    if -again * np.log(np.sum(shares**2)) < SURE or again < 0.5 * len(j):
        return None
    values = others[table.argmax(axis=1)]
    return Derived(
        _plain(fields[b]),
        0,
        (fields[a].name,),
        tuple(None if np.isnan(key) else float(key) for key in keys),
        tuple(None if np.isnan(value) else float(value) for value in values),
    )


def _linear(fields: tuple[Field, ...], values: np.ndarray, a: int, b: int) -> Derived | None:
    """The rule B = w A + offset, to the decimals of B."""
    if fields[a].kind not in NUMBERS or fields[b].kind not in NUMBERS:
        return None
    x, y = values[:, a], values[:, b]
    if max(_size(x), _size(y)) > LARGEST:
        return None
    some = np.flatnonzero(np.isfinite(x[:TRIED]) & np.isfinite(y[:TRIED]))
    if len(some) < FEWEST_ROWS:
        return None
    low, high = some[x[some].argmin()], some[x[some].argmax()]
    if x[low] == x[high] or len(np.unique(x[some])) < 5 or len(np.unique(y[some])) < 5:
        return None
    rough = (y[high] - y[low]) / (x[high] - x[low])
    most = 2 * slack(fields[b], y[some]) + 0.01 * np.ptp(y[some])
    if np.abs(y[some] - y[low] - rough * (x[some] - x[low])).max() > most:
        return None
    both = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    w = np.polyfit(x[both] - x[both].mean(), y[both], 1)[0]
    for digits in (2, 3, 4, 5, 6, 9):  # 1.8 C + 32, not 1.79963 C + 32.004
        slope = float(f"{w:.{digits}g}")
        shift = float(f"{np.median(y[both] - slope * x[both]):.{digits}g}")
        shift = 0.0 if abs(shift) < slack(fields[b], y[both]) else shift
        if _holds(y, slope * x + shift, slack(fields[b], y[both])):
            return Derived(_plain(fields[b]), 0, (fields[a].name,), weights=(slope,), offset=shift)
    return None


def _sums(
    fields: tuple[Field, ...], values: np.ndarray, out: set[int], needed: set[int]
) -> list[tuple[int, tuple[str, ...], tuple[float, ...]]]:
    """Columns that are the sum or difference of two others, and these."""
    numeric = [j for j, field in enumerate(fields) if field.kind in NUMBERS and j not in out]
    varied = [j for j in numeric if len(np.unique(values[:TRIED, j])) >= 5]
    if not 3 <= len(varied) <= MOST_ADDENDS:
        return []
    found, kept, few = [], set(needed), values[:20]
    # a sum is named last, or is called total: it is the one to leave out
    for c in sorted(varied, key=lambda j: (fields[j].name.lower() not in TOTALS, -j)):
        if c in kept or c in out:
            continue
        most = slack(fields[c], values[np.isfinite(values[:, c]), c])
        others = [j for j in varied if j != c and j not in out]
        for a, b in combinations(others, 2):
            for weights in ((1.0, 1.0), (1.0, -1.0), (-1.0, 1.0)):
                apart = weights[0] * few[:, a] + weights[1] * few[:, b] - few[:, c]
                if (np.abs(apart) > most).any():  # nan is not
                    continue
                guess = weights[0] * values[:, a] + weights[1] * values[:, b]
                if _holds(values[:, c], guess, most):
                    found.append((c, (fields[a].name, fields[b].name), weights))
                    kept |= {a, b}
                    out.add(c)
                    break
            if c in out:
                break
    return found


TOTALS = ("total", "sum", "net", "gross", "all", "amount")


def _holds(y: np.ndarray, guess: np.ndarray, most: float) -> bool:
    """Whether nearly all cells are as guessed."""
    return int(breaking(y, guess, most).sum()) <= MOST_BROKEN * len(y)


def breaking(y: np.ndarray, guess: np.ndarray, most: float) -> np.ndarray:
    """Tell which cells are other than guessed, their gaps included, `(N,)`."""
    known, guessed = np.isfinite(y), np.isfinite(guess)
    with np.errstate(invalid="ignore"):
        return (known != guessed) | (known & (np.abs(y - guess) > most))


def _size(y: np.ndarray) -> float:
    """The largest absolute number of a column."""
    return float(np.max(np.abs(y), where=np.isfinite(y), initial=0.0))


def slack(field: Field, y: np.ndarray) -> float:
    """How far a cell may lie from a rule: half of its last digit, and the error of rounding."""
    digits = 0 if field.whole else field.decimals
    known = y[np.isfinite(y)]
    # of numbers far from 0 that are near each other the spread says how large they are
    size = 1e-9 * float(np.ptp(known)) + 1e-15 * _size(y) if len(known) else 0.0
    return size if digits is None else 0.5000001 * 10.0**-digits + size


def _plain(field: Field) -> Field:
    return replace(field, missing=False, mean=None, scale=None)
