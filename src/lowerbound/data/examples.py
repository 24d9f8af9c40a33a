"""Examples in memory."""

from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from lowerbound.core.batch import Batch
from lowerbound.data.grey import Grey


@dataclass(frozen=True)
class Examples:
    """Some examples, packed as the schema says.

    Args:
        x: The data as stored, `(N, *shape)`.
        observed: Which cells are known, bool `(N, *shape)`; None when all are.
        label: The class of each example, int64 `(N,)`, where the source had classes.
        label_names: What class 0, 1, ... is called.
        grey: What the bits of `x` were drawn from, where a training draws them anew; None
            otherwise.
        row_names: What each example is called, where the source says it.
        row_label: What the column of these names is called.
        unseen: Log p of the words that training never saw, which are gaps in `x`: `(N,)`, nats;
            None where there are none.

    Example:
        >>> examples = Examples(torch.zeros(10, 3))
        >>> len(examples), len(examples.batch(slice(0, 4)))
        (10, 4)
    """

    x: Tensor
    observed: Tensor | None = None
    label: Tensor | None = None
    label_names: tuple[str, ...] | None = None
    grey: Grey | None = None
    row_names: tuple[str, ...] | None = None
    row_label: str | None = None
    unseen: Tensor | None = None

    def __len__(self) -> int:
        return self.x.shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example."""
        return tuple(self.x.shape[1:])

    def batch(self, index: Tensor | slice) -> Batch:
        """Take the examples at `index` as a `Batch`; a slice copies nothing."""
        return Batch(self.x[index], None if self.observed is None else self.observed[index])

    def draw(self, index: Tensor | slice) -> Batch:
        """Take the examples at `index` as a training sees them: drawn anew, if at all."""
        if self.grey is None:
            return self.batch(index)
        return Batch(self.grey.draw(index), None if self.observed is None else self.observed[index])

    def batches(self, size: int, first: int = 0) -> Generator[Batch, None, None]:
        """Go through all examples once, shuffled by the random state in force now.

        Args:
            size: Of a batch; the last may be smaller.
            first: How many batches to pass over: the others are what they would have been.
        """
        order = torch.randperm(len(self), device=self.x.device)
        return (self.draw(chosen) for chosen in order.split(size)[first:])

    def few(self, most: int) -> "Examples":
        """Take the first `most`: a part of a split is in a random order."""
        return self.select(slice(0, most))

    def load(self) -> "Examples":
        """Return these: they are in memory."""
        return self

    def extremes(self) -> Batch:
        """Return all examples: see `Source.extremes`."""
        return Batch(self.x, self.observed)

    def select(self, index: Tensor | slice) -> "Examples":
        """Choose the examples at `index`, with their labels and names."""
        return Examples(
            self.x[index],
            None if self.observed is None else self.observed[index],
            None if self.label is None else self.label[index],
            self.label_names,
            None if self.grey is None else self.grey.select(index),
            None if self.row_names is None else _chosen(self.row_names, index),
            self.row_label,
            None if self.unseen is None else self.unseen[index],
        )

    def to(self, device: torch.device | str) -> "Examples":
        """Copy the examples to another device."""
        return Examples(
            self.x.to(device),
            None if self.observed is None else self.observed.to(device),
            None if self.label is None else self.label.to(device),
            self.label_names,
            None if self.grey is None else self.grey.to(device),
            self.row_names,
            self.row_label,
            self.unseen,
        )


def _chosen(names: tuple[str, ...], index: Tensor | slice) -> tuple[str, ...]:
    if isinstance(index, slice):
        return names[index]
    places = torch.arange(len(names), device=index.device)[index]
    return tuple(names[place] for place in places.tolist())
