"""The one thing that data hands over to a model."""

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
        condition: Codes that a conditional model is told, `(B, ...)`.

    Example:
        >>> batch = Batch(torch.ones(2, 3), observed=torch.tensor([[True, True, False]] * 2))
        >>> len(batch), len(batch.rows(slice(1, None)))
        (2, 1)
    """

    x: Tensor
    observed: Tensor | None = None
    condition: Tensor | None = None

    def __len__(self) -> int:
        return self.x.shape[0]

    def to(self, device: torch.device | str) -> "Batch":
        """Move the batch to another device."""
        return Batch(
            self.x.to(device),
            None if self.observed is None else self.observed.to(device),
            None if self.condition is None else self.condition.to(device),
        )

    def rows(self, chosen: slice | Tensor) -> "Batch":
        """Some of the examples."""
        return Batch(
            self.x[chosen],
            None if self.observed is None else self.observed[chosen],
            None if self.condition is None else self.condition[chosen],
        )
