"""Parts of a source: in memory if it is, else where it lies."""

import numpy as np
import torch
from torch import Tensor

from lowerbound.data.facts import Facts
from lowerbound.data.fitting import Fitting
from lowerbound.data.loading import load
from lowerbound.data.packed.examples import StoredExamples
from lowerbound.data.packed.span import Span, span_without
from lowerbound.data.raw import Raw
from lowerbound.data.source import Source
from lowerbound.data.splits import HELD_OUT_BYTES


def part_of(
    raw: Raw,
    fitting: Fitting,
    facts: Facts,
    rows: np.ndarray | None = None,
    without: np.ndarray | None = None,
) -> Source:
    """Take some rows of a source as examples.

    Args:
        raw: The source.
        fitting: All that is done to its rows.
        facts: About all rows.
        rows: Which, int64, in this order; all others than `without`, in theirs, if None.
        without: Rows that belong elsewhere.

    Returns:
        Examples in memory if the source is, or if so few are asked for; else such as stay on disk.
    """
    without = np.empty(0, np.int64) if without is None else without
    span = span_without(len(raw), without)
    if raw.rows.in_memory or (rows is not None and len(rows) * fitting.row_bytes <= HELD_OUT_BYTES):
        return load(raw, fitting, span.rows(np.arange(len(span))) if rows is None else rows)
    found = StoredExamples(raw, fitting, span, _witness(fitting, facts))
    return found if rows is None else _run(found, rows)


def _run(found: StoredExamples, rows: np.ndarray) -> StoredExamples:
    """Take many rows of a part that the source gives: from the first to the last, less others."""
    first, last = int(rows[0]), int(rows[-1]) + 1
    between = np.setdiff1d(np.arange(first, last), rows, assume_unique=True)
    return StoredExamples(
        found.raw, found.fitting, Span(first, last, between), found.witness, found.device
    )


def _witness(fitting: Fitting, facts: Facts) -> Tensor:
    """Make examples `(3, *shape)`: least, greatest, and between where any is no whole number."""
    schema, facts = fitting.schema, facts.only(fitting.columns)
    low, high = facts.low, facts.high
    between = np.where(facts.whole, low, low + (high - low) / np.pi)
    ends = np.stack([low, high, between])
    ends = np.where(np.isfinite(ends), ends, 0.0)
    if schema.kind == "binary":
        ends[:] = [[0.0], [1.0], [0.0]]
    for place, lookup in fitting.lookups.items():
        ends[:, place] = [0, lookup.codes.max(), 0]
    cells = torch.from_numpy(ends).to(schema.dtype)
    shape = schema.shape if cells.shape[1] > 1 else (1,) * len(schema.shape)
    return cells.reshape(3, *shape).expand(3, *schema.shape)
