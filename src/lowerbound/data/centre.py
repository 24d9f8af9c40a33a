"""Where the cells of levels lie and how far they spread: from there an encoder sees them."""

import math

import numpy as np

#: Of examples of more cells, one number is kept for all of them: it is written into every run.
MOST_APART = 2**14
#: Numbers that are summed at a time, of whole examples: 8 MiB of them, or one example.
BLOCK = 2**20


class Centre:
    """Mean of every cell and one standard deviation for all, from examples in any order and parts.

    Sums are of whole numbers and exact, so that both are the same whether the examples are in
    memory or read in blocks. One deviation for all cells: one that hardly ever varies, such as a
    pixel at the border, would be blown up by its own.

    Args:
        shape: Of an example, whose cells are whole numbers below 2**16.
        named: Whether its cells are columns, of which each has its own field.

    Example:
        >>> centre = Centre((2,))
        >>> centre.add(np.array([[0, 2], [0, 0]]))
        >>> centre.found()
        ((0.0, 1.0), (0.7071068,))
    """

    def __init__(self, shape: tuple[int, ...], *, named: bool = False) -> None:
        self.cells, self.named, self.count, self.squares = math.prod(shape), named, 0, 0
        self.apart = named or self.cells <= MOST_APART
        self.sums = np.zeros(self.cells if self.apart else 1, np.int64)

    def add(self, values: np.ndarray) -> None:
        """Take in examples `(N, *shape)`."""
        flat = values.reshape(len(values), self.cells)
        rows = max(1, BLOCK // self.cells)
        for start in range(0, len(flat), rows):
            some = flat[start : start + rows].astype(np.int64)
            self.sums += some.sum(axis=0 if self.apart else None)
            self.squares += int(np.square(some).sum())
        self.count += len(values)

    def found(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Location and unit: the mean of each cell, or of all; and how far cells are from it.

        The second is the root mean square of the distances, 1 if cells never vary.
        """
        each = self.count if self.apart else self.count * self.cells  # numbers in each sum
        # of the whole numbers themselves: the difference of two large ones, and nothing rounded
        apart = each * self.squares - sum(total * total for total in self.sums.tolist())
        variance = apart / (each * self.count * self.cells)
        unit = math.sqrt(variance) if variance > 0 else 1.0
        return _short(self.sums / each), _short(np.full(self.cells if self.named else 1, unit))


def centre_of_draws(grey: np.ndarray, white: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Location and unit of bits that are drawn: each 1 with the chance `grey` / `white`.

    Args:
        grey: Examples `(N, *shape)`, numbers of any kind from 0 to `white`.
        white: What is 1 for certain.
    """
    chance = grey.mean(axis=0, dtype=np.float64).ravel() / white
    if len(chance) > MOST_APART:
        chance = chance.mean(keepdims=True)
    variance = float(np.mean(chance * (1 - chance)))
    return _short(chance), _short(np.array([math.sqrt(variance) if variance > 0 else 1.0]))


def _short(values: np.ndarray) -> tuple[float, ...]:
    """To the seven digits that the models compute in."""
    return tuple(float(f"{value:.7g}") for value in values)
