"""Packed examples as named columns, in the words and numbers that a person wrote."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from lowerbound.data.derive import work_out
from lowerbound.data.field import Constant, Derived, LeftOut
from lowerbound.data.ids import new_ids
from lowerbound.data.kinds import KINDS
from lowerbound.data.schema import Schema
from lowerbound.errors import ShapeError


def columns_of(
    x: Tensor | np.ndarray,
    schema: Schema,
    observed: Tensor | np.ndarray | None = None,
    *,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Give the columns of a table or of vectors back, those that were left out included.

    Args:
        x: Examples `(N, D)` as stored; means of reals and counts, too.
        schema: Of a table or of vectors.
        observed: Which cells are known, bool `(N, D)`; None for all.
        seed: Of new ids.

    Returns:
        Arrays `(N,)` by the names of the columns in their first order: words, whole numbers,
        numbers with the decimals that were seen, dates as they were written; ids are new ones by
        the pattern seen, text is None. Gaps are None among words and whole numbers, and
        nan among other numbers. Vectors have columns "x0", "x1", ..., or the names of genes.

    Raises:
        ShapeError: The schema is of images or series.
    """
    values = x.detach().cpu().numpy() if isinstance(x, Tensor) else x
    mask = observed.cpu().numpy() if isinstance(observed, Tensor) else observed
    if len(schema.shape) != 1 or values.ndim != 2 or values.shape[1] != schema.dimensions:
        raise ShapeError(
            f"columns are those of examples (N, {schema.dimensions}) of a table, got "
            f"{values.shape} of {schema.describe()}"
        )
    found: list[tuple[str, np.ndarray]] = []
    for field in schema.modelled:
        for place in range(*schema.columns_of(field).indices(schema.dimensions)):
            column = KINDS[field.kind].back(values[:, place], field.traits)
            if mask is not None and not mask[:, place].all():
                column = with_gaps(column, mask[:, place])
            found.append((field.name, column))
    for one in schema.absent:
        if isinstance(one, Constant):
            column = _held(one, len(values))
        elif isinstance(one, LeftOut):
            column = new_ids(one, len(values), seed) if one.kind == "id" else _none(len(values))
        else:
            column = _derived(one, values, mask, schema)
        found.insert(one.position, (one.name, column))
    if schema.is_table:
        return dict(found)
    names = schema.reading.genes or tuple(f"x{place}" for place in range(len(found)))
    return {name: column for name, (_, column) in zip(names, found, strict=True)}


def with_gaps(column: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Put nan, or None where there is no nan, into the cells that are not known."""
    if column.dtype.kind == "f":
        return np.where(known, column, np.nan)
    if column.dtype.kind in "mM":
        return np.where(known, column, np.array("NaT", column.dtype))
    gaps = column.astype(object)
    gaps[~known] = None
    return gaps


def _derived(
    column: Derived, values: np.ndarray, mask: np.ndarray | None, schema: Schema
) -> np.ndarray:
    found = work_out(column, values, mask, schema)
    known, kind = np.isfinite(found), KINDS[column.field.kind]
    back = kind.back(np.where(known, found, kind.filler), column.field.traits)
    return back if known.all() else with_gaps(back, known)


def _none(count: int) -> np.ndarray:
    return np.full(count, None, dtype=object)


def _held(constant: Constant, count: int) -> np.ndarray:
    if constant.value is None or isinstance(constant.value, str):
        return np.full(count, constant.value, dtype=object)
    return np.full(count, constant.value)


@dataclass(frozen=True)
class Words:
    """Values that are written into the gaps, by column: rows, and a text or value for each."""

    rows: dict[str, np.ndarray]
    values: dict[str, np.ndarray]


def words_of(
    schema: Schema, row: np.ndarray, cell: np.ndarray, value: np.ndarray, whole: np.ndarray
) -> Words:
    """Turn values of gaps, as stored, into the words and numbers that a person would write.

    Columns that follow from others are worked out for every row: they may have gaps, too.

    Args:
        schema: Of the table.
        row: The example of each gap, `(G,)`.
        cell: Its column among those modelled, `(G,)`.
        value: As stored, `(G,)`.
        whole: All examples, filled, `(N, D)`.
    """
    rows, values = {}, {}
    for one in schema.derived:
        column = _derived(one, whole, None, schema)
        known = np.array([word is not None and word == word for word in column.tolist()], bool)
        rows[one.name], values[one.name] = np.flatnonzero(known), column[known]
    fields = [field for field in schema.modelled for _ in range(field.cells)]
    width = len(fields) + len(schema.constants)
    free = np.setdiff1d(np.arange(width), [one.position for one in schema.constants])
    for place, field in enumerate(fields):
        own = cell == place
        if not own.any():
            continue
        name = field.name if schema.is_table else f"column {free[place] + 1}"
        rows[name] = row[own]
        values[name] = KINDS[field.kind].back(value[own], field.traits)
    return Words(rows, values)
