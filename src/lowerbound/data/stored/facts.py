"""What is known of all rows of a store after one pass through it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from lowerbound.data.arrays import check_finite, layout
from lowerbound.data.infer import half_of, kind_from
from lowerbound.data.stored.store import Store

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Facts:
    """Of vectors and tables each array is of one fact a column, `(D,)`; of images, `(1,)`.

    Attributes:
        shape: Of a row in its layout: `(D,)` or `(C, H, W)`.
        first: The first row.
        lows: The smallest values.
        highs: The largest.
        bit: Whether every cell is 0 or 1.
        whole: Whether every cell is a whole number.
        still: Whether every row has the value of the first.
        extreme: Whether every cell is 0 or 255.
        grey: Whether all channels are equal.
        counting: Whether the first column numbers the rows, from 0 or from 1.
    """

    shape: tuple[int, ...]
    first: np.ndarray
    lows: np.ndarray
    highs: np.ndarray
    bit: np.ndarray
    whole: np.ndarray
    still: np.ndarray
    extreme: bool
    grey: bool
    counting: bool

    @property
    def bits(self) -> bool:
        """Whether every cell of all is 0 or 1."""
        return bool(self.bit.all())

    @property
    def low(self) -> float:
        """The smallest value of all."""
        return self.lows.min().item()

    @property
    def high(self) -> float:
        """The largest value of all."""
        return self.highs.max().item()

    def of(self, columns: np.ndarray) -> "Facts":
        """The same of some columns, bool `(D,)`."""
        arrays = ("first", "lows", "highs", "bit", "whole", "still")
        some = {name: getattr(self, name)[columns] for name in arrays}
        return replace(self, shape=(int(columns.sum()),), **some)

    def kind(self, store: Store) -> tuple[str, int | None]:
        """The kind of cells and their number of levels; compare `infer.kind_of`."""
        if store.levels is not None:
            return "ordinal", store.levels
        if self.bits:
            return "binary", 2
        return kind_from(store.dtype, 1 + len(self.shape), self.low, self.high)

    def half(self, store: Store) -> float:
        """Where binarising cuts; compare `infer.half`."""
        return half_of(self.kind(store)[1], self.low, self.high, store.where)


def facts_of(store: Store, progress: Progress | None = None) -> Facts:
    """Look at every cell once.

    Args:
        store: At least one row.
        progress: Called with (rows done, rows in all).

    Raises:
        DataError: A cell is missing or infinite, or four axes have no channels.
    """
    found = None
    for start, rows in store.blocks():
        check_finite(rows, f"{store.where} from row {start:,} on", store.names)
        values = rows if store.pictures else layout(rows, store.where)[0]
        here = _facts(values, start, None if found is None else found.first)
        found = here if found is None else _both(found, here)
        if progress is not None:
            progress(start + len(rows), len(store))
    if found is None:
        raise ValueError("a store without rows")
    return found


def _facts(values: np.ndarray, start: int, first: np.ndarray | None) -> Facts:
    first = np.array(values[0]) if first is None else first
    table = values.ndim == 2
    axis = 0 if table else None
    lows, highs = np.atleast_1d(values.min(axis=axis)), np.atleast_1d(values.max(axis=axis))
    byte = values.dtype == np.uint8
    is_float = values.dtype.kind == "f"
    if values.dtype.kind == "b":
        bit = np.ones(len(lows), dtype=bool)
    elif is_float:
        bit = np.atleast_1d(((values == 0) | (values == 1)).all(axis=axis))
    else:
        bit = (lows >= 0) & (highs <= 1)
    count = np.arange(start, start + len(values))
    return Facts(
        shape=values.shape[1:],
        first=first,  # type: ignore[reportArgumentType]
        lows=lows,
        highs=highs,
        bit=bit,
        whole=np.atleast_1d((values == np.round(values)).all(axis=axis))
        if is_float
        else np.ones(len(lows), dtype=bool),
        still=(values == first).all(axis=0) if table else np.zeros(1, dtype=bool),
        extreme=byte and bool(((values == 0) | (values == 255)).all()),
        grey=values.ndim == 4 and values.shape[1] == 3 and bool((values == values[:, :1]).all()),
        counting=table and bool((values[:, 0] == count).all() or (values[:, 0] == count + 1).all()),
    )


def _both(one: Facts, other: Facts) -> Facts:
    return Facts(
        one.shape,
        one.first,
        np.minimum(one.lows, other.lows),
        np.maximum(one.highs, other.highs),
        one.bit & other.bit,
        one.whole & other.whole,
        one.still & other.still,
        one.extreme and other.extreme,
        one.grey and other.grey,
        one.counting and other.counting,
    )
