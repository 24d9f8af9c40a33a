"""Rows of a source as examples in memory."""

import numpy as np
import torch

from lowerbound.data.examples import Examples
from lowerbound.data.fitting import Fitting
from lowerbound.data.notes import Tally
from lowerbound.data.raw import Raw
from lowerbound.data.rows import Block

#: Bytes of rows that are turned into examples at a time.
AT_ONCE = 2**24


def load_block(raw: Raw, fitting: Fitting, rows: np.ndarray, tally: Tally | None = None) -> Block:
    """Read rows, int64 `(N,)`, in their order, as the schema stores them, a part at a time."""
    x = np.empty((len(rows), *fitting.schema.shape), fitting.dtype)
    observed = np.ones(x.shape, bool) if fitting.masked else None
    step = max(1, AT_ONCE // fitting.row_bytes)
    for start in range(0, len(rows), step):
        block = fitting(raw.rows.take(rows[start : start + step]), tally)
        x[start : start + step] = block.values
        if observed is not None and block.observed is not None:
            observed[start : start + step] = block.observed
    if observed is not None and not fitting.schema.missing and observed.all():
        observed = None
    return Block(x, observed)


def load(raw: Raw, fitting: Fitting, rows: np.ndarray, tally: Tally | None = None) -> Examples:
    """Read rows as examples, with their classes and names.

    Args:
        raw: The source.
        fitting: All that is done to its rows.
        rows: Which, int64 `(N,)`, in this order.
        tally: Counts what a person should know of new data.
    """
    block, names = load_block(raw, fitting, rows, tally), raw.row_names
    return Examples(
        torch.from_numpy(block.values),
        None if block.observed is None else torch.from_numpy(block.observed),
        None if raw.label is None else torch.from_numpy(raw.label[rows].astype(np.int64)),
        raw.label_names,
        row_names=None if names is None else tuple(names[row] for row in rows.tolist()),
        row_label=raw.row_label,
        lengths=torch.from_numpy((block.values != 0).sum(axis=1))
        if fitting.schema.is_sequence
        else None,
        token="sixteenth" if fitting.schema.is_tune else "byte",
        condition=None if raw.condition is None else torch.from_numpy(raw.condition[rows]),
        transpose=fitting.schema.is_tune and fitting.schema.reading.transpose,
    )
