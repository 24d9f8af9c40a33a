"""The form of X at fit, so that what the model gives comes back in it."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from torch import Tensor

from lowerbound.data import Schema


@dataclass(frozen=True)
class Form:
    """What an example of X looked like.

    Args:
        shape: Of one example: `(D,)`, `(H, W)`, `(T, C)`, `(H, W, C)` or `(C, H, W)`.
        dtype: The number type of the cells.
        white: What a binary cell that is stored as 1 was in X: 1, or 255 in images.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    white: int = 1

    @classmethod
    def of(cls, X: np.ndarray, schema: Schema) -> Self:
        """The form of `X`, `(N, ...)`, which was taken for what `schema` says."""
        white = 255 if X.ndim > 2 and schema.kind == "binary" and X.max() == 255 else 1
        return cls(X.shape[1:], X.dtype.newbyteorder("="), white)

    def restore(self, x: Tensor, schema: Schema) -> np.ndarray:
        """From the shape and levels of the model, `(N, *event)`, to those of X."""
        values = x.numpy()
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
        """Plain values."""
        return {"shape": list(self.shape), "dtype": self.dtype.str, "white": self.white}

    @classmethod
    def from_json(cls, document: Any, schema: Schema) -> Self:
        """What `to_json` wrote; trusts nothing.

        Raises:
            ValueError: Its values are impossible, or contradict the schema; likewise `TypeError`
                and `KeyError`.
        """
        shape, white = tuple(document["shape"]), document["white"]
        dtype = np.dtype(str(document["dtype"]))
        if not all(type(size) is int for size in shape):
            raise ValueError(f"impossible shape {shape}")
        if dtype.kind not in "biuf" or white not in (1, 255):
            raise ValueError(f"impossible cells of type {dtype} and white {white!r}")
        form = cls(shape, dtype, white)
        flat = len(schema.shape) == 1 and schema.reading.axes is None
        if not 1 <= len(shape) <= (1 if flat else 3) or math.prod(shape) != schema.dimensions + len(
            schema.constants
        ):
            raise ValueError(f"shape {shape} does not fit {schema.describe()}")
        return form
