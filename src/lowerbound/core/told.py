"""Conditions: facts that a model is told of an example."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

#: Code of a condition that is not told.
UNTOLD = -1


class Told(nn.Module):
    """Codes as numbers: one for each level, 1 for the one there is, all 0 where it is not told.

    Beside a vector they are more columns. To an image, whose shape stays, a picture of each level
    is added, which is learned and starts as 0.

    A total of counts is one number, (log total - mean) / scale, 0 where it is not told.

    Args:
        levels: How many values each condition can take; 0 for a total.
        event: Shape of what the encoder is shown of x without them.
        totals: Mean and scale of the logarithm of each total, by its place.

    Example:
        >>> told = Told([3], (2,))
        >>> told(torch.tensor([[2], [UNTOLD]]), torch.zeros(2, 5))
        tensor([[0., 0., 1.],
                [0., 0., 0.]])
    """

    def __init__(
        self,
        levels: Sequence[int],
        event: tuple[int, ...],
        totals: Mapping[int, tuple[float, float]] | None = None,
    ) -> None:
        super().__init__()
        self.levels, self.totals = tuple(levels), dict(totals or {})
        self.pictures = nn.Parameter(torch.zeros(self.size, *event)) if len(event) > 1 else None

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return sum(self.levels) + len(self.totals)

    def shape(self, event: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of what the encoder is shown with them."""
        return event if self.pictures is not None else (event[0] + self.size, *event[1:])

    def forward(self, condition: Tensor | None, beside: Tensor) -> Tensor:
        """Return the numbers of a condition.

        Args:
            condition: Codes `(B, C)` or `(K, B, C)`; None where nothing is told.
            beside: `(..., B, D)`, whose leading axes they shall have.

        Returns:
            `(..., B, size)`.
        """
        shape = (*beside.shape[:-1], self.size)
        if condition is None:
            return beside.new_zeros(shape)
        if condition.ndim > beside.ndim:
            shape = (*condition.shape[:-1], self.size)
        parts = []
        for place, levels in enumerate(self.levels):
            codes = condition[..., place].unsqueeze(-1)
            known = codes != UNTOLD
            if place in self.totals:
                mean, scale = self.totals[place]
                logs = (codes.clamp(min=1).to(beside.dtype).log() - mean) / scale
                parts.append(torch.where(known, logs, 0.0))
            else:
                parts.append(one_hot(codes[..., 0].clamp(min=0), levels) * known)
        return torch.cat([part.to(beside.dtype) for part in parts], dim=-1).expand(shape)

    def show(self, seen: Tensor, condition: Tensor | None) -> Tensor:
        """Put the condition into what the encoder is shown, `(B, *event)`."""
        numbers = self(condition, seen.flatten(start_dim=1))
        if self.pictures is None:
            return torch.cat([seen.expand(*numbers.shape[:-1], -1), numbers], dim=-1)
        return seen + torch.tensordot(numbers.to(self.pictures.dtype), self.pictures, dims=1)
