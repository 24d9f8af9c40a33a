"""The kinds of numbers that a field can hold: one row each, and everything that data knows of it.

A new kind is one row of `KINDS` here and one law in `lowerbound.likelihoods`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

MOST_LEVELS = 65536
LARGEST_COUNT = 2**31 - 1

Precision = Literal["float32", "float64"]


@dataclass(frozen=True)
class Seen:
    """Facts about the known cells of one column, from one pass over all rows.

    Args:
        low: The least number, or code of a word.
        high: The greatest.
        values: The distinct numbers, ascending, as long as there are at most two; else empty.
        categories: The words, in the order of their codes; None for a column of numbers.
        whole: Whether every number is a whole one.
        integer: Whether the source stores whole numbers as such, and not as floats.
        decimals: The most digits after the point; None where that says nothing.
    """

    low: float
    high: float
    values: tuple[float, ...] = ()
    categories: tuple[str, ...] | None = None
    whole: bool = False
    integer: bool = False
    decimals: int | None = None


@dataclass(frozen=True)
class Traits:
    """Settings of a field that follow from the numbers in it: see `Field`."""

    levels: int | None = None
    categories: tuple[str, ...] = ()
    whole: bool = False
    decimals: int | None = None


@dataclass(frozen=True)
class Kind:
    """One kind of numbers.

    Args:
        name: As a schema and a person say it.
        about: One line of explanation.
        law: The name of the likelihood that its cells have by default.
        discrete: Whether log p(x) is a probability, not a density.
        levels: The one number of levels that it can have; None where fields differ or have none.
        needs_levels: Whether each field says how many levels it has, 2 to 65536.
        filler: A number that every field of the kind can hold, for unobserved cells.
        standardised: Whether its mean and scale say anything: codes of categories have none.
        storage: From the levels and the precision of reals to the name of a dtype.
        infer: From a column, and whether a person says that it is of this kind, to the traits of
            its field; None if it is of another.
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


def _binary(seen: Seen, told: bool) -> Traits | None:
    if seen.categories is not None:
        return Traits(2, seen.categories) if len(seen.categories) == 2 else None
    if len(seen.values) != 2:
        return None
    if seen.values == (0.0, 1.0):
        return Traits(2, whole=True)
    words = tuple(f"{v:.0f}" if seen.whole else repr(float(v)) for v in seen.values)
    return Traits(2, words, seen.whole, None if seen.whole else (seen.decimals or 15))


def _categorical(seen: Seen, told: bool) -> Traits | None:
    words = seen.categories
    return None if words is None or len(words) < 2 else Traits(len(words), words)


def _ordinal(seen: Seen, told: bool) -> Traits | None:
    fits = seen.categories is None and seen.whole and seen.low >= 0 and 0 < seen.high < MOST_LEVELS
    return Traits(int(seen.high) + 1, whole=True) if told and fits else None


def _count(seen: Seen, told: bool) -> Traits | None:
    fits = seen.categories is None and seen.whole and 0 <= seen.low <= seen.high <= LARGEST_COUNT
    return Traits(whole=True) if fits and (told or seen.integer) else None


def _real(seen: Seen, told: bool) -> Traits | None:
    if seen.categories is not None:
        return None
    return Traits(whole=seen.whole, decimals=None if seen.whole else seen.decimals)


def _as_words(values: np.ndarray, traits: Traits) -> np.ndarray:
    if not traits.categories:
        return _as_whole(values, traits)
    codes = np.clip(np.round(values), 0, (traits.levels or 2) - 1).astype(np.int64)
    words = np.array(traits.categories, dtype=object)
    if traits.whole:
        words = np.array([int(word) for word in traits.categories])
    elif traits.decimals is not None:
        words = np.array([float(word) for word in traits.categories])
    return words[codes]


def _as_whole(values: np.ndarray, traits: Traits) -> np.ndarray:
    whole = np.round(values)  # means lie between the numbers, and stay
    return whole.astype(np.int64) if (whole == values).all() else values


def _as_number(values: np.ndarray, traits: Traits) -> np.ndarray:
    if traits.whole and np.abs(values).max(initial=0) < 2**53:
        return np.round(values).astype(np.int64)
    return values if traits.decimals is None else np.round(values, traits.decimals)


#: In the order in which a column is tried.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "binary", "one of two values, or words",
            law="bernoulli", discrete=True, levels=2, needs_levels=False, filler=0,
            standardised=True, storage=_narrow, infer=_binary, back=_as_words,
        ),
        Kind(
            "categorical", "one of several words",
            law="categorical", discrete=True, levels=None, needs_levels=True, filler=0,
            standardised=False, storage=_narrow, infer=_categorical, back=_as_words,
        ),
        Kind(
            "ordinal", "a level 0, 1, ... of so many, such as a pixel's 256",
            law="discretized-logistic", discrete=True, levels=None, needs_levels=True, filler=0,
            standardised=True, storage=_narrow, infer=_ordinal, back=_as_words,
        ),
        Kind(
            "text", "a byte of a text, 0 after its end",
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
            "real", "any number",
            law="gaussian", discrete=False, levels=None, needs_levels=False, filler=0,
            standardised=True, storage=lambda levels, precision: precision, infer=_real,
            back=_as_number,
        ),
    )
}  # fmt: skip
