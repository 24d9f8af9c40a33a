"""What a reader of one format hands to the dispatcher, before the axes are decided."""

from dataclasses import dataclass

import numpy as np

from lowerbound.data.notes import Note


@dataclass(frozen=True)
class Found:
    """Numbers as a file holds them, all parts one below the other.

    Args:
        values: `(N, ...)`, of whatever numeric dtype the source had.
        observed: Bool of the same shape where cells are known; None when all are.
        part: Int8 `(N,)`: TRAIN, VALIDATION or TEST where the source says so.
        label: Int64 `(N,)` classes.
        label_names: What the classes are called.
        row_names: What the rows are called.
        row_label: What the names of the rows are called.
        notes: What was decided.
    """

    values: np.ndarray
    observed: np.ndarray | None = None
    part: np.ndarray | None = None
    label: np.ndarray | None = None
    label_names: tuple[str, ...] | None = None
    row_names: tuple[str, ...] | None = None
    row_label: str | None = None
    notes: tuple[Note, ...] = ()
