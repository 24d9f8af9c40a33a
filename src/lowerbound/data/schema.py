"""What the data is: its fields, their kind and shape, and what was left out as constant."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from lowerbound.errors import DataError, ShapeError

Kind = Literal["binary", "8-bit", "ordinal", "real"]
Precision = Literal["float32", "float64"]

MOST_CELLS = 2**26
"""A schema of more cells than this is refused: nobody means it, and allocating it would hurt."""


@dataclass(frozen=True)
class Field:
    """One named part of an example.

    Args:
        name: The column's name; "image" or "x" for data without names.
        kind: binary (levels 2), 8-bit (levels 256), ordinal (values 0..levels-1) or real.
        shape: `()` for a column of a table, `(D,)` for a vector, `(C, H, W)` for an image.
        levels: How many values a cell can take; None for reals.
        location: Means of the training split: one number a cell, or a single one for all.
        unit: Standard deviations of the training split, likewise; all positive.

    Raises:
        DataError: The parts contradict each other.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...] = ()
    levels: int | None = None
    location: tuple[float, ...] | None = None
    unit: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            known = ", ".join(get_args(Kind))
            raise DataError(f"field {self.name!r} has kind {self.kind!r}; there are: {known}")
        if any(size < 1 for size in self.shape):
            raise DataError(f"field {self.name!r} has the empty shape {self.shape}")
        if math.prod(self.shape) > MOST_CELLS:
            raise DataError(f"field {self.name!r} has {math.prod(self.shape)} cells, over 2**26")
        fixed = {"binary": 2, "8-bit": 256, "real": None}
        if self.kind in fixed and self.levels != fixed[self.kind]:
            raise DataError(
                f"{self.kind} field {self.name!r} has levels {fixed[self.kind]}, got {self.levels}"
            )
        if self.kind == "ordinal" and not (self.levels is not None and 2 <= self.levels <= 65536):
            raise DataError(
                f"ordinal field {self.name!r} needs 2 to 65536 levels, got {self.levels}"
            )
        if (self.location is None) != (self.unit is None):
            raise DataError(f"field {self.name!r} needs both location and unit, or neither")
        for measured in (self.location, self.unit):
            if measured is None:
                continue
            if len(measured) not in (1, math.prod(self.shape)):
                raise DataError(
                    f"field {self.name!r} has {math.prod(self.shape)} cells but "
                    f"{len(measured)} locations or units; give one a cell, or one for all"
                )
            if not all(math.isfinite(value) for value in measured):
                raise DataError(f"field {self.name!r} has a location or unit that is not finite")
        if self.unit is not None and min(self.unit) <= 0:
            raise DataError(f"field {self.name!r} has a unit that is not positive")


@dataclass(frozen=True)
class Constant:
    """A column that never varies: left out of the model, put back on output.

    Args:
        name: The column's name.
        position: Its place, from 0, among all columns, constants included.
        value: What every example holds there.
    """

    name: str
    position: int
    value: float


