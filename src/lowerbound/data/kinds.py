"""The kinds of numbers that a field can hold: one row each, and everything that data knows of it.

A new kind is one row of `KINDS` here, one law in `lowerbound.likelihoods`, and one rule in
`lowerbound.data.guess` that recognises it.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from lowerbound.data.moments import UNITS, Unit, unit_of, written

MOST_LEVELS = 65536
LARGEST_COUNT = 2**31 - 1

Precision = Literal["float32", "float64"]


@dataclass(frozen=True)
class Seen:
    """Facts about the known cells of one column, from one pass over all rows.

    Args:
        low: The least number, or code of a word; microseconds of dates and times.
        high: The greatest.
        values: The distinct numbers, ascending, as long as there are at most two; else empty.
        categories: The words, in the order of their codes; None for a column of numbers.
        whole: Whether every number is a whole one.
        integer: Whether the source stores whole numbers as such, and not as floats.
        decimals: The most digits after the point; None where that says nothing.
        name: Of the column.
        declared: The kind that the source itself says; None where only its cells speak.
        form: How its dates are written: see `lowerbound.data.moments`; None for what are no dates.
        some: Many of its known cells, all of them unless there are very many.
    """

    low: float
    high: float
    values: tuple[float, ...] = ()
    categories: tuple[str, ...] | None = None
    whole: bool = False
    integer: bool = False
    decimals: int | None = None
    name: str = ""
    declared: str | None = None
    form: str | None = None
    some: np.ndarray | None = None

    @property
    def cells(self) -> np.ndarray:
        """Many of the known cells; the ends of the column where no more is known."""
        return np.array([self.low, self.high]) if self.some is None else self.some


@dataclass(frozen=True)
class Traits:
    """Settings of a field that follow from the numbers in it: see `Field`."""

    levels: int | None = None
    categories: tuple[str, ...] = ()
    whole: bool = False
    decimals: int | None = None
    form: str | None = None
    unit: Unit | None = None
    bounds: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Kind:
    """One kind of numbers.

    Args:
        name: As a schema and a person say it.
        about: One line of explanation.
        law: The name of the likelihood that its cells have by default.
        discrete: Whether log p(x) is a probability, not a density, under that law.
        levels: The one number of levels that it can have; None where fields differ or have none.
        needs_levels: Whether each field says how many levels it has, 2 to 65536.
        filler: A number that every field of the kind can hold, for unobserved cells.
        standardised: Whether its mean and scale say anything: codes of categories have none.
        storage: From the levels and the precision of reals to the name of a dtype.
        infer: From a column, and whether a person says that it is of this kind, to the traits of
            its field; None if it cannot be.
        back: From numbers as stored, or means of them, and the field's traits, to what a person
            would write.
    """

    name: str
    about: str
    law: str
    discrete: bool
    levels: int | None
    needs_levels: bool
    filler: float
    standardised: bool
    storage: Callable[[int | None, Precision], str]
    infer: Callable[[Seen, bool], Traits | None]
    back: Callable[[np.ndarray, Traits], np.ndarray]


def _narrow(levels: int | None, precision: Precision) -> str:
    return "uint8" if levels is not None and levels <= 256 else "int32"


def _precise(levels: int | None, precision: Precision) -> str:
    return precision


def _exact(levels: int | None, precision: Precision) -> str:
    return "float64"


def _binary(seen: Seen, told: bool) -> Traits | None:
    if seen.categories is not None:
        return Traits(2, seen.categories) if len(seen.categories) == 2 else None
    if len(seen.values) != 2 or seen.form is not None:
        return None
    if seen.values == (0.0, 1.0) and seen.whole:
        return Traits(2, whole=True)
    return _of_numbers(seen.values, seen)


def _of_numbers(values: tuple[float, ...], seen: Seen) -> Traits:
    """Take numbers as the words of as many levels."""
    words = tuple(f"{v:.0f}" if seen.whole else repr(float(v)) for v in values)
    return Traits(len(words), words, seen.whole, None if seen.whole else (seen.decimals or 15))


def _categorical(seen: Seen, told: bool) -> Traits | None:
    words = seen.categories
    if words is None and seen.form is None and seen.some is not None:
        values = tuple(np.unique(seen.some).tolist())
        return _of_numbers(values, seen) if 2 <= len(values) <= MOST_LEVELS else None
    fits = words is not None and 2 <= len(words) <= MOST_LEVELS
    return Traits(len(words), words) if words is not None and fits else None


def _ordinal(seen: Seen, told: bool) -> Traits | None:
    if seen.categories is not None and len(seen.categories) >= 2:
        return Traits(len(seen.categories), seen.categories)
    fits = seen.categories is None and seen.whole and seen.low >= 0 and 0 < seen.high < MOST_LEVELS
    return Traits(int(seen.high) + 1, whole=True) if fits else None


def _count(seen: Seen, told: bool) -> Traits | None:
    fits = seen.categories is None and seen.whole and 0 <= seen.low <= seen.high <= LARGEST_COUNT
    traits = _whole(seen, told)
    return replace(traits, bounds=None) if fits and traits is not None else None


def _whole(seen: Seen, told: bool) -> Traits | None:
    if seen.categories is not None or seen.form is not None or not seen.whole:
        return None
    decimals = None if seen.integer else 0
    return Traits(whole=seen.integer, decimals=decimals, bounds=_floor(seen))


def _floor(seen: Seen) -> tuple[float, float] | None:
    """Numbers that were never negative are not written negative."""
    return (0.0, sys.float_info.max) if seen.low >= 0 else None


def _real(seen: Seen, told: bool) -> Traits | None:
    if seen.categories is not None or seen.form is not None:
        return None
    whole = seen.whole and seen.integer
    return Traits(whole=whole, decimals=seen.decimals, bounds=_floor(seen))


def _positive(seen: Seen, told: bool) -> Traits | None:
    """Take zeros, too, if a person says so; bounds tell that there were some."""
    traits = _real(seen, told)
    if traits is None or seen.low < 0 or (seen.low == 0 and not told):
        return None
    return replace(traits, bounds=None) if seen.low > 0 else traits


def _bounded(seen: Seen, told: bool) -> Traits | None:
    traits = _real(seen, told)
    if traits is None or seen.low < 0 or seen.high > 100:
        return None
    ends = (0.0, 1.0 if seen.high <= 1 else 100.0)
    return Traits(whole=traits.whole, decimals=traits.decimals, bounds=ends)


def _moment(seen: Seen, told: bool) -> Traits | None:
    if seen.form is None:
        return None
    return Traits(whole=seen.integer, form=seen.form, unit=unit_of(seen.cells, seen.form))


def _cyclic(seen: Seen, told: bool) -> Traits | None:
    """Take all positions of the period, those that never occurred included."""
    if seen.categories is not None or not seen.whole or seen.low < 0 or seen.high > 366:
        return None
    first = 0 if seen.low == 0 else 1
    periods = {0: (7, 12, 24, 60, 366), 1: (7, 12, 31, 53, 366)}[first]
    period = min(p for p in periods if p >= seen.high - first + 1)
    return Traits(period, tuple(str(first + i) for i in range(period)), whole=True)


def _as_words(values: np.ndarray, traits: Traits) -> np.ndarray:
    if not traits.categories:
        return _as_whole(values, traits)
    codes = np.clip(np.round(values), 0, (traits.levels or 2) - 1).astype(np.int64)
    words = np.array(traits.categories, dtype=object)
    if traits.whole:
        words = np.array([int(word) for word in traits.categories])
    elif traits.decimals is not None:
        words = np.array([float(word) for word in traits.categories])
    elif traits.categories == ("False", "True"):
        words = np.array([False, True])
    return words[codes]


def _as_whole(values: np.ndarray, traits: Traits) -> np.ndarray:
    whole = np.round(values)  # means lie between the numbers, and stay
    return whole.astype(np.int64) if (whole == values).all() and traits.decimals is None else values


def _as_number(values: np.ndarray, traits: Traits) -> np.ndarray:
    if traits.whole and np.abs(values).max(initial=0) < 2**53:
        return np.round(values).astype(np.int64)
    return values if traits.decimals is None else np.round(values, traits.decimals)


def _not_below(values: np.ndarray, traits: Traits) -> np.ndarray:
    return _as_number(values if traits.bounds is None else values.clip(traits.bounds[0]), traits)


def _within(values: np.ndarray, traits: Traits) -> np.ndarray:
    # positive numbers without zeros end at the least that can be written
    written = 0 if traits.whole else traits.decimals
    least = sys.float_info.min if written is None else 10.0**-written
    low, high = traits.bounds or (least, np.inf)
    return _as_number(np.clip(values, low, high), traits)


def _as_moments(values: np.ndarray, traits: Traits) -> np.ndarray:
    steps = UNITS[traits.unit or "microsecond"]
    return written(np.round(values) * steps, traits.form or "", traits.unit or "microsecond")


def _time(name: str, about: str) -> Kind:
    return Kind(
        name, about, law="rounded-logistic", discrete=True, levels=None, needs_levels=False,
        filler=0, standardised=True, storage=_exact, infer=_moment, back=_as_moments,
    )  # fmt: skip


#: A kind's default law is the one word `law`, beside `discrete`, which follows from it.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "binary", "one of two values, or words",
            law="bernoulli", discrete=True, levels=2, needs_levels=False, filler=0,
            standardised=True, storage=_narrow, infer=_binary, back=_as_words,
        ),
        Kind(
            "categorical", "one of several words, or of numbers that have no order",
            law="categorical", discrete=True, levels=None, needs_levels=True, filler=0,
            standardised=False, storage=_narrow, infer=_categorical, back=_as_words,
        ),
        Kind(
            "ordinal", "a level 0, 1, ... of so many, such as a pixel's 256, or words in an order",
            law="discretized-logistic", discrete=True, levels=None, needs_levels=True, filler=0,
            standardised=True, storage=_narrow, infer=_ordinal, back=_as_words,
        ),
        Kind(
            "byte", "a byte of a text, 0 after its end",
            law="autoregressive", discrete=True, levels=None, needs_levels=True, filler=0,
            standardised=False, storage=_narrow, infer=lambda seen, told: None, back=_as_words,
        ),
        Kind(
            "note", "a sixteenth of a tune: a note begins, goes on, or rests; 0 after its end",
            law="autoregressive", discrete=True, levels=None, needs_levels=True, filler=0,
            standardised=False, storage=_narrow, infer=lambda seen, told: None, back=_as_words,
        ),
        Kind(
            "count", "a whole number from 0 on, without an upper limit",
            law="negative-binomial", discrete=True, levels=None, needs_levels=False, filler=0,
            standardised=True, storage=lambda levels, precision: "int32", infer=_count,
            back=_as_whole,
        ),
        Kind(
            "whole", "a whole number, which may be negative",
            law="rounded-logistic", discrete=True, levels=None, needs_levels=False, filler=0,
            standardised=True, storage=_exact, infer=_whole, back=_not_below,
        ),
        Kind(
            "real", "any number",
            law="gaussian", discrete=False, levels=None, needs_levels=False, filler=0,
            standardised=True, storage=_precise, infer=_real, back=_not_below,
        ),
        Kind(
            "positive", "a number above 0, whose logarithm is spread more evenly than itself",
            law="log-normal", discrete=False, levels=None, needs_levels=False, filler=1,
            standardised=True, storage=_precise, infer=_positive, back=_within,
        ),
        Kind(
            "bounded", "a share of 0 to 1, or a percentage of 0 to 100",
            law="gaussian", discrete=False, levels=None, needs_levels=False, filler=0.5,
            standardised=True, storage=_precise, infer=_bounded, back=_within,
        ),
        _time("date", "a day"),
        _time("datetime", "a day and a time of it"),
        _time("time", "a time of the day"),
        _time("duration", "a length of time"),
        Kind(
            "cyclic", "a position in a period, such as a month or an hour",
            law="categorical", discrete=True, levels=None, needs_levels=True, filler=0,
            standardised=False, storage=_narrow, infer=_cyclic, back=_as_words,
        ),
    )
}  # fmt: skip
