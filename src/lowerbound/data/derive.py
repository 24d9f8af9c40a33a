"""Columns that follow from others: found before training, worked out again on output."""

import numpy as np

from lowerbound.data.field import Derived
from lowerbound.data.schema import Schema


def derived(
    column: Derived, x: np.ndarray, observed: np.ndarray | None, schema: Schema
) -> np.ndarray:
    """Work out a column from examples `(N, D)` as stored, as a person would write it."""
    raise NotImplementedError
