"""One named part of an example, and a column that was left out."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from lowerbound.data.kinds import KINDS, MOST_LEVELS, Traits
from lowerbound.data.moments import EPOCHS, TYPES, Unit
from lowerbound.distributions import Bins
from lowerbound.errors import DataError

Role = Literal["modelled", "condition"]

MOST_CELLS = 2**26
"""A schema of more cells than this is refused: nobody means it, and allocating it would hurt."""


@dataclass(frozen=True)
class Field:
    """One named part of an example.

    Args:
        name: The column's name; "image" or "x" for data without names.
        kind: A row of `lowerbound.data.KINDS`, such as "count".
        shape: `()` for a column of a table, `(D,)` for a vector, `(T, C)` for a series of `C`
            channels, `(C, H, W)` for an image.
        levels: How many values a cell can take; None for counts and reals.
        categories: The words that the codes 0, 1, ... stand for; empty where these are numbers.
        missing: Whether cells may be unobserved.
        role: Whether the model explains the field or is told it.
        mean: Means of the training split: one number a cell, one a channel, or one for all.
        scale: Standard deviations of the training split, likewise; all positive.
        whole: Whether its numbers are whole ones and are written so.
        decimals: The most digits after the point that were seen; None where nothing is rounded.
        form: How its dates and times are written: see `lowerbound.data.moments`.
        unit: Of dates and times as stored, counted from 1970 or from midnight.
        bounds: Least and greatest number of a share or percentage; of positive numbers only
            if zeros are among them. Of other numbers that were never negative, those that are
            written: 0 and more.
        reason: Why it has its kind, in words.
        known: Rows of the training split whose cell is known, of a column that may meet a cell
            which it cannot hold: of words, or of numbers with bounds.
        bins: Of a column of a table, those that its numbers were cut into, with the training
            examples in each; None if not measured.
        pairs: Of texts, the pieces that often stand together in the training split: see
            `lowerbound.distributions.pieces`.

    Raises:
        DataError: The parts contradict each other.
    """

    name: str
    kind: str
    shape: tuple[int, ...] = ()
    levels: int | None = None
    categories: tuple[str, ...] = ()
    missing: bool = False
    role: Role = "modelled"
    mean: tuple[float, ...] | None = None
    scale: tuple[float, ...] | None = None
    whole: bool = False
    decimals: int | None = None
    form: str | None = None
    unit: Unit | None = None
    bounds: tuple[float, ...] | None = None
    reason: str = ""
    known: int | None = None
    bins: Bins | None = None
    pairs: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        known = KINDS.get(self.kind)
        if known is None:
            raise DataError(
                f"field {self.name!r} has kind {self.kind!r}; there are: {', '.join(KINDS)}"
            )
        if len(self.shape) > 3 or any(size < 1 for size in self.shape):
            raise DataError(f"field {self.name!r} has the impossible shape {self.shape[:4]}")
        if self.cells > MOST_CELLS:
            raise DataError(f"field {self.name!r} has {self.cells} cells, over 2**26")
        if not known.needs_levels and self.levels != known.levels:
            raise DataError(
                f"{self.kind} field {self.name!r} has levels {known.levels}, got {self.levels}"
            )
        if known.needs_levels and not (self.levels is not None and 2 <= self.levels <= MOST_LEVELS):
            raise DataError(
                f"{self.kind} field {self.name!r} needs 2 to {MOST_LEVELS} levels, "
                f"got {self.levels}"
            )
        if self.categories and (
            len(self.categories) != self.levels or len(set(self.categories)) != self.levels
        ):
            raise DataError(
                f"field {self.name!r} has {self.levels} levels but {len(set(self.categories))} "
                "categories"
            )
        if self.role not in get_args(Role):
            raise DataError(f"field {self.name!r} is modelled or a condition, not {self.role!r}")
        if self.decimals is not None and not 0 <= self.decimals <= 15:
            raise DataError(f"field {self.name!r} has 0 to 15 decimals, got {self.decimals}")
        if self.bounds is not None and not (
            len(self.bounds) == 2 and self.bounds[0] < self.bounds[1]
        ):
            raise DataError(f"field {self.name!r} has bounds low < high, got {self.bounds}")
        self._check_form()
        self._check_measures()

    def _check_form(self) -> None:
        timed = self.kind in ("date", "datetime", "time", "duration")
        if timed != (self.form is not None) or timed != (self.unit is not None):
            raise DataError(f"{self.kind} field {self.name!r} cannot have the form {self.form!r}")
        if self.form is None:
            return
        typed = self.form in EPOCHS or self.form.partition(" ")[0] in TYPES
        if not (typed or "%" in self.form) or len(self.form) > 60:
            raise DataError(f"field {self.name!r} has the unknown form {self.form[:60]!r}")

    def _check_measures(self) -> None:
        if any(
            len(pair) != 2 or not all(0 < one < 256 + place for one in pair)
            for place, pair in enumerate(self.pairs)
        ):
            raise DataError(f"field {self.name!r} has pairs of pieces that there are not")
        if self.bins is not None and (self.shape or len(self.bins.counts) != self._codes):
            raise DataError(f"field {self.name!r} has bins that do not fit its levels")
        if (self.mean is None) != (self.scale is None):
            raise DataError(f"field {self.name!r} needs both mean and scale, or neither")
        for measured in (self.mean, self.scale):
            if measured is None:
                continue
            if len(measured) not in (1, self.cells, self.channels):
                raise DataError(
                    f"field {self.name!r} has {self.cells} cells but {len(measured)} means or "
                    "scales; give one a cell, one a channel, or one for all"
                )
            if not all(math.isfinite(value) for value in measured):
                raise DataError(f"field {self.name!r} has a mean or scale that is not finite")
        if self.scale is not None and min(self.scale) <= 0:
            raise DataError(f"field {self.name!r} has a scale that is not positive")

    @property
    def _codes(self) -> int:
        """How many bins there must be: one a level, or as many as there are."""
        given = 0 if self.bins is None else len(self.bins.counts)
        return given if self.levels is None else self.levels

    @property
    def cells(self) -> int:
        """How many numbers it has in an example."""
        return math.prod(self.shape)

    @property
    def channels(self) -> int:
        """How many channels it has: C of `(C, H, W)` and of `(T, C)`; else as many as cells."""
        return {2: self.shape[-1], 3: self.shape[0]}[len(self.shape)] if self._apart else self.cells

    @property
    def traits(self) -> Traits:
        """How its numbers are written back."""
        own = (self.levels, self.categories, self.whole, self.decimals)
        return Traits(*own, self.form, self.unit, self.bounds)

    @property
    def _apart(self) -> bool:
        return len(self.shape) in (2, 3)

    def spread(self, measured: tuple[float, ...]) -> np.ndarray:
        """Shape numbers for all, each channel or each cell, to broadcast against `shape`."""
        if len(measured) == self.cells:
            return np.array(measured).reshape(self.shape)
        if len(measured) == 1:
            return np.array(measured).reshape((1,) * len(self.shape))
        return np.array(measured).reshape((1, -1) if len(self.shape) == 2 else (-1, 1, 1))


@dataclass(frozen=True)
class Constant:
    """A column that never varies: left out of the model, put back on output.

    Args:
        name: The column's name.
        position: Its place, from 0, among all columns, those left out included.
        value: The value of every example there: a number (an int is written as one), a word, or
            None where it was always empty.
        known: Rows that hold it.
    """

    name: str
    position: int
    value: float | str | None
    known: int = 0

    @property
    def text(self) -> str:
        """The value as a person reads it."""
        if self.value is None:
            return "empty"
        return repr(self.value) if isinstance(self.value, str) else f"{self.value:g}"


@dataclass(frozen=True)
class LeftOut:
    """A column that no model can learn: ids, free text, and one that a person leaves out.

    Args:
        name: The column's name.
        position: Its place, from 0, among all columns, those left out included.
        kind: "id", "text" or "skip".
        reason: Why, in words.
        alphabets: Of ids of one length, the characters that occur at each place.
        low: Of ids that are whole numbers, the least.
        high: The greatest.
        step: From one to the next, where they are numbered through; 0 where they are not.
    """

    name: str
    position: int
    kind: Literal["id", "text", "skip"]
    reason: str = ""
    alphabets: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None
    step: int = 0


@dataclass(frozen=True)
class Derived:
    """A column that follows from others: left out of the model, worked out again on output.

    It is looked up by the value of one column (`keys`, `values`), or a sum of columns (`weights`).

    Args:
        field: Of the column: how it is written.
        position: Its place, from 0, among all columns, those left out included.
        of: Names of the modelled fields that it follows from.
        keys: Values of the one field as stored, ascending; None for a gap, which stands last.
        values: Of the column, one for each key; None for a gap.
        weights: One for each of the fields.
        offset: Added to the sum.
    """

    field: Field
    position: int
    of: tuple[str, ...]
    keys: tuple[float | None, ...] = ()
    values: tuple[float | None, ...] = ()
    weights: tuple[float, ...] = ()
    offset: float = 0.0

    def __post_init__(self) -> None:
        looked_up = len(self.of) == 1 and len(self.keys) == len(self.values) > 0
        summed = len(self.of) == len(self.weights) > 0
        if looked_up == summed:
            raise DataError(
                f"derived column {self.name!r} is looked up by one field or a sum of several"
            )

    @property
    def name(self) -> str:
        """The column's name."""
        return self.field.name

    @property
    def rule(self) -> str:
        """Columns that it follows from, in words."""
        if self.keys:
            return f"each {self.of[0]} has one {self.name}"
        parts = [
            f"{w:g} {one}" if w != 1 else one for w, one in zip(self.weights, self.of, strict=True)
        ]
        text = " + ".join(parts).replace("+ -1 ", "- ").replace("+ -", "- ")
        return f"{self.name} = {text}" + (f" + {self.offset:g}" if self.offset else "")
