"""The one thing that data hands over to a model."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Some examples, as stored.

    Args:
        x: The data `(B, *event)`, in the schema's dtype and never rescaled.
        observed: Which cells are known, bool `(B, *event)`; None when all are. Missing means
            False here, never NaN in `x`.
        condition: What a conditional model is told, `(B, ...)`.
        shown: Which of the known cells an encoder sees, bool `(B, *event)`; None for all of them.
            The bound is on the probability of all known cells: any q(z) gives one.

    Example:
        >>> batch = Batch(torch.ones(2, 3), observed=torch.tensor([[True, True, False]] * 2))
        >>> len(batch), len(batch.rows(slice(1, None)))
        (2, 1)
    """

    x: Tensor
    observed: Tensor | None = None
    condition: Tensor | None = None
    shown: Tensor | None = None

    def __len__(self) -> int:
        return self.x.shape[0]

    @property
    def seen(self) -> Tensor | None:
        """Which cells an encoder sees, bool `(B, *event)`; None for all."""
        return self.observed if self.shown is None else self.shown

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device."""
        return self._each(lambda part: part.to(device))

    def rows(self, chosen: slice) -> "Batch":
        """Some of the examples."""
        return self._each(lambda part: part[chosen])

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        parts = (self.observed, self.condition, self.shown)
        return Batch(change(self.x), *(None if part is None else change(part) for part in parts))
