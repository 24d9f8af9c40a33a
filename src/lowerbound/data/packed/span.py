"""Which rows of a source a part of it has, without a list of them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Span:
    """A run of rows without some, in their order.

    Args:
        start: The first row.
        stop: One past the last row.
        without: Rows in between that belong elsewhere, int64, ascending.
    """

    start: int
    stop: int
    without: np.ndarray

    def __len__(self) -> int:
        return self.stop - self.start - len(self.without)

    def rows(self, index: np.ndarray) -> np.ndarray:
        """Look up the source's rows at places `index` of this span, int64."""
        # the j-th row left out has without[j] - start - j rows of the span in front of it
        before = self.without - self.start - np.arange(len(self.without))
        return self.start + index + np.searchsorted(before, index, side="right")

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Count the rows of this span that lie in front of each of the source's `rows`, int64."""
        inside = np.clip(rows, self.start, self.stop)
        return inside - self.start - np.searchsorted(self.without, inside, side="left")

    def kept(self, start: int, stop: int) -> np.ndarray:
        """Tell which of the source's rows `start` to `stop - 1`, all within, belong, bool."""
        belongs = np.ones(stop - start, dtype=bool)
        first, last = np.searchsorted(self.without, [start, stop])
        belongs[self.without[first:last] - start] = False
        return belongs


def span_without(count: int, without: np.ndarray) -> Span:
    """Take all of `count` rows but some, int64 in any order."""
    return Span(0, count, np.sort(without.astype(np.int64)))
