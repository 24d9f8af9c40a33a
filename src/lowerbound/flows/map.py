"""Invertible maps: the interface."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Map(nn.Module, ABC):
    """An invertible map y = f(x) of vectors, which may depend on a context."""

    @abstractmethod
    def forward(
        self, x: Tensor, context: Tensor | None = None, inverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Map forward, or back.

        Args:
            x: `(..., D)`.
            context: `(..., C)`, its leading axes broadcast against those of `x`; None for none.
            inverse: Whether to return f^-1(x) in place of f(x).

        Returns:
            `(..., D)`, and the logarithm of the absolute determinant of the Jacobian of what was
            done, `(...)`, nats, float64.
        """


def total(log_slopes: Tensor) -> Tensor:
    """Sum the log-slopes of the units, `(..., D)` to `(...)`, in float64 where there is one."""
    precise = torch.float32 if log_slopes.device.type == "mps" else torch.float64
    return log_slopes.sum(dim=-1, dtype=precise)
