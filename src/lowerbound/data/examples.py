"""Examples in memory."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lowerbound.core.batch import Batch
from lowerbound.data.grey import Grey
from lowerbound.data.tunes import transposed

#: Batches among whose examples those of about one length are put together.
POOL = 50


@dataclass(frozen=True)
class Examples:
    """Some examples, packed as the schema says.

    Args:
        x: The data as stored, `(N, *shape)`.
        observed: Which cells are known, bool `(N, *shape)`; None when all are.
        label: The class of each example, int64 `(N,)`, where the source had classes.
        label_names: Names of classes 0, 1, ...
        grey: Grey levels that the bits of `x` were drawn from, where a training draws them anew;
            None otherwise.
        row_names: Name of each example, where the source says it.
        row_label: Name of the column of these names.
        lengths: How much of each example there is, where they differ, `(N,)`: a training puts
            examples of about one length into a batch.
        token: Name of a number of a sequence.
        unseen: Log p of cells such as training never saw, which are gaps in `x`, and of changes of
            columns that never varied: `(N, D + C)`, nats; None where there are none.
        condition: Codes of what a conditional model is told, int64 `(N, C)`, -1 where it is not.
        transpose: Whether a training sees tunes moved by some semitones, drawn anew each time.

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
    lengths: Tensor | None = None
    token: str = "byte"
    unseen: Tensor | None = None
    condition: Tensor | None = None
    transpose: bool = False

    def __len__(self) -> int:
        return self.x.shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return tuple(self.x.shape[1:])

    def batch(self, index: Tensor | slice) -> Batch:
        """Take the examples at `index` as a `Batch`; a slice copies nothing."""
        observed, condition = self.observed, self.condition
        return Batch(
            self.x[index],
            None if observed is None else observed[index],
            None if condition is None else condition[index],
        )

    def draw(self, index: Tensor | slice) -> Batch:
        """Take the examples at `index` as a training sees them: drawn anew, if at all."""
        batch = self.batch(index)
        if self.transpose:
            return replace(batch, x=transposed(batch.x))
        return batch if self.grey is None else replace(batch, x=self.grey.draw(index))

    def batches(self, size: int, first: int = 0) -> Generator[Batch, None, None]:
        """Go through all examples once, shuffled by the random state in force now.

        Args:
            size: Of a batch; the last may be smaller.
            first: How many batches to pass over: the others are what they would have been.
        """
        order = torch.randperm(len(self), device=self.x.device)
        chosen = order.split(size) if self.lengths is None else _alike(order, self.lengths, size)
        return (self.draw(some) for some in chosen[first:])

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
        names = self.row_names
        if names is not None:
            places = torch.arange(len(names), device=self.x.device)[index]
            names = tuple(names[place] for place in places.tolist())
        return replace(self._each(lambda part: part[index]), row_names=names)

    def to(self, device: torch.device | str) -> "Examples":
        """Copy the examples to another device."""
        return self._each(lambda part: part.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Examples":
        def of(part: Tensor | None) -> Tensor | None:
            return None if part is None else change(part)

        return replace(
            self,
            x=change(self.x),
            observed=of(self.observed),
            label=of(self.label),
            grey=None if self.grey is None else replace(self.grey, levels=change(self.grey.levels)),
            lengths=of(self.lengths),
            unseen=of(self.unseen),
            condition=of(self.condition),
        )


def _alike(order: Tensor, lengths: Tensor, size: int) -> list[Tensor]:
    """Sort by length within pools of `POOL` batches, and shuffle the batches."""
    found: list[Tensor] = []
    for pool in order.split(POOL * size):
        found += pool[lengths[pool].argsort(stable=True)].split(size)
    return [found[place] for place in torch.randperm(len(found)).tolist()]
