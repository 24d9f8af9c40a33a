"""Rows of a source as examples in memory."""

import numpy as np
import torch

from lowerbound.data.examples import Examples
from lowerbound.data.fitting import Fitting
from lowerbound.data.grey import Grey, drawn_once
from lowerbound.data.notes import Tally
from lowerbound.data.raw import Raw

#: Bytes of rows that are turned into examples at a time.
AT_ONCE = 2**24


def load(
    raw: Raw,
    fitting: Fitting,
    rows: np.ndarray,
    *,
    alone: bool = False,
    tally: Tally | None = None,
) -> Examples:
    """Read rows, in their order, a part at a time.

    Args:
        raw: The source.
        fitting: All that is done to its rows.
        rows: Which, int64 `(N,)`.
        alone: Whether to leave out their classes and names.
        tally: Counts what a person should know of new data.
    """
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
    if alone and not fitting.schema.is_text:
        return Examples(torch.from_numpy(x), _tensor(observed))
    names = raw.row_names
    return Examples(
        torch.from_numpy(x),
        _tensor(observed),
        None if raw.label is None else torch.from_numpy(raw.label[rows].astype(np.int64)),
        raw.label_names,
        row_names=None if names is None else tuple(names[row] for row in rows.tolist()),
        row_label=raw.row_label,
        lengths=_tensor((x != 0).sum(axis=1)) if fitting.schema.is_text else None,
    )


def with_draws(raw: Raw, fitting: Fitting, seed: int) -> Examples:
    """Read all rows of a source as bits drawn from their grey levels, which are kept.

    Args:
        raw: The source.
        fitting: Keeps grey levels.
        seed: Of the one draw that every cell has now; a training draws anew.
    """
    found = load(raw, fitting, np.arange(len(raw)))
    white = fitting.schema.white or 1.0
    bits = torch.from_numpy(drawn_once(found.x.numpy(), white, seed))
    return Examples(
        bits, found.observed, found.label, found.label_names, Grey(found.x, white),
        found.row_names, found.row_label,
    )  # fmt: skip


def _tensor(mask: np.ndarray | None) -> torch.Tensor | None:
    return None if mask is None else torch.from_numpy(mask)