@dataclass(frozen=True)
class Schema:
    """What one packed example is.

    Args:
        fields: The parts; all of one kind in this version.
        shape: Of one packed example: `(C, H, W)` for images, `(D,)` for vectors and tables.
        constants: Columns left out, by position.
        threshold: Where the source was binarised (`x > threshold` is 1); None when it was not.
        precision: What reals are stored in.
        white: Where the source was drawn 0 or 1 by its grey levels (a level g is 1 with chance
            g / white), the level that is 1 for certain; None when it was not.

    Raises:
        DataError: The parts contradict each other.

    Example:
        >>> schema = Schema((Field("image", "8-bit", (1, 28, 28), 256),), (1, 28, 28))
        >>> schema.describe(), schema.dimensions
        ('8-bit images 1x28x28', 784)
    """

    fields: tuple[Field, ...]
    shape: tuple[int, ...]
    constants: tuple[Constant, ...] = ()
    threshold: float | None = None
    precision: Precision = "float32"
    white: float | None = None

    def __post_init__(self) -> None:
        if not self.fields:
            raise DataError("a schema needs at least one field, got none")
        if len(self.shape) not in (1, 3):
            raise DataError(f"an example has shape (D,) or (C, H, W), got {self.shape}")
        if len({(field.kind, field.levels) for field in self.fields}) > 1:
            raise DataError("all fields share one kind and one number of levels in this version")
        cells = sum(math.prod(field.shape) for field in self.fields)
        if cells != math.prod(self.shape) or cells > MOST_CELLS:
            raise DataError(
                f"the fields have {cells} cells, the packed shape {self.shape} another number"
            )
        names = [field.name for field in self.fields] + [column.name for column in self.constants]
        if len(set(names)) != len(names):
            raise DataError("two fields have the same name; rename one")
        places = [column.position for column in self.constants]
        width = self.shape[0] + len(places)
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
    def kind(self) -> Kind:
        """The one kind of all fields."""
        return self.fields[0].kind

    @property
    def levels(self) -> int | None:
        """How many values a cell can take; None for reals."""
        return self.fields[0].levels

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
        """Whether log p(x) is a probability, not a density."""
        return self.kind != "real"

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
        """What `x` is stored in."""
        if self.levels is not None:
            return torch.uint8 if self.levels <= 256 else torch.int32
        return torch.float64 if self.precision == "float64" else torch.float32

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The names of a table in their first order, constants included; None without names."""
        if not self.is_table:
            return None
        names = [field.name for field in self.fields]
        for column in self.constants:
            names.insert(column.position, column.name)
        return tuple(names)

    @property
    def location(self) -> Tensor | None:
        """Means of the training split, `shape` or `(1, ..., 1)`; None unless measured."""
        return self._measured([field.location for field in self.fields])

    @property
    def unit(self) -> Tensor | None:
        """Standard deviations of the training split, likewise; of levels one for all cells."""
        return self._measured([field.unit for field in self.fields])

    def _measured(self, parts: list[tuple[float, ...] | None]) -> Tensor | None:
        values = [value for part in parts if part is not None for value in part]
        if not values or None in parts:
            return None
        flat = torch.tensor(values, dtype=self.dtype if self.kind == "real" else None)
        if len(values) == self.dimensions:
            return flat.reshape(self.shape)
        return flat.reshape((1,) * len(self.shape))

    def pack(self, values: np.ndarray) -> np.ndarray:
        """All columns `(N, D + constants)` without the constant ones, `(N, D)`."""
        width = self.dimensions + len(self.constants)
        if values.ndim != 2 or values.shape[1] != width:
            raise ShapeError(f"pack takes (N, {width}), got {values.shape}")
        return np.delete(values, [column.position for column in self.constants], axis=1)

    def unpack(self, values: np.ndarray) -> np.ndarray:
        """The model's columns `(N, D)` with the constant ones back, `(N, D + constants)`."""
        if not self.constants:
            return values
        if values.ndim != 2 or values.shape[1] != self.dimensions:
            raise ShapeError(f"unpack takes (N, {self.dimensions}), got {values.shape}")
        held = np.array([column.value for column in self.constants])
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
        kind = f"ordinal ({self.levels} levels)" if self.kind == "ordinal" else self.kind
        if self.is_image:
            text = f"{kind} images {'x'.join(map(str, self.shape))}"
        elif self.is_table:
            text = f"table of {self.dimensions} {kind} column{'s' * (self.dimensions > 1)}"
        else:
            text = f"{kind} vectors of {self.dimensions}"
        if self.threshold is not None:
            text += f", binarised at {self.threshold:g}"
        if self.white is not None:
            text += f", drawn from grey levels 0 to {self.white:g}"
        if self.constants:
            text += f", {len(self.constants)} constant left out"
        return text

    def to_json(self) -> dict[str, Any]:
        """The schema as plain dictionaries, lists, strings and numbers."""
        from lowerbound.data.schema_json import schema_to_json

        return schema_to_json(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Schema":
        """The schema that `to_json` wrote; trusts nothing.

        Raises:
            DataError: A key, type, range or size is wrong.
        """
        from lowerbound.data.schema_json import schema_from_json

        return schema_from_json(document)
