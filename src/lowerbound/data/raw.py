"""What a reader hands over before anything has been decided about it."""

from dataclasses import dataclass

import numpy as np

from lowerbound.data.notes import Note
from lowerbound.errors import DataError

MOST_BYTES = 8 * 2**30
"""Data that would take more memory than this is refused with a remedy, before it is allocated."""

TRAIN, VALIDATION, TEST = 0, 1, 2


@dataclass(frozen=True)
class Raw:
    """Numbers as they were found, all parts one below the other.

    Args:
        where: What messages call the source.
        values: `(N, ...)`, of whatever numeric dtype the source had.
        names: The column names of a table.
        part: Int8 `(N,)`: TRAIN, VALIDATION or TEST where the source says so; None where not.
        label: Int64 `(N,)` classes.
        label_names: What the classes are called.
        levels: How many levels the cells have, where the source knows it (digits: 17).
        pictures: Whether the values were decoded from picture files (uint8, `(N, C, H, W)`).
        notes: What the reader noticed.
    """

    where: str
    values: np.ndarray
    names: tuple[str, ...] | None = None
    part: np.ndarray | None = None
    label: np.ndarray | None = None
    label_names: tuple[str, ...] | None = None
    levels: int | None = None
    pictures: bool = False
    notes: tuple[Note, ...] = ()


def refuse_oversize(size: int, where: str) -> None:
    """Raise a `DataError` when `size` bytes are more than this version holds in memory."""
    if size > MOST_BYTES:
        raise DataError(
            f"{where} needs {size / 2**30:.1f} GiB of memory, over the limit of "
            f"{MOST_BYTES // 2**30} GiB; "
            "give fewer examples (--limit) or smaller ones (--image-size)"
        )
