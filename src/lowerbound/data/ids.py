"""Ids: the pattern that they are made by, and new ones by it."""

import string
from collections import Counter
from typing import Any

import numpy as np

from lowerbound.data.field import LeftOut

#: Characters that may stand where one of each was seen.
ALPHABETS = (string.digits, "0123456789abcdef", string.ascii_lowercase, string.ascii_uppercase,
             string.ascii_letters + string.digits)  # fmt: skip
LOOKED_AT = 10_000


def id_of(column: Any, name: str, position: int, reason: str) -> LeftOut:
    """Describe ids: whole numbers by their range, words by the characters at each place.

    Args:
        column: Of pyarrow, whole numbers or words.
        name: Of the column.
        position: Of the column among all.
        reason: Why it holds ids.
    """
    import pyarrow as pa

    if pa.types.is_integer(column.type):
        values = np.array(column.drop_null().to_pylist(), dtype=object)
        steps = np.diff(values)
        step = int(steps[0]) if len(steps) and (steps == steps[0]).all() else 0
        low, high = int(min(values)), int(max(values))
        return LeftOut(name, position, "id", reason, low=low, high=high, step=step)
    words = [str(word) for word in column[:LOOKED_AT].to_pylist() if word is not None]
    length = Counter(map(len, words)).most_common(1)[0][0] if words else 0
    places = zip(*(word for word in words if len(word) == length), strict=True)
    alphabets = tuple(_alphabet(set(place)) for place in places)
    running = _running(words, alphabets)
    return LeftOut(name, position, "id", reason, alphabets, *running)


def _alphabet(seen: set[str]) -> str:
    """The one character of a place, or the smallest alphabet that has all of them."""
    if len(seen) == 1:
        return seen.pop()
    fits = (one for one in ALPHABETS if seen <= set(one))
    return next(fits, "".join(sorted(seen)))


def _running(words: list[str], alphabets: tuple[str, ...]) -> tuple[int | None, int | None, int]:
    """The least and greatest number at the end of words that are numbered through, and the step."""
    digits = _digits(alphabets)
    if digits == len(alphabets) or any(len(one) > 1 for one in alphabets[:digits]):
        return None, None, 0
    try:
        values = np.array([int(word[digits:]) for word in words])
    except ValueError:
        return None, None, 0
    steps = np.diff(values)
    if not len(steps) or (steps != steps[0]).any() or steps[0] == 0:
        return None, None, 0
    return int(values.min()), int(values.max()), int(steps[0])


def _digits(alphabets: tuple[str, ...]) -> int:
    """Where the digits begin that ids end with."""
    place = len(alphabets)
    while place and set(alphabets[place - 1]) <= set(string.digits):
        place -= 1
    return place


def new_ids(column: LeftOut, count: int, seed: int = 0) -> np.ndarray:
    """Make ids by the pattern of a column, all different, `(count,)`.

    Ids of a numbered column go on where it ended. Other whole numbers lie beyond the greatest
    one, and are new for certain; words are drawn, place by place, from the characters seen there.
    """
    generator = np.random.default_rng(seed)
    if column.low is not None and column.high is not None:
        step = abs(column.step)
        numbers = column.high + (step or 1) * np.arange(1, count + 1, dtype=object)
        if not step:
            span = max(column.high - column.low, 2 * count)
            drawn = np.empty(0, np.int64)
            while len(drawn) < count:
                drawn = np.unique(np.append(drawn, generator.integers(0, span, 2 * count)))
            numbers = column.high + 1 + generator.permutation(drawn)[:count].astype(object)
        if not column.alphabets:
            return numbers.astype(np.int64) if max(numbers, default=0) < 2**63 else numbers
        digits = _digits(column.alphabets)
        head, width = "".join(column.alphabets[:digits]), len(column.alphabets) - digits
        return np.array([f"{head}{number:0{width}}" for number in numbers], dtype=object)
    room = 1.0
    for one in column.alphabets:
        room *= len(one)
    if room < 4 * count:
        made = [f"{column.name or 'row'}-{i + 1}" for i in range(count)]
        return np.array(made, dtype=object)
    found: dict[str, None] = {}
    while len(found) < count:
        drawn = [generator.choice(list(one), count) for one in column.alphabets]
        found |= dict.fromkeys("".join(row) for row in zip(*drawn, strict=True))
    return np.array(list(found)[:count], dtype=object)
