"""Columns of text that hold numbers, dates or words, told apart over all of their cells."""

import math
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from lowerbound.data.notes import Note

MISSING = frozenset(
    ("", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "nat", "null", "none", "?", "-", ".")
)
MISSPELT = 3
"""So many different words among numbers are gaps; more are words of their own."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
ENDLESS = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
SIGNS = re.compile(r"^[€$£¥]\s?|\s?[%€$£¥]$")
DATE = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}")
DATES = tuple(
    day + time
    for day in ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%y")
    for time in ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S")
)
EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Told:
    """Cells of one column.

    Args:
        values: Float64 `(N,)`: numbers, days since 1970, or codes of words; nan where unknown.
        categories: The words that the codes stand for; None for numbers.
        dates: How they are written, as in "%d.%m.%Y"; None for what are no dates.
        notes: What was decided.
    """

    values: np.ndarray
    categories: tuple[str, ...] | None = None
    dates: str | None = None
    notes: tuple[Note, ...] = ()


def tell(
    column: Any,
    name: str,
    *,
    decimal: str = ".",
    how: str | None = None,
    codes: tuple[str, ...] = (),
) -> Told:
    """Decide what the text of a column is, over all of its cells.

    Numbers may have thousands separators, decimal commas, percent or currency signs; a few other
    words among them are gaps. Dates are written in one way.

    Args:
        column: A column of pyarrow, of strings or a dictionary of them.
        name: What messages call it.
        decimal: "." or ",".
        how: How its cells are written, where that is known: see `Written`.
        codes: Words that stand for a gap.
    """
    whole = column.combine_chunks() if hasattr(column, "chunks") else column
    coded = whole if hasattr(whole, "indices") else whole.dictionary_encode()
    words = [str(word).strip() if word is not None else "" for word in coded.dictionary.to_pylist()]
    place = np.asarray(coded.indices.fill_null(len(words))).astype(np.int64)
    counts = Counter[str]()
    for word, count in zip(words, np.bincount(place, minlength=len(words)).tolist(), strict=False):
        if count and word.lower() not in MISSING and word not in codes:
            counts[word] += count
    found, notes = None, ()
    dates = how if how is not None and "%" in how else None
    if counts and how in (None, "numbers"):
        found, notes = _numbers(counts, name, decimal, told=how is not None)
    if counts and found is None and how not in ("words", "words or numbers"):
        found, notes, dates = _dates(counts, name, dates)
    categories = None
    if found is None:
        categories = tuple(sorted(counts))
        found = {word: float(code) for code, word in enumerate(categories)}
    values = np.array([found.get(word, math.nan) for word in words] + [math.nan])
    return Told(values[place], categories, dates, notes)


def _numbers(
    counts: Counter[str], name: str, decimal: str, *, told: bool
) -> tuple[dict[str, float] | None, tuple[Note, ...]]:
    found: dict[str, float] = {}
    odd, signs, grouped = [], set(), False
    for word in counts:
        bare = SIGNS.sub("", word)
        if decimal == ",":
            bare = bare.translate(str.maketrans(",.", ".,"))
        if GROUPED.fullmatch(bare):
            bare, grouped = bare.replace(",", ""), True
        if NUMBER.fullmatch(bare):
            found[word] = float(bare)
            signs |= set(word) & set("%€$£¥")
        elif ENDLESS.fullmatch(bare):
            found[word] = math.inf
        else:
            odd.append(word)
        if len(odd) > MISSPELT and not told:
            return None, ()
    few = sum(counts[word] for word in odd) <= 0.1 * counts.total()
    if not found or not (told or few):
        return None, ()
    notes = _gaps(odd, counts, name, "number")
    if signs:
        notes.append(Note(f"{' and '.join(sorted(signs))} signs of {name!r} were dropped"))
    if grouped:
        separator = "," if decimal == "." else "."
        notes.append(Note(f"thousands separators ({separator}) of {name!r} were dropped"))
    return found, tuple(notes)


def _dates(
    counts: Counter[str], name: str, told: str | None
) -> tuple[dict[str, float] | None, tuple[Note, ...], str | None]:
    if told is not None:
        found = {word: days for word in counts if (days := _day(word, told)) is not None}
        odd = [word for word in counts if word not in found]
        return found, tuple(_gaps(odd, counts, name, f"date written {told}")), told
    fitting: dict[str, dict[str, float]] = {}
    for way in DATES if all(DATE.match(word) for word in counts) else ():
        found = {}
        for word in counts:
            days = _day(word, way)
            if days is None:
                break
            found[word] = days
        else:
            fitting[way] = found
    if not fitting:
        return None, (), None
    way = next(iter(fitting))
    other = f"; they may also be {' or '.join(list(fitting)[1:])}" if len(fitting) > 1 else ""
    note = Note(f"dates of {name!r}, written {way}, are read as days since 1970{other}")
    return fitting[way], (note,), way


def _day(word: str, way: str) -> float | None:
    try:
        return (datetime.strptime(word, way) - EPOCH) / timedelta(days=1)
    except ValueError:
        return None


def _gaps(odd: list[str], counts: Counter[str], name: str, what: str) -> list[Note]:
    if not odd:
        return []
    shown = ", ".join(repr(word[:20]) for word in odd[:MISSPELT])
    text = f"cells of {name!r} read as gaps, for they hold no {what}: {shown}"
    return [Note(text, sum(counts[word] for word in odd))]
