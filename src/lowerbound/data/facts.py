"""Facts about all rows, from one pass through them: what kinds are inferred from."""

from collections.abc import Callable
from copy import copy

import numpy as np

from lowerbound.data.kinds import Seen
from lowerbound.data.raw import Column
from lowerbound.data.rows import Block, Rows, blocks

Progress = Callable[[int, int], None]


class Facts:
    """Of tables and vectors one fact a column, `(D,)`; of images and series one for all, `(1,)`.

    Args:
        shape: Of a row.

    Attributes:
        count: Rows seen.
        known: How many cells are observed.
        low: The smallest numbers; inf where none is observed.
        high: The greatest; -inf likewise.
        whole: Whether every number is a whole one.
        first: The first number seen.
        second: The first that differs from it; nan where none does.
        more: Whether there is a third.
        extreme: Whether every cell of all is 0 or 255.
        counting: Whether the first column numbers the rows, from 0 or from 1.
        endless: Infinite cells, which count as unobserved.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.apart = shape, len(shape) == 1
        width = shape[0] if self.apart else 1
        self.count = self.endless = 0
        self.known = np.zeros(width, np.int64)
        self.low, self.high = np.full(width, np.inf), np.full(width, -np.inf)
        self.first, self.second = np.full(width, np.nan), np.full(width, np.nan)
        self.whole, self.more = np.ones(width, bool), np.zeros(width, bool)
        self.extreme = self.counting = True

    @classmethod
    def of(cls, rows: Rows, progress: Progress | None = None) -> "Facts":
        """Look at every cell once."""
        found = cls(rows.shape)
        for start, block in blocks(rows):
            found.add(block)
            if progress is not None:
                progress(start + len(block), len(rows))
        return found

    def only(self, columns: np.ndarray | None) -> "Facts":
        """Choose the facts about some columns, in an order of their own; about all for None."""
        if columns is None:
            return self
        some = copy(self)
        some.shape = (len(columns),)
        for name in ("known", "low", "high", "first", "second", "whole", "more"):
            setattr(some, name, getattr(self, name)[columns])
        return some

    @property
    def bits(self) -> bool:
        """Whether every known cell of all is 0 or 1."""
        return bool(self.whole.all() and (self.low >= 0).all() and (self.high <= 1).all())

    @property
    def least(self) -> float:
        """The smallest number of all; 0 where none is known."""
        return float(self.low.min()) if self.known.any() else 0.0

    @property
    def most(self) -> float:
        """The greatest number of all."""
        return float(self.high.max()) if self.known.any() else 0.0

    @property
    def gaps(self) -> np.ndarray:
        """Whether some cells are unobserved, bool."""
        return self.known < self.count * (1 if self.apart else int(np.prod(self.shape)))

    @property
    def still(self) -> np.ndarray:
        """Whether no two known cells of a column differ, bool."""
        return np.isnan(self.second)

    def seen(self, place: int, column: Column, some: np.ndarray | None = None) -> Seen:
        """Sum up one column of a table, as kinds are inferred from it.

        Args:
            place: Of the column.
            column: Facts that its reader knows.
            some: Many of its known cells.
        """
        ends = (float(self.first[place]), float(self.second[place]))
        return Seen(
            float(self.low[place]),
            float(self.high[place]),
            () if self.more[place] or np.isnan(ends).any() else tuple(sorted(ends)),
            column.categories,
            bool(self.whole[place]),
            column.whole,
            column.decimals,
            column.name,
            column.declared,
            column.form,
            some,
        )

    def add(self, block: Block) -> None:
        """Look at some more rows."""
        values, observed = known(block)
        if block.values.dtype.kind == "f":
            self.endless += int(np.isinf(block.values).sum())
        if self.apart and values.shape[1] and self.counting:
            count = np.arange(self.count, self.count + len(values))
            first = values[:, 0]
            self.counting = bool((first == count).all() or (first == count + 1).all())
        self.counting &= self.apart
        self.count += len(values)
        byte = values.dtype == np.uint8
        self.extreme = self.extreme and byte and bool(((values == 0) | (values == 255)).all())
        if not self.apart:
            values = values.reshape(-1, 1)
            observed = None if observed is None else observed.reshape(-1, 1)
        if not len(values):
            return
        self._range(values, observed)
        if self.apart and not self.more.all():
            self._distinct(values, observed)

    def _range(self, values: np.ndarray, observed: np.ndarray | None) -> None:
        low = high = values
        if observed is None:
            self.known += len(values)
        else:
            self.known += observed.sum(axis=0)
            low = np.where(observed, values, np.inf)
            high = np.where(observed, values, -np.inf)
        self.low = np.minimum(self.low, low.min(axis=0))
        self.high = np.maximum(self.high, high.max(axis=0))
        if values.dtype.kind == "f" and self.whole.any():
            whole = values == np.round(values)
            self.whole &= (whole if observed is None else whole | ~observed).all(axis=0)

    def _distinct(self, values: np.ndarray, observed: np.ndarray | None) -> None:
        """Find up to two numbers of each column, and whether there are more."""
        left = np.flatnonzero(~self.more)  # soon few
        if len(left) < values.shape[1]:
            values = values[:, left]
            observed = None if observed is None else observed[:, left]
        here = np.ones(values.shape, bool) if observed is None else observed
        for found in (self.first, self.second):
            place = here.argmax(axis=0)[None]
            new = np.isnan(found[left]) & np.take_along_axis(here, place, 0)[0]
            found[left[new]] = np.take_along_axis(values, place, 0)[0, new]
            here = here & (values != found[left])
        self.more[left] = here.any(axis=0)


def known(block: Block) -> tuple[np.ndarray, np.ndarray | None]:
    """Tell which cells of a block are known: not hidden, nan or infinite.

    Returns:
        The numbers, those of unknown cells as they are, and bool of the same shape; None if all
        are known.
    """
    values, observed = block.values, block.observed
    if values.dtype.kind == "f":
        finite = np.isfinite(values)
        if not finite.all():
            observed = finite if observed is None else finite & observed
    if observed is not None and observed.all():
        observed = None
    return values, observed
