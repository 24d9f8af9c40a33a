"""Schema of data: its fields, and constants that were left out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as made
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from lowerbound.data.field import MOST_CELLS, Constant, Derived, Field, LeftOut
from lowerbound.data.kinds import KINDS, Precision
from lowerbound.data.reading import Reading
from lowerbound.data.schema_json import from_json, to_json
from lowerbound.errors import DataError, ShapeError


@dataclass(frozen=True)
class Schema:
    """Schema of one packed example.

    Args:
        fields: The parts, in the order of their cells; those of a table may differ in kind.
        shape: Of one packed example: `(C, H, W)` for images, `(T, C)` for series, `(D,)` for
            vectors and tables.
        constants: Columns left out, by position.
        threshold: Where the source was binarised (`x > threshold` is 1); None when it was not.
        precision: Type that reals are stored in.
        white: Where the source was drawn 0 or 1 by its grey levels (a level g is 1 with chance
            g / white), the level that is 1 for certain; None when it was not.
        reading: Decisions by which the source was read, and new data are read alike.
        left_out: Columns of a table that no model can learn, by position.
        derived: Columns of a table that follow from others, by position.

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
    left_out: tuple[LeftOut, ...] = ()
    derived: tuple[Derived, ...] = ()

    def __post_init__(self) -> None:
        if not self.modelled:
            raise DataError("a schema needs at least one field to model, got none")
        if len(self.shape) not in (1, 2, 3):
            raise DataError(f"an example has shape (D,), (T, C) or (C, H, W), got {self.shape}")
        if len(self.shape) > 1 and len(self.modelled) > 1:
            raise DataError("only the columns of a table are fields of their own")
        cells = sum(field.cells for field in self.modelled)
        if cells != math.prod(self.shape) or cells > MOST_CELLS:
            raise DataError(
                f"the fields have {cells} cells, the packed shape {self.shape} another number"
            )
        names = [one.name for one in (*self.fields, *self.absent)]
        if len(set(names)) != len(names):
            raise DataError("two fields have the same name; rename one")
        places = [column.position for column in self.absent]
        width = sum(field.cells for field in self.fields) + len(places)
        if places and len(self.shape) != 1:
            raise DataError("only tables and vectors have constant columns")
        own = [[one.position for one in group] for group in (self.constants, self.left_out)]
        if len(set(places)) < len(places) or any(group != sorted(group) for group in own):
            raise DataError(f"constant columns need ascending positions, got {places}")
        if any(not 0 <= place < width for place in places):
            raise DataError(
                f"constant columns need ascending positions in 0..{width - 1}, got {places}"
            )
        known = {field.name for field in self.modelled}
        for one in self.derived:
            if not known.issuperset(one.of):
                raise DataError(f"column {one.name!r} follows from columns that are not modelled")
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
    def told(self) -> tuple[Field, ...]:
        """The fields that a model is told and does not explain."""
        return tuple(field for field in self.fields if field.role == "condition")

    @property
    def absent(self) -> tuple[Constant | LeftOut | Derived, ...]:
        """The columns of the source that no packed example has, by position."""
        every = (*self.constants, *self.left_out, *self.derived)
        return tuple(sorted(every, key=lambda one: one.position))

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
    def is_series(self) -> bool:
        """Whether an example is a series, `(T, C)`."""
        return len(self.shape) == 2

    @property
    def is_cells(self) -> bool:
        """Whether an example is the counts of a single cell, one a gene."""
        return bool(self.reading.genes)

    @property
    def is_text(self) -> bool:
        """Whether an example is a text, `(T,)` bytes."""
        return self.kind == "byte"

    @property
    def is_tune(self) -> bool:
        """Whether an example is a tune, `(T,)` tokens of `lowerbound.data.tunes`."""
        return self.kind == "note"

    @property
    def is_sequence(self) -> bool:
        """Whether an example is a row of tokens that ends."""
        return self.is_text or self.is_tune

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
        """The names of a table in their first order, all of them; None without names."""
        if not self.is_table:
            return None
        names = [field.name for field in self.fields]
        for column in self.absent:
            names.insert(column.position, column.name)
        return tuple(names)

    def columns_of(self, field: Field) -> slice:
        """Find the cells of a modelled field within an example that is flattened."""
        start = 0
        for one in self.modelled:
            if one.name == field.name:
                return slice(start, start + one.cells)
            start += one.cells
        raise DataError(f"the schema models no field {field.name!r}")

    def alike(self) -> dict[tuple[str, int | None], tuple[int, ...]]:
        """Group the cells of an example that one law can have together, by kind and levels.

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
        return torch.as_tensor(whole, dtype=narrow, device="cpu").reshape(whole.shape or (1,))

    def unpack(self, values: np.ndarray) -> np.ndarray:
        """Put the constant columns back into the model's `(N, D)`: `(N, D + constants)`.

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
        """Describe the data: "8-bit images 1x28x28", or "table of 12 real columns"."""
        kind = self.kind
        if kind in ("ordinal", "categorical") and self.levels is not None:
            kind = f"{kind} ({self.levels} levels)"
        if self.kind == "ordinal" and self.levels == 256:
            kind = "8-bit"
        if self.is_cells:
            text = f"counts of {self.dimensions} genes in single cells"
        elif self.is_image:
            text = f"{kind} images {_by(self.shape)}"
        elif self.is_text:
            text = f"texts of up to {self.shape[0] - 1} bytes"
        elif self.is_tune:
            text = f"tunes of up to {self.shape[0] - 1} sixteenths"
        elif len(self.shape) == 2:
            steps, channels = self.shape
            text = f"{kind} series of {steps} steps, {channels} channel{'s' * (channels > 1)}"
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
        if self.derived:
            text += f", {len(self.derived)} that follow from others"
        return text

    def _census(self) -> str:
        kinds = [field.kind for field in self.modelled]
        return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))

    def to_json(self) -> dict[str, Any]:
        """Write the schema as plain dictionaries, lists, strings and numbers."""
        return to_json(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Schema":
        """Read the schema that `to_json` wrote; trusts nothing.

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
