"""Where the cells lie and how far they spread: from there an encoder sees them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from lowerbound.data.bins import Values
from lowerbound.data.kinds import KINDS
from lowerbound.data.notes import Note
from lowerbound.data.pieces import Words
from lowerbound.data.rows import Block
from lowerbound.data.schema import Schema
from lowerbound.errors import DataError

#: Of examples of more cells of levels, one mean is kept for all: it is written into every run.
MOST_APART = 2**14
#: Standard deviations below this, or their squares, would vanish in float32.
SMALLEST = 1e-30
#: Channels of an image are measured apart if their spreads differ by more than this factor, or
#: their means by more than so many spreads.
APART = 4

Measures = tuple[tuple[float, ...], tuple[float, ...]]


class Levels:
    """Mean of every cell and one standard deviation for all, of whole numbers below 2**16.

    Sums are of whole numbers and exact. One deviation for all cells: one that hardly ever varies,
    such as a pixel at the border, would be blown up by its own.

    Args:
        shape: Of an example.
        apart: Whether each cell has a mean of its own.

    Example:
        >>> levels = Levels((2,))
        >>> levels.add(np.array([[0, 2], [0, 0]]), None)
        >>> levels.found()
        ((0.0, 1.0), (0.7071068,))
    """

    def __init__(self, shape: tuple[int, ...], *, apart: bool | None = None) -> None:
        self.cells, self.squares = math.prod(shape), 0
        self.apart = self.cells <= MOST_APART if apart is None else apart
        self.sums = np.zeros(self.cells if self.apart else 1, np.int64)
        self.counts = np.zeros_like(self.sums)

    def add(self, values: np.ndarray, observed: np.ndarray | None) -> None:
        """Take in examples `(B, *shape)`; unknown cells hold 0."""
        axis, flat = (0 if self.apart else None), values.reshape(len(values), self.cells)
        whole = flat.astype(np.int64)
        self.sums += whole.sum(axis=axis)
        self.squares += int(np.square(whole, out=whole).sum())
        if observed is None:
            self.counts += len(values) * (1 if self.apart else self.cells)
        else:
            self.counts += observed.reshape(flat.shape).sum(axis=axis)

    def found(self) -> Measures:
        """Give the mean of each cell, or of all, and the root mean square distance from it.

        The second is 1 if cells never vary. Both to the seven digits that models compute in.
        """
        counts, sums = np.maximum(self.counts, 1), self.sums.tolist()
        count, total = int(counts[0]), int(counts.sum())
        if (counts == count).all():  # of the whole numbers: the difference of two large ones
            variance = (count * self.squares - sum(one * one for one in sums)) / (count * total)
        else:
            parts = [one * one / n for one, n in zip(sums, counts.tolist(), strict=True)]
            variance = (self.squares - math.fsum(parts)) / total
            variance = variance if variance > 1e-12 * self.squares / total else 0.0
        scale = math.sqrt(variance) if variance > 0 else 1.0
        return short(self.sums / counts), short([scale])


class Numbers:
    """Mean and standard deviation of each of several units, whatever the size of the numbers.

    Args:
        shape: Of an example.
        pool: Axes of it over which numbers are pooled; each place on the others is a unit.

    Source: Chan, Golub & LeVeque (1979), Updating formulae and a pairwise algorithm for computing
        sample variances, equation 2.1.
    """

    def __init__(self, shape: tuple[int, ...], pool: Sequence[int] = ()) -> None:
        self.axes = (0, *(axis + 1 for axis in pool))
        units = (1, *(1 if axis in pool else size for axis, size in enumerate(shape)))
        self.counts = np.zeros(units, np.int64)
        self.mean, self.squares = np.zeros(units), np.zeros(units)
        self.low, self.high = np.full(units, np.inf), np.full(units, -np.inf)

    def add(self, values: np.ndarray, observed: np.ndarray | None) -> None:
        """Take in examples `(B, *shape)`; unknown cells have no part."""
        where = True if observed is None else observed
        values = values if values.dtype.kind == "f" else values.astype(np.float64)
        with np.errstate(all="ignore"):
            counts = np.sum(np.broadcast_to(where, values.shape), axis=self.axes, keepdims=True)
            kept = {"axis": self.axes, "keepdims": True, "where": where}
            mean = np.sum(values, dtype=np.float64, **kept) / np.maximum(counts, 1)
            squares = np.sum(np.square(values - mean), dtype=np.float64, **kept)
            self._join(counts, mean, squares)
        self.low = np.minimum(self.low, np.min(values, initial=np.inf, **kept))
        self.high = np.maximum(self.high, np.max(values, initial=-np.inf, **kept))

    def _join(self, counts: np.ndarray, mean: np.ndarray, squares: np.ndarray) -> None:
        apart = np.where(counts > 0, mean - self.mean, 0.0)
        share = counts / np.maximum(self.counts + counts, 1)
        self.mean = self.mean + apart * share
        self.squares = self.squares + squares + np.square(apart) * (self.counts * share)
        self.counts = self.counts + counts

    @property
    def scale(self) -> np.ndarray:
        """Standard deviations; 0 where nothing varies."""
        return np.sqrt(self.squares / np.maximum(self.counts, 1))

    def pooled(self) -> "Numbers":
        """Give the measures of all units together, where these are much alike; else as they are."""
        low = self.scale.min()
        if self.mean.size < 2 or self.scale.max() > APART * low or np.ptp(self.mean) > APART * low:
            return self
        one = Numbers(self.mean.shape[1:], range(self.mean.ndim - 1))
        one.counts += self.counts.sum()
        one.mean += (self.mean * (self.counts / one.counts)).sum()
        apart = np.square(self.mean - one.mean) * self.counts
        one.squares += (self.squares + apart).sum()
        one.low[:], one.high[:] = self.low.min(), self.high.max()
        return one

    def found(self, where: str) -> tuple[np.ndarray, np.ndarray]:
        """Give means and standard deviations, `(U,)`; 1 where nothing varies.

        Raises:
            DataError: The numbers are too large, or differ by too little.
        """
        scale = self.scale
        if not (np.isfinite(self.mean).all() and np.isfinite(scale).all()):
            most = max(np.abs(self.low).max(), np.abs(self.high).max())
            raise DataError(f"{where} has values up to {most:g}, too large to measure; rescale")
        tiny = (scale > 0) & (scale < SMALLEST) | (scale == 0) & (self.high > self.low)
        if tiny.any():
            raise DataError(
                f"{where} has values that differ by less than {SMALLEST:g}, too little to "
                "measure; rescale"
            )
        return self.mean.ravel(), np.where(scale > 0, scale, 1.0).ravel()


def measure(schema: Schema, train: Iterable[Block], where: str) -> tuple[Schema, tuple[Note, ...]]:
    """Measure means and spreads of the training part, and the bins of each column of a table.

    Levels have a mean a cell and one spread; reals and counts both for each column of a table or
    vector and each channel of a series, and one of each for an image unless its channels differ
    much; categories have none. Bits that are drawn have the mean of their chances.

    Args:
        schema: Schema of the rows.
        train: All rows of the training part, as the schema stores them; grey levels where others
            draw bits from these.
        where: Name of the data in messages.

    Returns:
        The schema with its measures, and what was noticed.

    Raises:
        DataError: The numbers are too large to measure, or differ by too little.
    """
    shape, table = schema.shape, schema.is_table
    pool = {1: (), 2: (0,), 3: (1, 2)}[len(shape)]
    tools: list[tuple[np.ndarray | None, Levels | Numbers]] = []
    for (kind, levels), places in _groups(schema):
        event = shape if places is None else (len(places),)
        if schema.white is not None:
            tools.append((places, Numbers(event)))
        elif KINDS[kind].standardised:
            tool = Levels(event, apart=table or None) if levels else Numbers(event, pool)
            tools.append((places, tool))
    known = np.zeros(schema.dimensions if table else 0, np.int64)
    values = Values(schema.dimensions) if table else None
    words = Words() if schema.is_text else None
    for block in train:
        if words is not None:
            words.add(block.values)
        if values is not None:
            known += len(block) if block.observed is None else block.observed.sum(axis=0)
            values.add(block.values, block.observed)
        for places, tool in tools:
            own = block if places is None else block[:, places]
            tool.add(own.values, own.observed)
    mean, scale = np.zeros(schema.dimensions), np.ones(schema.dimensions)
    still: list[int] = []
    for places, tool in tools:
        if isinstance(tool, Levels):
            means, scales = map(np.array, tool.found())
        elif schema.white is not None:
            means, scales = _of_draws(tool.mean.ravel() / schema.white)
        else:
            tool = tool.pooled() if schema.is_image else tool
            means, scales = tool.found(where)
            quiet = np.flatnonzero((tool.low >= tool.high).ravel())
            if len(shape) == 1:
                still += (quiet if places is None else places[quiet]).tolist()
        if not table:
            field = replace(
                schema.fields[0], mean=tuple(means.tolist()), scale=tuple(scales.tolist())
            )
            return replace(schema, fields=(field,)), _still_notes(schema, still)
        mean[slice(None) if places is None else places] = means
        scale[slice(None) if places is None else places] = scales
    if words is not None:
        return replace(schema, fields=(replace(schema.fields[0], pairs=words.pairs()),)), ()
    measured = _with_measures(schema, mean, scale, known)
    if values is not None:
        measured = _with_bins(measured, values)
    return measured, _still_notes(schema, still)


def short(values: Iterable[float]) -> tuple[float, ...]:
    """Round to the seven digits that models compute in."""
    return tuple(float(f"{value:.7g}") for value in values)


def _groups(schema: Schema) -> list[tuple[tuple[str, int | None], np.ndarray | None]]:
    """Group the cells that are measured by one tool; None for all."""
    alike = {(one.kind, one.levels) for one in schema.modelled}
    if len(alike) == 1:
        return [(alike.pop(), None)]
    return [(key, np.array(places)) for key, places in schema.alike().items()]


def _of_draws(chance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and spread of bits that are 1 with these chances."""
    if len(chance) > MOST_APART:
        chance = chance.mean(keepdims=True)
    variance = float(np.mean(chance * (1 - chance)))
    spread = math.sqrt(variance) if variance > 0 else 1.0
    return np.array(short(chance)), np.array(short([spread]))


def _with_measures(
    schema: Schema, mean: np.ndarray, scale: np.ndarray, known: np.ndarray
) -> Schema:
    fields, place = list(schema.fields), 0
    for j, field in enumerate(fields):
        if field.role != "modelled":
            continue
        if KINDS[field.kind].standardised:
            own = {"mean": (float(mean[place]),), "scale": (float(scale[place]),)}
            fields[j] = field = replace(field, **own)
        if field.categories or field.kind in ("positive", "bounded"):
            fields[j] = replace(field, known=int(known[place]))
        place += 1
    return replace(schema, fields=tuple(fields))


def _with_bins(schema: Schema, values: Values) -> Schema:
    found = iter(values.found(schema.modelled))
    fields = (
        replace(one, bins=next(found)) if one.role == "modelled" else one for one in schema.fields
    )
    return replace(schema, fields=tuple(fields))


def _still_notes(schema: Schema, still: list[int]) -> tuple[Note, ...]:
    if not still:
        return ()
    names = [one.name for one in schema.modelled]
    listed = tuple(names[j] if schema.is_table else f"column {j + 1}" for j in still[:4])
    return (Note("columns constant in the training split: their scale is 1", len(still), listed),)
