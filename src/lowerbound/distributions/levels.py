"""Levels in their order: classes with a mean."""

import torch
from torch import Tensor
from torch.distributions import Categorical


class Levels(Categorical):
    """A categorical distribution over levels 0, 1, ... that have an order, such as grey levels.

    Differs: from `torch.distributions.Categorical`, whose classes have no order, by its moments.

    Example:
        >>> Levels(torch.tensor([0.25, 0.25, 0.5])).mean
        tensor(1.2500)
    """

    @property
    def mean(self) -> Tensor:
        """E[x], in levels."""
        return self.probs @ self._levels

    @property
    def variance(self) -> Tensor:
        """Var[x], in square levels."""
        return self.probs @ self._levels.square() - self.mean.square()

    @property
    def _levels(self) -> Tensor:
        shares = self.probs
        return torch.arange(shares.shape[-1], dtype=shares.dtype, device=shares.device)

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same levels under a larger batch shape."""
        return super().expand(batch_shape, self._get_checked_instance(Levels, _instance))
