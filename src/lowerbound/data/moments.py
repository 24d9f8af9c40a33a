"""Dates, times and durations: how they are written, and whole microseconds in their place.

A form is a pattern of `datetime.strptime`, such as "%d.%m.%Y"; "epoch s" or "epoch ms" for whole
numbers that count from 1970; or the type that the source gives them, such as "timestamp" or
"timestamp Europe/Zurich", which has no text.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np

Unit = Literal["day", "hour", "minute", "second", "millisecond", "microsecond"]
#: Microseconds of each unit, the coarsest first.
UNITS: Mapping[str, int] = {
    "day": 86_400_000_000,
    "hour": 3_600_000_000,
    "minute": 60_000_000,
    "second": 1_000_000,
    "millisecond": 1_000,
    "microsecond": 1,
}
TYPES = ("date", "timestamp", "time", "duration")
EPOCHS: Mapping[str, int] = {"epoch s": 1_000_000, "epoch ms": 1_000}
#: Words in a column's name for whole numbers that count seconds from 1970.
NAMED_TIME = ("time", "date", "stamp", "ts", "epoch", "created", "updated", "modified", "seen")
EPOCH = datetime(1970, 1, 1)
FIRST, LAST = (round((year - EPOCH) / timedelta(microseconds=1)) for year in (
    datetime(1, 1, 1), datetime(9999, 12, 31)))  # fmt: skip
NUMPY = {"day": "D", "hour": "h", "minute": "m", "second": "s", "millisecond": "ms"}

DAYS = (
    "%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%y", "%d-%m-%Y", "%d/%m/%y",
    "%m/%d/%y", "%Y%m%d", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%Y-%m",
)  # fmt: skip
CLOCKS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
FORMS = (
    *DAYS,
    *(f"{day}{between}{clock}" for day in DAYS for between in " T" for clock in CLOCKS),
    *CLOCKS,
)
#: How a person may write a moment, whatever the form of its column.
ISO = ("%Y-%m-%d", *(f"%Y-%m-%d{between}{clock}" for between in " T" for clock in CLOCKS[:3]))
#: A form is looked at closely if it fits most of so many words.
TRIED = 50
#: Of more words those of plain forms are read by pyarrow, some forty times as fast.
MANY, SLOW = 1000, ("%f", "%z", "%p", "%b", "%B", "%y")
#: The share of cells that a form must fit.
ENOUGH = 0.99


def kind_of_form(form: str) -> str:
    """Tell which kind of column is written in a form: date, datetime, time or duration."""
    if form in ("time", "duration", "date"):
        return form
    if form in CLOCKS:
        return "time"
    return "date" if "%" in form and "%H" not in form and "%I" not in form else "datetime"


def parse(words: Iterable[str], form: str) -> dict[str, float]:
    """Read words as microseconds since 1970, or since midnight; leave out those that do not fit."""
    words, found = list(words), {}
    if len(words) > MANY and form not in CLOCKS and not any(one in form for one in SLOW):
        import pyarrow as pa
        from pyarrow import compute

        moments = compute.strptime(  # pyright: ignore[reportAttributeAccessIssue]
            pa.array(words), form, "s", error_is_null=True
        )
        # it takes 31.02. for 02.03.
        again = compute.strftime(moments, form).to_pylist()  # pyright: ignore[reportAttributeAccessIssue]
        seconds = moments.cast(pa.int64()).to_pylist()
        triples = zip(words, again, seconds, strict=True)
        found = {word: 1e6 * one for word, same, one in triples if same == word}
        words = [word for word in words if word not in found]
    start = datetime(1900, 1, 1) if form in CLOCKS else EPOCH
    for word in words:
        try:
            moment = datetime.strptime(word, form)
        except ValueError:
            continue
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        found[word] = float((moment - start) // timedelta(microseconds=1))
    return found


def parse_one(word: str, form: str) -> float | None:
    """Read a word as microseconds in the form of a column, or in ISO's; None where none fits."""
    clock = form in CLOCKS or form == "time"
    for one in (form, *(CLOCKS[:3] if clock else ISO)):
        found = parse([word], one) if "%" in one else {}
        if found:
            return found[word]
    return None


