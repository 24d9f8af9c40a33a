"""The bins of each column of a table, measured on the training examples."""

import numpy as np

from lowerbound.data.field import Field
from lowerbound.distributions import Bins

#: From so many examples on any column is cut; below, one with this many examples a value.
ENOUGH_EXAMPLES, PER_VALUE = 2000, 10
#: Kinds of whole numbers.
COUNTED = frozenset({"count", "whole", "date", "datetime", "time", "duration"})
#: With no more distinct numbers than this each has a bin of its own.
FEW_VALUES = 100
#: A real number has a bin of its own if it is this share of the examples.
SHARE = 0.01
#: A whole number, if this many examples hold it, and of one in `ONE_IN`.
ENOUGH, ONE_IN = 5, 2000
#: Most numbers with a bin of their own.
MOST_ATOMS = 256
#: Ranges for the other numbers, with examples for them or with few.
RANGES, FEWER_RANGES, MANY = 50, 20, 5000
#: Fewest examples in a range.
LEAST_IN_RANGE = 10
#: Most examples that are kept of each column; of more, every second, fourth, ... is.
MOST_KEPT = 2**17


class Values:
    """The numbers of some columns of training examples, or of every so many of these.

    Args:
        columns: How many columns.
    """

    def __init__(self, columns: int) -> None:
        self.columns, self.seen, self.every = columns, 0, 1
        self.parts: list[np.ndarray] = []

    def add(self, values: np.ndarray, observed: np.ndarray | None) -> None:
        """Take in examples `(B, columns)`."""
        chosen = slice(-self.seen % self.every, None, self.every)
        some = values[chosen].astype(np.float64)
        if observed is not None:
            some[~observed[chosen]] = np.nan
        self.seen += len(values)
        self.parts.append(some)
        if sum(map(len, self.parts)) > 2 * MOST_KEPT:
            self.parts, self.every = [np.concatenate(self.parts)[::2].copy()], 2 * self.every

    def found(self, fields: tuple[Field, ...]) -> tuple[Bins | None, ...]:
        """Give the bins of each column; None for one that has too few known cells."""
        whole = np.concatenate(self.parts) if self.parts else np.empty((0, self.columns))
        known = (column[~np.isnan(column)] for column in whole.T)
        return tuple(bins_of(own, field) for own, field in zip(known, fields, strict=True))


def bins_of(values: np.ndarray, field: Field) -> Bins | None:
    """Cut a column into bins.

    Codes have one each. Of numbers, all have one where there are few, else those that many examples
    hold; quantiles cut the range of the others.

    Args:
        values: Known cells of training examples, `(N,)`.
        field: Whose they are.

    Returns:
        The bins; None where there are too few examples for numbers so different.
    """
    if not len(values):
        return None
    if field.levels is not None:
        counts = np.bincount(values.astype(np.int64), minlength=field.levels)
        return Bins(tuple(counts.tolist()))
    whole = field.whole or field.kind in COUNTED
    found, counts = np.unique(values, return_counts=True)
    if len(values) < min(ENOUGH_EXAMPLES, PER_VALUE * len(found)):
        return None
    own = _own(found, counts, len(values), whole)
    atoms, rest = found[own], np.repeat(found[~own], counts[~own])
    edges = _edges(found, atoms, rest, len(values), whole)
    inside = np.bincount(np.searchsorted(edges, rest, side="right"), minlength=len(edges) + 1)
    inside[-2] += inside[-1]  # the greatest number is the last edge, and lies below it
    inside[-1] = 0
    low, high = _limits(field, found)
    held = (*counts[own].tolist(), *inside.tolist())
    return Bins(held, tuple(atoms.tolist()), tuple(edges.tolist()), whole, low, high)


def _own(found: np.ndarray, counts: np.ndarray, examples: int, whole: bool) -> np.ndarray:
    """Tell which of the distinct numbers have a bin of their own."""
    if len(found) <= FEW_VALUES and (whole or examples >= PER_VALUE * len(found)):
        return np.ones(len(found), bool)
    least = max(ENOUGH, examples / ONE_IN if whole else SHARE * examples)
    own = counts >= least
    if own.sum() > MOST_ATOMS:
        own[np.argsort(-counts, kind="stable")[MOST_ATOMS:]] = False
    return own


def _edges(
    found: np.ndarray, atoms: np.ndarray, rest: np.ndarray, examples: int, whole: bool
) -> np.ndarray:
    """Give the edges of ranges, in each of which there can be numbers that are no atoms."""
    first, last = found[0], found[-1]
    if first == last:
        first, last = first - 1, last + 1
    inner = np.empty(0)
    if len(rest):
        ranges = RANGES if examples >= MANY else FEWER_RANGES
        ranges = max(1, min(ranges, len(rest) // LEAST_IN_RANGE))
        inner = np.quantile(rest, np.arange(1, ranges) / ranges)
    if not whole:
        edges = np.unique(inner)
        return np.concatenate([[first], edges[(edges > first) & (edges < last)], [last]])
    edges = np.unique(np.concatenate([[first], np.ceil(inner), [last + 1]])) - 0.5
    # a range in which every whole number is an atom joins the next
    free = edges + 0.5 - np.searchsorted(atoms, edges)
    kept = [*np.flatnonzero(np.diff(free) > 0).tolist(), len(edges) - 1]
    return edges[[0, *kept[1:]]] if len(kept) > 1 else edges[[0, -1]]


def _limits(field: Field, found: np.ndarray) -> tuple[float | None, float | None]:
    """Give the least and the greatest number that a kind can hold."""
    if field.kind in ("count", "positive"):
        return 0.0, None
    if field.kind == "bounded":
        return 0.0, 1.0 if found[-1] <= 1 else 100.0
    return None, None
