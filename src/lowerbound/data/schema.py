"""What the data is: its fields, their kind and shape, and what was left out as constant."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as made
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from lowerbound.data.kinds import KINDS, MOST_LEVELS, Precision, Traits
from lowerbound.data.reading import Reading
from lowerbound.data.schema_json import from_json, to_json
from lowerbound.errors import DataError, ShapeError

Role = Literal["modelled", "condition"]

MOST_CELLS = 2**26
"""A schema of more cells than this is refused: nobody means it, and allocating it would hurt."""


@dataclass(frozen=True)
class Field:
    """One named part of an example.

    Args:
        name: The column's name; "image" or "x" for data without names.
        kind: A row of `lowerbound.data.KINDS`: binary, categorical, ordinal, count or real.
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
        self._check_measures()

    def _check_measures(self) -> None:
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
        return Traits(self.levels, self.categories, self.whole, self.decimals)

    @property
    def _apart(self) -> bool:
        return len(self.shape) in (2, 3)

    def spread(self, measured: tuple[float, ...]) -> np.ndarray:
        """One number for all, for each channel or for each cell, as an array `shape` or `1s`."""
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
        position: Its place, from 0, among all columns, constants included.
        value: What every example holds there: a number (an int is written as one), a word, or
            None where it was always empty.
    """

    name: str
    position: int
    value: float | str | None

    @property
    def text(self) -> str:
        """The value as a person reads it."""
        if self.value is None:
            return "empty"
        return repr(self.value) if isinstance(self.value, str) else f"{self.value:g}"


@dataclass(frozen=True)
class Schema:
    """What one packed example is.

    Args:
        fields: The parts, in the order of their cells; those of a table may differ in kind.
        shape: Of one packed example: `(C, H, W)` for images, `(T, C)` for series, `(D,)` for
            vectors and tables.
        constants: Columns left out, by position.
        threshold: Where the source was binarised (`x > threshold` is 1); None when it was not.
        precision: What reals are stored in.
        white: Where the source was drawn 0 or 1 by its grey levels (a level g is 1 with chance
            g / white), the level that is 1 for certain; None when it was not.
        reading: Decisions by which the source was read, and new data are read alike.

    Raises:
        DataError: The parts contradict each other.

    Example:
        >>> schema = Schema((Field("image", "ordinal", (1, 28, 28), 256),), (1, 28, 28))
        >>> schema.describe(), schema.dimensions
        ('8-bit images 1x28x28', 784)
    """

    fields: tuple[Field, ...]
    shape: tuple[int, ...]
    constants: tuple[Constant, ...] = ()
    threshold: float | None = None
    precision: Precision = "float32"
    white: float | None = None
    reading: Reading = made(default_factory=Reading)

    def __post_init__(self) -> None:
        if not self.modelled:
            raise DataError("a schema needs at least one field to model, got none")
        if len(self.shape) not in (1, 2, 3):
            raise DataError(f"an example has shape (D,), (T, C) or (C, H, W), got {self.shape}")
        if len(self.shape) > 1 and len(self.fields) > 1:
            raise DataError("only the columns of a table are fields of their own")
        cells = sum(field.cells for field in self.modelled)
        if cells != math.prod(self.shape) or cells > MOST_CELLS:
            raise DataError(
                f"the fields have {cells} cells, the packed shape {self.shape} another number"
            )
        names = [field.name for field in self.fields] + [column.name for column in self.constants]
        if len(set(names)) != len(names):
            raise DataError("two fields have the same name; rename one")
        places = [column.position for column in self.constants]
        width = sum(field.cells for field in self.fields) + len(places)
        if places and len(self.shape) != 1:
            raise DataError("only tables and vectors have constant columns")
        if places != sorted(set(places)) or any(not 0 <= place < width for place in places):
            raise DataError(
                f"constant columns need ascending positions in 0..{width - 1}, got {places}"
            )
        if self.threshold is not None and not (
            self.kind == "binary" and math.isfinite(self.threshold) and self.threshold > 0
        ):
            raise DataError(f"threshold {self.threshold} belongs to binarised data only")
        if self.white is not None and not (
            self.kind == "binary"
            and self.threshold is None
            and math.isfinite(self.white)
            and self.white > 0
        ):
            raise DataError(f"white {self.white} belongs to data drawn from grey levels only")
        if self.precision not in get_args(Precision):
            raise DataError(f"precision is float32 or float64, got {self.precision!r}")

    @property
    def modelled(self) -> tuple[Field, ...]:
        """The fields whose cells make up a packed example."""
        return tuple(field for field in self.fields if field.role == "modelled")

    @property
    def kind(self) -> str:
        """The one kind of all fields, or "mixed"."""
        kinds = {field.kind for field in self.modelled}
        return kinds.pop() if len(kinds) == 1 else "mixed"

    @property
    def levels(self) -> int | None:
        """How many values a cell can take; None for counts, reals, and where fields differ."""
        levels = {field.levels for field in self.modelled}
        return levels.pop() if len(levels) == 1 else None

    @property
    def missing(self) -> bool:
        """Whether cells may be unobserved."""
        return any(field.missing for field in self.modelled)

    @property
    def dimensions(self) -> int:
        """How many cells an example has, constants not counted."""
        return math.prod(self.shape)

    @property
    def is_image(self) -> bool:
        """Whether an example is `(C, H, W)`."""
        return len(self.shape) == 3

    @property
    def is_discrete(self) -> bool:
        """Whether log p(x) is a probability, not a density, in every cell."""
        return all(KINDS[field.kind].discrete for field in self.modelled)

    @property
    def is_table(self) -> bool:
        """Whether the columns have names."""
        return all(field.shape == () for field in self.fields)

    @property
    def binarized(self) -> bool:
        """Whether the source was binarised, cut at `threshold` or drawn."""
        return self.threshold is not None or self.white is not None

    @property
    def dtype(self) -> torch.dtype:
        """Storage of `x`: float64 where kinds differ, in which every code is exact."""
        if self.kind == "mixed":
            return torch.float64
        most = max((field.levels or 0 for field in self.modelled), default=0)
        return getattr(torch, KINDS[self.kind].storage(most or None, self.precision))

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The names of a table in their first order, constants included; None without names."""
        if not self.is_table:
            return None
        names = [field.name for field in self.fields]
        for column in self.constants:
            names.insert(column.position, column.name)
        return tuple(names)

    def columns_of(self, field: Field) -> slice:
        """The cells of a modelled field within an example that is flattened."""
        start = 0
        for one in self.modelled:
            if one.name == field.name:
                return slice(start, start + one.cells)
            start += one.cells
        raise DataError(f"the schema models no field {field.name!r}")

    def alike(self) -> dict[tuple[str, int | None], tuple[int, ...]]:
        """Cells of an example that one law can have together, by kind and levels.

        Returns:
            For each pair of kind and levels, in the order of their first cells, the positions of
            its cells in an example that is flattened, ascending.
        """
        found: dict[tuple[str, int | None], list[int]] = {}
        start = 0
        for field in self.modelled:
            cells = range(start, start + field.cells)
            found.setdefault((field.kind, field.levels), []).extend(cells)
            start += field.cells
        return {key: tuple(cells) for key, cells in found.items()}

    @property
    def mean(self) -> Tensor | None:
        """Means of the training split, broadcasting against `shape`; None unless measured.

        0 for the cells of categories.
        """
        return self._measured("mean", 0.0)

    @property
    def scale(self) -> Tensor | None:
        """Standard deviations of the training split, likewise; 1 for the cells of categories."""
        return self._measured("scale", 1.0)

    def _measured(self, name: Literal["mean", "scale"], otherwise: float) -> Tensor | None:
        parts: list[np.ndarray] = []
        for field in self.modelled:
            found = getattr(field, name)
            if not KINDS[field.kind].standardised:
                found = (otherwise,)
            if found is None:
                return None
            parts.append(field.spread(found))
        if len(parts) == 1:
            whole = parts[0]
        else:
            cells = zip(self.modelled, parts, strict=True)
            whole = np.concatenate([np.broadcast_to(p, f.shape).ravel() for f, p in cells])
        narrow = self.dtype if self.dtype.is_floating_point else torch.get_default_dtype()
        # a column of a table has the shape (), a packed example of one column (1,)
        return torch.as_tensor(whole, dtype=narrow).reshape(whole.shape or (1,))

    def pack(self, values: np.ndarray) -> np.ndarray:
        """All columns `(N, D + constants)` without the constant ones, `(N, D)`."""
        width = self.dimensions + len(self.constants)
        if values.ndim != 2 or values.shape[1] != width:
            raise ShapeError(f"pack takes (N, {width}), got {values.shape}")
        return np.delete(values, [column.position for column in self.constants], axis=1)

    def unpack(self, values: np.ndarray) -> np.ndarray:
        """The model's columns `(N, D)` with the constant ones back, `(N, D + constants)`.

        Constant columns of numbers only: a table of words is written by `columns_of`.
        """
        if not self.constants:
            return values
        if values.ndim != 2 or values.shape[1] != self.dimensions:
            raise ShapeError(f"unpack takes (N, {self.dimensions}), got {values.shape}")
        held = np.array([_number(column.value) for column in self.constants])
        with np.errstate(invalid="ignore"):  # nan is no whole number
            fits = values.dtype.kind == "f" or bool((held.astype(values.dtype) == held).all())
        whole = np.empty(
            (len(values), self.dimensions + len(held)), values.dtype if fits else float
        )
        places = [column.position for column in self.constants]
        whole[:, places] = held
        whole[:, np.setdiff1d(np.arange(whole.shape[1]), places)] = values
        return whole

    def describe(self) -> str:
        """A short phrase, such as "8-bit images 1x28x28" or "table of 12 real columns"."""
        kind = self.kind
        if kind in ("ordinal", "categorical") and self.levels is not None:
            kind = f"{kind} ({self.levels} levels)"
        if self.kind == "ordinal" and self.levels == 256:
            kind = "8-bit"
        if self.is_image:
            text = f"{kind} images {_by(self.shape)}"
        elif len(self.shape) == 2:
            text = f"{kind} series of {self.shape[0]} steps, {self.shape[1]} channels"
        elif self.is_table and self.kind == "mixed":
            text = f"table of {self.dimensions} columns ({self._census()})"
        elif self.is_table:
            text = f"table of {self.dimensions} {kind} column{'s' * (self.dimensions > 1)}"
        else:
            text = f"{kind} vectors of {self.dimensions}"
        if self.threshold is not None:
            text += f", binarised at {self.threshold:g}"
        if self.white is not None:
            text += f", drawn from grey levels 0 to {self.white:g}"
        if self.missing:
            text += ", with gaps"
        if self.constants:
            text += f", {len(self.constants)} constant left out"
        return text

    def _census(self) -> str:
        kinds = [field.kind for field in self.modelled]
        return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))

    def to_json(self) -> dict[str, Any]:
        """The schema as plain dictionaries, lists, strings and numbers."""
        return to_json(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Schema":
        """The schema that `to_json` wrote; trusts nothing.

        Raises:
            DataError: A key, type, range or size is wrong.
        """
        return from_json(cls, document, "schema")


def _number(value: float | str | None) -> float:
    if isinstance(value, str):
        raise DataError(f"a constant column holds the word {value[:40]!r}; write a table")
    return math.nan if value is None else float(value)


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
