"""The form of X at fit, so that results of the model come back in it."""

import math
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from torch import Tensor

from lowerbound.data import Schema, columns_of, texts_of
from lowerbound.estimator.frames import frame_of, library_of


@dataclass(frozen=True)
class Form:
    """The form of an example of X.

    Args:
        shape: Of one example: `(D,)`, `(H, W)`, `(T, C)`, `(H, W, C)` or `(C, H, W)`.
        dtype: The number type of the cells.
        white: The value in X of a binary cell that is stored as 1: 1, or 255 in images.
        frame: The library of a data frame with other than numbers; "" for arrays.
        like: Such a frame, for the types of its columns; None after loading.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    white: int = 1
    frame: str = ""
    like: Any = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, X: Any, schema: Schema) -> Self:
        """Take the form of `X`, `(N, ...)` or a data frame, which has this schema."""
        if schema.is_text:
            return cls.of_schema(schema)
        if not isinstance(X, np.ndarray):
            return replace(cls.of_schema(schema), frame=library_of(X), like=X)
        white = 255 if X.ndim > 2 and schema.kind == "binary" and X.max() == 255 else 1
        return cls(X.shape[1:], X.dtype.newbyteorder("="), white)

    @classmethod
    def of_schema(cls, schema: Schema) -> Self:
        """Choose a form for data that was read from a file: grey images without an axis for it."""
        shape: tuple[int, ...] = schema.shape
        if len(shape) == 1:
            shape = (schema.dimensions + len(schema.constants),)
        elif schema.reading.axes == "hwc":
            shape = (*shape[1:], shape[0])
        elif schema.reading.axes == "ct":
            shape = shape[::-1]
        elif schema.is_image and shape[0] == 1:
            shape = shape[1:]
        dtype = "float64" if schema.kind == "mixed" else str(schema.dtype).removeprefix("torch.")
        return cls(shape, np.dtype(dtype))

    def restore(self, x: Tensor, schema: Schema) -> Any:
        """Turn the shape and levels of the model, `(N, *event)`, into those of X."""
        values = x.numpy()
        if self.frame:
            return frame_of(columns_of(values, schema), self.frame, self.like)
        if schema.is_text:
            return np.array(texts_of(values), dtype=object)
        if len(self.shape) == 1:
            return schema.unpack(values)
        if self.white != 1:
            values = values * self.white
        if schema.reading.axes == "hwc":
            values = values.transpose(0, 2, 3, 1)
        if schema.reading.axes == "ct":
            values = values.transpose(0, 2, 1)
        return np.ascontiguousarray(values).reshape(-1, *self.shape)

    def to_json(self) -> dict[str, Any]:
        """Write it as plain values."""
        document = {"shape": list(self.shape), "dtype": self.dtype.str, "white": self.white}
        return {**document, "frame": self.frame} if self.frame else document

    @classmethod
    def from_json(cls, document: Any, schema: Schema) -> Self:
        """Read what `to_json` wrote, and trust nothing."""
        shape, white = tuple(document["shape"]), document["white"]
        dtype = np.dtype(str(document["dtype"]))
        frame = str(document.get("frame", ""))
        if not all(type(size) is int for size in shape):
            raise ValueError(f"impossible shape {shape}")
        if dtype.kind not in "biuf" or white not in (1, 255):
            raise ValueError(f"impossible cells of type {dtype} and white {white!r}")
        flat = len(schema.shape) == 1 and schema.reading.axes is None
        cells = schema.dimensions + len(schema.constants)
        if not 1 <= len(shape) <= (1 if flat else 3) or math.prod(shape) != cells:
            raise ValueError(f"shape {shape} does not fit {schema.describe()}")
        return cls(shape, dtype, white, frame)
