"""An order of rows that is mixed well and needs few blocks open at a time.

Blocks come in a random order. Each row of the block that comes as number p is dealt to one of the
steps p, p + 1, ..., p + W - 1 at random, counted around the end; the rows of a step are shuffled.
So at every step rows of exactly W blocks are drawn, and from one step to the next one block goes
and one comes. With W blocks or fewer in all this is a uniformly random permutation. With M blocks,
two rows that are drawn in the same step are of the same block with probability 1/W, where a uniform
permutation has 1/M: where the rows of each block are all alike, the worst case, the mean of a batch
of B rows has a variance 1 + (B - 1) (1/W - 1/M) times that after a uniform permutation.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Sliding:
    """A permutation of rows, drawn step by step.

    Args:
        starts: Where blocks begin and the last one ends, int64 `(M + 1,)`; a block may be empty.
        window: How many blocks `W` are open at a time, at least 1.
        seed: Which permutation; the same one for the same seed, however it is gone through.

    Example:
        >>> order = Sliding(np.array([0, 4, 8, 12]), window=2, seed=0)
        >>> rows = [int(row) for _, _, rows in order.steps() for row in rows]
        >>> sorted(rows) == list(range(12))
        True
    """

    starts: np.ndarray
    window: int
    seed: int

    @cached_property
    def order(self) -> np.ndarray:
        """The blocks that hold rows, in the order in which they come."""
        full = np.flatnonzero(np.diff(self.starts))
        return np.random.default_rng([self.seed, 0]).permutation(full)

    @cached_property
    def width(self) -> int:
        """Blocks open at a time: `window`, or all there are."""
        return max(1, min(self.window, len(self.order)))

    def steps(self) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Go through the steps: a number, and of each row a place `(B,)` and itself `(B,)`.

        A place says which of the open blocks the row is of: the block that comes as number p has
        place p modulo the width, and so takes that of the block that goes.
        """
        width = self.width
        opened = deque((self._dealt(p) for p in range(1 - width, 0)), maxlen=width)
        for step in range(len(self.order)):
            opened.append(self._dealt(step))
            numbers = range(step + 1 - width, step + 1)
            rows = [
                dealt[cuts[step - p] : cuts[step - p + 1]]
                for p, (dealt, cuts) in zip(numbers, opened, strict=True)
            ]
            places = np.repeat(np.array(numbers) % width, [len(part) for part in rows])
            shuffled = np.random.default_rng([self.seed, 2, step]).permutation(len(places))
            yield step, places[shuffled], np.concatenate(rows)[shuffled]

    def opened(self, step: int) -> list[tuple[int, int]]:
        """List (place, block) of all blocks that are open at a step, the newest one last."""
        width, order = self.width, self.order
        return [(p % width, int(order[p % len(order)])) for p in range(step + 1 - width, step + 1)]

    def _dealt(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Deal the rows of the block that comes as `number` to steps, and say where each begins."""
        number %= len(self.order)
        block = int(self.order[number])
        first, last = int(self.starts[block]), int(self.starts[block + 1])
        generator = np.random.default_rng([self.seed, 1, number])
        delay = generator.integers(0, self.width, last - first)
        rows = first + np.argsort(delay, kind="stable")
        cuts = np.concatenate([[0], np.cumsum(np.bincount(delay, minlength=self.width))])
        return rows, cuts
