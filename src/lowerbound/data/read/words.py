"""Columns of text that hold numbers, dates or words, told apart over all of their cells."""

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from lowerbound.data.moments import find_forms, parse
from lowerbound.data.notes import Note
from lowerbound.errors import DataError

MISSING = frozenset(
    ("", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "nat", "null", "none", "?", "-", ".")
)
MISSPELT = 3
"""Most different words among numbers that are gaps; more are words of their own."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
ENDLESS = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
LEADING = re.compile(r"0\d+")
SIGNS = re.compile(r"^[€$£¥]\s?|\s?[%€$£¥]$")
ENOUGH = 0.995
"""Least share of numbers among the cells of a column of numbers."""
MOST_WRONG = 0.01
"""Largest share of cells of new data of another type than in training."""
FEW_WORDS = 20
"""Most words and numbers, mixed, that are words; more are an error."""


@dataclass(frozen=True)
class Told:
    """Cells of one column.

    Args:
        values: Float64 `(N,)`: numbers, microseconds of dates, or codes of words; nan where
            unknown.
        categories: The words that the codes stand for; None for numbers.
        form: How dates are written: see `lowerbound.data.moments`; None for what are no dates.
        notes: Decisions of reading.
        gaps: Words among numbers or dates that were taken for gaps, unless there are many.
        integer: Whether all numbers are written without a point.
    """

    values: np.ndarray
    categories: tuple[str, ...] | None = None
    form: str | None = None
    notes: tuple[Note, ...] = ()
    gaps: tuple[str, ...] = ()
    integer: bool = False


def tell(
    column: Any,
    name: str,
    *,
    decimal: str = ".",
    how: str | None = None,
    codes: tuple[str, ...] = (),
    strict: bool = False,
) -> Told:
    """Decide what the text of a column is, over all of its cells.

    Numbers may have thousands separators, decimal commas, percent or currency signs; a few other
    words among them are gaps. Whole numbers with leading zeros are words. Dates are written in one
    way.

    Args:
        column: A column of pyarrow, of strings or a dictionary of them.
        name: Its name in messages.
        decimal: "." or ",".
        how: How its cells are written, where that is known: see `Written`.
        codes: Words that stand for a gap.
        strict: Whether the column is of new data, of which few cells may be of another type.

    Raises:
        DataError: Numbers and words are mixed, or too many cells are not as they are said to be.
    """
    whole = column.combine_chunks() if hasattr(column, "chunks") else column
    typed = hasattr(whole, "indices")
    coded = whole if typed else whole.dictionary_encode()
    words = [str(word).strip() if word is not None else "" for word in coded.dictionary.to_pylist()]
    place = np.asarray(coded.indices.fill_null(len(words))).astype(np.int64)
    counts = Counter[str]()
    for word, count in zip(words, np.bincount(place, minlength=len(words)).tolist(), strict=False):
        if count and word.lower() not in MISSING and word not in codes:
            counts[word] += count
    found, notes, form, integer = None, (), None, False
    if counts and how in (None, "numbers") and not typed:
        found, notes = _numbers(counts, name, decimal, told=how is not None, strict=strict)
        integer = found is not None and not any(
            decimal in word or "e" in word.lower() for word in found
        )
    if counts and found is None and how not in ("words", "words or numbers") and not typed:
        told = None if how == "numbers" else how
        found, notes, form = _dates(counts, name, told, strict=strict)
    categories, odd = None, ()
    if found is not None:
        odd = tuple(word for word in counts if word not in found)
        odd = odd if len(odd) <= FEW_WORDS else ()
    else:
        kept = [word for word in dict.fromkeys(words) if word.lower() not in MISSING]
        kept = [word for word in kept if word not in codes]
        categories = tuple(kept if typed else sorted(counts))
        found = {word: float(code) for code, word in enumerate(categories)}
    values = np.array([found.get(word, math.nan) for word in words] + [math.nan])
    return Told(values[place], categories, form, notes, odd, integer)


def has_leading_zeros(words: Any) -> bool:
    """Whether whole numbers among words are written with zeros before them, as codes are."""
    return any(LEADING.fullmatch(word) for word in words)


def _numbers(
    counts: Counter[str], name: str, decimal: str, *, told: bool, strict: bool
) -> tuple[dict[str, float] | None, tuple[Note, ...]]:
    found: dict[str, float] = {}
    odd, signs, grouped = [], set(), False
    if not told and has_leading_zeros(counts):
        return None, ()
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
    rest = sum(counts[word] for word in odd)
    few = len(odd) <= MISSPELT and rest <= 0.1 * counts.total()
    if strict and told:
        _refuse_many(odd, counts, name, "number")
    elif not found or not (told or few or rest <= (1 - ENOUGH) * counts.total()):
        if rest < 0.5 * counts.total() and len(counts) > FEW_WORDS:
            shown = ", ".join(repr(word[:20]) for word in odd[:MISSPELT])
            raise DataError(
                f"column {name!r} is mixed: {counts.total() - rest:,} numbers, and {rest:,} words "
                f"such as {shown}; --gaps {name}=WORD makes a gap of one, --column "
                f"{name}=real of all, --column {name}=categorical takes numbers as words"
            )
        return None, ()
    notes = _gaps(odd, counts, name, "number")
    if signs:
        notes.append(Note(f"{' and '.join(sorted(signs))} signs of {name!r} were dropped"))
    if grouped:
        separator = "," if decimal == "." else "."
        notes.append(Note(f"thousands separators ({separator}) of {name!r} were dropped"))
    return found, tuple(notes)


def _dates(
    counts: Counter[str], name: str, told: str | None, *, strict: bool
) -> tuple[dict[str, float] | None, tuple[Note, ...], str | None]:
    form, others = told, []
    if told is None or "%" not in told:
        form, *others = [*find_forms(counts), *([None] if told is None else ["%Y-%m-%d"])]
    if form is None:
        return None, (), None
    found = parse(counts, form)
    odd = [word for word in counts if word not in found]
    if strict:
        _refuse_many(odd, counts, name, f"date written {form}")
    elif not found:
        raise DataError(f"column {name!r} holds no date written {form}, but {odd[0][:20]!r}")
    notes = _gaps(odd, counts, name, f"date written {form}")
    doubtful = [other for other in others if other is not None and _swapped(form, other)]
    if doubtful:
        how = f"--column {name}=date:{doubtful[0]} reads them so"
        notes.append(
            Note(f"dates of {name!r} may be written {form}, as read, or {doubtful[0]}; {how}")
        )
    return found, tuple(notes), form


def _swapped(form: str, other: str) -> bool:
    """Whether two forms differ in the order of day and month alone."""
    return form.replace("%d", "%m") == other.replace("%d", "%m")


def _refuse_many(odd: list[str], counts: Counter[str], name: str, what: str) -> None:
    """Refuse new data of which many cells are of another type."""
    rest = sum(counts[word] for word in odd)
    if rest > max(1, MOST_WRONG * counts.total()):
        raise DataError(
            f"{rest:,} of {counts.total():,} cells of {name!r} hold no {what}, such as "
            f"{odd[0][:20]!r}; give the column as in training, or --gaps {name}={odd[0][:20]}"
        )


def _gaps(odd: list[str], counts: Counter[str], name: str, what: str) -> list[Note]:
    if not odd:
        return []
    shown = ", ".join(repr(word[:20]) for word in odd[:MISSPELT])
    text = f"cells of {name!r} read as gaps, for they hold no {what}: {shown}"
    return [Note(text, sum(counts[word] for word in odd))]
