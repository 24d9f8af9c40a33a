"""Examples as training, evaluation and applications ask for them, wherever they are kept."""

from collections.abc import Generator
from typing import Protocol

import torch
from torch import Tensor

from lowerbound.core.batch import Batch
from lowerbound.data.examples import Examples


class Source(Protocol):
    """`N` examples, packed as a schema says: `Examples` in memory, or `StoredExamples` on disk.

    Whatever works on a `Source` works on both, and gives the same numbers for the same examples.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        ...

    @property
    def observed(self) -> Tensor | None:
        """Which cells are known, bool `(N, *shape)`; None when all are."""
        ...

    @property
    def label(self) -> Tensor | None:
        """The class of each example, int64 `(N,)`, where the source had classes."""
        ...

    @property
    def label_names(self) -> tuple[str, ...] | None:
        """Names of classes 0, 1, ..."""
        ...

    @property
    def row_names(self) -> tuple[str, ...] | None:
        """Name of each example, where the source says it."""
        ...

    @property
    def row_label(self) -> str | None:
        """Name of the column of these names."""
        ...

    def __len__(self) -> int:
        """Count the examples, `N`."""
        ...

    def batch(self, index: Tensor | slice) -> Batch:
        """Take the examples at `index`, in its order."""
        ...

    def batches(self, size: int, first: int = 0) -> Generator[Batch, None, None]:
        """Go through all examples once, shuffled by the random state in force now.

        Args:
            size: Of a batch; the last may be smaller.
            first: How many batches to pass over: the others are what they would have been.
        """
        ...

    def select(self, index: Tensor | slice) -> "Source":
        """Choose the examples at `index`, with their labels, kept where they are."""
        ...

    def few(self, most: int) -> "Examples":
        """Take at most so many of them, the same each time, in memory."""
        ...

    def load(self) -> "Examples":
        """Read the examples into memory.

        Raises:
            DataError: They do not fit.
        """
        ...

    def extremes(self) -> Batch:
        """Return examples whose known values lie in a support exactly if all values do."""
        ...

    def to(self, device: torch.device | str) -> "Source":
        """Hand the examples over on another device."""
        ...
