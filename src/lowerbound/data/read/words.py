"""Columns of text that hold numbers, dates or words, told apart over all of their cells."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from lowerbound.data.notes import Note

MISSING = frozenset(
    ("", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "nat", "null", "none", "?", "-", ".")
)  # fmt: skip
MISSPELT = 3
"""So many different words among numbers are gaps; more are words of their own."""

NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
INFINITE = r"^[+-]?inf(inity)?$"
GROUPED = {
    ".": (r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$", ","),
    ",": (r"^[+-]?\d{1,3}(\.\d{3})+(,\d*)?$", "."),
}
SIGNS = r"^[€$£¥]\s?|\s?[%€$£¥]$"
DATES = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%y", "%Y-%m-%d %H:%M",
         "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S",
         "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M")  # fmt: skip
EPOCH = np.datetime64("1970-01-01", "s")


@dataclass(frozen=True)
class Told:
    """Cells of one column.

    Args:
        values: Float64 `(N,)`: numbers, days since 1970, or codes of words; nan where unknown.
        categories: The words that the codes stand for; None for numbers.
        dates: How its dates are written, as in "%d.%m.%Y"; None for other columns.
        notes: What was decided.
    """

    values: np.ndarray
    categories: tuple[str, ...] | None = None
    dates: str | None = None
    notes: tuple[Note, ...] = ()


def tell(column: Any, name: str, *, decimal: str = ".", kind: str | None = None) -> Told:
    """Decide what the text of a column is, over all of its cells.

    Args:
        column: An array of pyarrow, of strings, or a dictionary of them.
        name: What messages call it.
        decimal: "." or ",".
        kind: What a person says it is; words stay words where that is "categorical".
    """
    from pyarrow import compute as pc

    whole = column.combine_chunks() if hasattr(column, "chunks") else column
    coded = whole if hasattr(whole, "indices") else pc.dictionary_encode(whole)
    words = [None if word is None else str(word).strip() for word in coded.dictionary.to_pylist()]
    code = np.asarray(pc.fill_null(coded.indices, -1)).astype(np.int64)
    unknown = np.array([word is None or word.lower() in MISSING for word in words], bool)
    place = np.where(code < 0, len(words), code)
    counts = np.bincount(place, minlength=len(words) + 1)[: len(words)]
    told = None
    filled = (counts > 0) & ~unknown
    if kind != "categorical" and filled.any():
        told = _numbers(words, filled, counts, name, decimal, kind) or _dates(words, filled, name)
    if told is None:
        known = sorted({w for w, ok in zip(words, filled, strict=True) if ok and w is not None})
        number = {word: float(i) for i, word in enumerate(known)}
        values = np.array([number.get(word or "", np.nan) for word in words])
        told = Told(np.where(unknown, np.nan, values), tuple(known))
    by_word = np.append(np.where(unknown, np.nan, told.values), np.nan)
    return Told(by_word[place], told.categories, told.dates, told.notes)


def _numbers(
    words: list[str | None],
    filled: np.ndarray,
    counts: np.ndarray,
    name: str,
    decimal: str,
    kind: str | None,
) -> Told | None:
    """Numbers with thousands separators, signs or decimal commas; few other words are gaps."""
    import pyarrow as pa
    from pyarrow import compute as pc

    text = pa.array([word if ok else None for word, ok in zip(words, filled, strict=True)])
    bare = pc.replace_substring_regex(text, SIGNS, "")
    pattern, separator = GROUPED[decimal]
    grouped = pc.match_substring_regex(bare, pattern)
    plain = pc.if_else(grouped, pc.replace_substring(bare, separator, ""), bare)
    if decimal == ",":
        plain = pc.replace_substring(plain, ",", ".")
    good = np.asarray(pc.fill_null(pc.match_substring_regex(plain, NUMBER), False))
    endless = np.asarray(pc.fill_null(pc.match_substring_regex(pc.utf8_lower(plain), INFINITE), False))
    odd = filled & ~good & ~endless
    share = counts[filled & good].sum() / counts[filled].sum()
    if not good.any() or (odd.any() and kind is None and (share < 0.9 or odd.sum() > MISSPELT)):
        return None
    values = np.full(len(words), np.nan)
    values[good] = np.asarray(pc.cast(pc.filter(plain, pa.array(good)), pa.float64()))
    notes: list[Note] = []
    shown = [str(word) for word, wrong in zip(words, odd, strict=True) if wrong]
    if odd.any():
        listed = ", ".join(repr(word[:20]) for word in shown[:3])
        what = f"cells of {name!r} read as gaps, for they hold no number: {listed}"
        notes.append(Note(what, int(counts[odd].sum())))
    used = {word[at] for word, ok in zip(words, good, strict=True) if ok and word
            for at in (0, -1) if word[at] in "%€$£¥"}  # fmt: skip
    if used:
        notes.append(Note(f"{' and '.join(sorted(used))} signs of {name!r} were dropped"))
    if pc.any(grouped).as_py():
        notes.append(Note(f"thousands separators ({separator}) of {name!r} were dropped"))
    return Told(values, notes=tuple(notes))


def _dates(words: list[str | None], filled: np.ndarray, name: str) -> Told | None:
    """Days since 1970 where every word is a date written in one way."""
    some = [word or "" for word, ok in zip(words, filled, strict=True) if ok]
    if not all(re.match(r"\d{1,4}[-./]\d", word) for word in some[:50]):
        return None
    fitting = {way: days for way in DATES if (days := _days(some, way)) is not None}
    if not fitting:
        return None
    way = next(iter(fitting))
    notes = [Note(f"dates of {name!r} ({way}) are read as days since 1970")]
    if len(fitting) > 1:
        notes.append(Note(f"dates of {name!r} may be {' or '.join(fitting)}: taken as {way}"))
    values = np.full(len(words), np.nan)
    values[filled] = fitting[way]
    return Told(values, dates=way, notes=tuple(notes))


def _days(words: list[str], way: str) -> np.ndarray | None:
    from datetime import datetime

    days = np.empty(len(words))
    for i, word in enumerate(words):
        try:
            moment = datetime.strptime(word, way)
        except ValueError:
            return None
        days[i] = (np.datetime64(moment, "s") - EPOCH) / np.timedelta64(86400, "s")
    return days
