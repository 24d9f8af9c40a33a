"""Where the cells of levels lie and how far they spread: from there an encoder sees them."""

import math

import numpy as np

#: Of examples of more cells, one number is kept for all of them: it is written into every run.
MOST_APART = 2**14
#: Numbers that are summed at a time, of whole examples: 8 MiB of them, or one example.
BLOCK = 2**20


class Centre:
    """Mean of every cell and one standard deviation for all, from examples in any order and parts.

    Sums of whole numbers are exact, so that both are the same whether the examples are in memory
    or read in blocks. One deviation for all cells: one that hardly ever varies, such as a pixel at
    the border, would be blown up by its own.

    Args:
        shape: Of an example, whose cells are whole numbers.
        named: Whether its cells are columns, of which each has its own field.

    Example:
        >>> centre = Centre((2,))
        >>> centre.add(np.array([[0, 2], [0, 0]]))
        >>> centre.location(), centre.unit()
        ((0.0, 1.0), (0.7071068,))
    """

    def __init__(self, shape: tuple[int, ...], *, named: bool = False) -> None:
        cells = math.prod(shape)
        self.named, self.apart = named, named or cells <= MOST_APART
        self.cells, self.count, self.squares = cells, 0, 0.0
        self.sums = np.zeros(cells if self.apart else 1)

    def add(self, values: np.ndarray) -> None:
        """Take in examples `(N, *shape)`."""
        flat = values.reshape(len(values), self.cells)
        rows = max(1, BLOCK // self.cells)
        for start in range(0, len(flat), rows):
            some = flat[start : start + rows].astype(np.float64)
            self.sums += some.sum(axis=0 if self.apart else None)
            self.squares += float(np.vdot(some, some))
        self.count += len(values)

    def location(self) -> tuple[float, ...]:
        """The mean of each cell, or of all."""
        return _short(self._means())

    def unit(self) -> tuple[float, ...]:
        """The root mean square of the cells' distances from `location`; 1 if they never vary."""
        mean = float(np.square(self._means()).mean())
        spread = self.squares / (self.count * self.cells) - mean
        unit = math.sqrt(spread) if spread > 0 else 1.0
        return _short(np.full(self.cells if self.named else 1, unit))

    def _means(self) -> np.ndarray:
        return self.sums / (self.count if self.apart else self.count * self.cells)


def _short(values: np.ndarray) -> tuple[float, ...]:
    """To the seven digits that the models compute in."""
    return tuple(float(f"{value:.7g}") for value in values)
