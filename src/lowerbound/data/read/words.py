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
        notes: What was decided.
    """

    values: np.ndarray
    categories: tuple[str, ...] | None = None
    notes: tuple[Note, ...] = ()


def tell(
    column: Any,
    name: str,
    *,
    decimal: str = ".",
    kind: str | None = None,
    codes: tuple[str, ...] = (),
) -> Told:
    """Decide what the text of a column is, over all of its cells.

    Numbers may have thousands separators, decimal commas, percent or currency signs; a few other
    words among them are gaps. Dates are written in one way.

    Args:
        column: A column of pyarrow, of strings or a dictionary of them.
        name: What messages call it.
        decimal: "." or ",".
        kind: What a person says it is; words stay words where that is "categorical".
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
    if counts and kind != "categorical":
        found, notes = _numbers(counts, name, decimal, kind)
        if found is None:
            found, notes = _dates(list(counts), name)
    categories = None
    if found is None:
        categories = tuple(sorted(counts))
        found = {word: float(code) for code, word in enumerate(categories)}
    values = np.array([found.get(word, math.nan) for word in words] + [math.nan])
    return Told(values[place], categories, notes)


def _numbers(
    counts: Counter[str], name: str, decimal: str, kind: str | None
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
        if len(odd) > MISSPELT and kind is None:
            return None, ()
    gaps = sum(counts[word] for word in odd)
    if not found or (gaps > 0.1 * counts.total() and kind is None):
        return None, ()
    notes = []
    if odd:
        shown = ", ".join(repr(word[:20]) for word in odd[:MISSPELT])
        notes.append(
            Note(f"cells of {name!r} read as gaps, for they hold no number: {shown}", gaps)
        )
    if signs:
        notes.append(Note(f"{' and '.join(sorted(signs))} signs of {name!r} were dropped"))
    if grouped:
        separator = "," if decimal == "." else "."
        notes.append(Note(f"thousands separators ({separator}) of {name!r} were dropped"))
    return found, tuple(notes)


def _dates(words: list[str], name: str) -> tuple[dict[str, float] | None, tuple[Note, ...]]:
    if not all(DATE.match(word) for word in words):
        return None, ()
    fitting = {way: days for way in DATES if (days := _days(words, way)) is not None}
    if not fitting:
        return None, ()
    way = next(iter(fitting))
    other = f"; they may also be {' or '.join(list(fitting)[1:])}" if len(fitting) > 1 else ""
    note = Note(f"dates of {name!r}, written {way}, are read as days since 1970{other}")
    return fitting[way], (note,)


def _days(words: list[str], way: str) -> dict[str, float] | None:
    try:
        return {w: (datetime.strptime(w, way) - EPOCH) / timedelta(days=1) for w in words}
    except ValueError:
        return None