def find_forms(counts: Counter[str]) -> list[str]:
    """List the forms that nearly all words of a column fit, the likelier first."""
    few = list(counts)[:TRIED]
    if not few or not any(char.isdigit() for char in few[0]):
        return []
    zones = {_zone(word) for word in counts}
    zone = zones.pop() if len(zones) == 1 else "%z"
    found: list[tuple[float, str]] = []
    for form in FORMS:
        form += zone if any(clock in form for clock in CLOCKS) and form not in CLOCKS else ""
        if len(parse(few, form)) < 0.9 * len(few):
            continue
        fits = sum(counts[word] for word in parse(counts, form)) / counts.total()
        if fits >= ENOUGH:
            found.append((-fits, form))
    return [form for _, form in sorted(found, key=lambda one: one[0])]


def _zone(word: str) -> str:
    """The time zone that a word ends with, such as "Z" or "+01:00"."""
    if word.endswith("Z"):
        return "Z"
    tail = word[-6:]
    signed = len(word) > 16 and tail[:1] in "+-" and tail[1:3].isdigit() and tail[3:4] == ":"
    return tail if signed else ""


def counted_form(name: str, low: float, high: float, values: np.ndarray) -> str | None:
    """Tell whether whole numbers are dates written 20240831, or count from 1970 by their name."""
    words = name.lower()
    named = any(hint in words for hint in NAMED_TIME) or words.endswith(("_at", "_on"))
    if low >= 19000101 and high <= 21001231:
        some = {f"{value:.0f}" for value in np.unique(values).tolist()}
        if len(parse(some, "%Y%m%d")) == len(some) and (named or len(some) >= 20):
            return "%Y%m%d"
    year = 365.25 * 86400
    for form, scale in EPOCHS.items():
        steps = 1_000_000 / scale
        if named and year * steps <= low and high <= 130 * year * steps:
            return form
    return None


def counted(values: np.ndarray, form: str) -> np.ndarray:
    """Turn whole numbers that stand for dates into microseconds since 1970."""
    if form in EPOCHS:
        return values * EPOCHS[form]
    words = {f"{value:.0f}" for value in np.unique(values[np.isfinite(values)]).tolist()}
    found = parse(words, form)
    return np.array([found.get(f"{value:.0f}", np.nan) for value in values.tolist()])


def unit_of(values: np.ndarray, form: str) -> Unit:
    """Find the coarsest unit of which all microseconds are whole multiples."""
    known = values[np.isfinite(values)]
    for unit, size in UNITS.items():
        if (known % size == 0).all():
            return unit  # type: ignore[return-value]
    return "microsecond"


def written(values: np.ndarray, form: str, unit: Unit) -> np.ndarray:
    """Write microseconds `(N,)` in a form: words, whole numbers, or dates of numpy.

    Dates before the year 1 and after 9999 become these.
    """
    whole = np.nan_to_num(np.clip(values, FIRST, LAST)).astype(np.int64)
    if form in EPOCHS:
        return whole // EPOCHS[form]
    if form in CLOCKS or form == "time":
        whole = whole % UNITS["day"]
    if "%" not in form:
        step = NUMPY.get(unit, "us")
        if form == "duration":
            return whole.astype("timedelta64[us]").astype(f"timedelta64[{step}]")
        if form == "time":
            times = [(EPOCH + timedelta(microseconds=one)).time() for one in whole.tolist()]
            return np.array(times, dtype=object)
        return whole.astype("datetime64[us]").astype(f"datetime64[{step}]")
    unique, places = np.unique(whole, return_inverse=True)
    words = [_word(EPOCH + timedelta(microseconds=one), form, unit) for one in unique.tolist()]
    found = np.array(words, dtype=object)[places]
    return found.astype(np.int64) if form == "%Y%m%d" else found


def _word(moment: datetime, form: str, unit: Unit) -> str:
    if form.endswith("%z"):
        moment = moment.replace(tzinfo=UTC)
    if "%f" in form and unit != "microsecond":
        form = form.replace("%f", f"{moment.microsecond // 1000:03}")
    return moment.strftime(form)
