"""Which kind a column of a table is, and why: the first rule that matches decides."""

import re

import numpy as np

from lowerbound.data.kinds import KINDS, LARGEST_COUNT, MOST_LEVELS, Seen, Traits
from lowerbound.data.moments import kind_of_form
from lowerbound.errors import DataError, SettingError

#: Words in a column's name that say what its numbers are.
CODES = ("code", "zip", "postal", "postcode", "plz", "type", "class", "category", "id")
COUNTS = ("n", "num", "count", "counts", "number", "visits", "children", "times", "quantity", "qty")
SHARES = ("share", "rate", "pct", "percent", "percentage", "ratio", "fraction", "prob")
PERIODS = {"month": 12, "hour": 24, "weekday": 7, "dayofweek": 7, "dow": 7, "minute": 60}
MOST_CODES = 1000


def guess(seen: Seen) -> tuple[str, str]:
    """Name the kind of a column, and the reason in words."""
    if seen.declared is not None and KINDS[seen.declared].infer(seen, True) is not None:
        return seen.declared, "the type of the column says so"
    if seen.form is not None:
        typed = "its type says so" if "%" not in seen.form else f"written {seen.form}"
        return kind_of_form(seen.form), f"dates or times, {typed}"
    if seen.categories is not None:
        count = len(seen.categories)
        if count == 2:
            return "binary", f"two words: {' and '.join(word[:20] for word in seen.categories)}"
        return "categorical", f"{count:,} different words"
    if len(seen.values) == 2:
        low, high = (f"{value:g}" for value in seen.values)
        return "binary", f"two numbers: {low} and {high}"
    return _whole(seen) if seen.whole else _real(seen)


def traits_of(seen: Seen, told: str | None, where: str) -> tuple[str, Traits, str]:
    """Decide the kind of a column, its traits and the reason.

    Args:
        seen: Facts known of it.
        told: The kind that a person says.
        where: Name of the source in messages.

    Raises:
        SettingError: There is no such kind.
        DataError: The column cannot be of it.
    """
    name, reason = (told, "as told") if told is not None else guess(seen)
    if name not in KINDS:
        known = ", ".join([*KINDS, "id", "text", "skip"])
        raise SettingError(f"column {seen.name!r} is said to be {name!r}; there are: {known}")
    traits = KINDS[name].infer(seen, told is not None)
    if traits is not None:
        return name, traits, reason
    if seen.categories is not None and len(seen.categories) > MOST_LEVELS:
        raise DataError(
            f"column {seen.name!r} of {where} has {len(seen.categories):,} different words, over "
            f"{MOST_LEVELS:,}; --column {seen.name}=skip leaves it out"
        )
    holds = f"numbers {seen.low:g} to {seen.high:g}"
    if seen.form is not None:
        holds = f"dates or times written {seen.form}"
    elif seen.categories is not None:
        holds = "words"
    raise DataError(
        f"column {seen.name!r} of {where} cannot be {name}: it holds {holds}; "
        f"{name} is {KINDS[name].about}"
    )


def _whole(seen: Seen) -> tuple[str, str]:
    hint = words_of(seen.name)
    cells = np.sort(seen.cells)
    distinct = len(np.unique(cells))
    for word, period in PERIODS.items():
        if word in hint and seen.low >= 0 and seen.high - (seen.low > 0) < period:
            return "cyclic", f"whole numbers {seen.low:g} to {seen.high:g}, named {word}"
    code = next((word for word in CODES if word in hint), None)
    if code is not None and 2 < distinct <= MOST_CODES and seen.some is not None:
        return "categorical", f"{distinct} whole numbers, named {code}: numbers without an order"
    spread = f"whole numbers {seen.low:g} to {seen.high:g}"
    if not 0 <= seen.low <= seen.high <= LARGEST_COUNT:
        return "whole", spread
    counted = next((word for word in COUNTS if word in hint), None)
    middle = float(np.median(cells))
    if counted is not None:
        return "count", f"{spread}, named {counted}"
    if seen.low <= 1 and middle - seen.low <= 0.4 * (seen.high - seen.low):
        return "count", f"{spread}, most of them near {seen.low:g}"
    return "whole", spread


def _real(seen: Seen) -> tuple[str, str]:
    spread = f"numbers {seen.low:g} to {seen.high:g}"
    share = next((word for word in SHARES if word in words_of(seen.name)), None)
    if share is not None and seen.low >= 0 and seen.high <= 100:
        return "bounded", f"{spread}, named {share}"
    cells = seen.cells
    if seen.low > 0 and len(cells) >= 20:
        plain, logs = skewness(cells), skewness(np.log(cells))
        if plain > 0 and abs(logs) < plain / 3:
            return "positive", f"{spread}, their logarithms without skew ({plain:.1f}, {logs:.1f})"
    return "real", spread


def skewness(values: np.ndarray) -> float:
    """Compute the third standardised moment; 0 where nothing varies."""
    apart = values - values.mean()
    spread = np.sqrt(np.mean(apart**2))
    return float(np.mean((apart / spread) ** 3)) if spread > 0 else 0.0


def words_of(name: str) -> list[str]:
    """Split a column's name into words: "zipCode_1" is zip, code, 1."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word.lower() for word in re.split(r"[^A-Za-z0-9]+", apart) if word]
