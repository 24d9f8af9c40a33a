"""A law of counts with more zeros."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.nn.functional import logsigmoid

from lowerbound.distributions.independent import accumulate


class ZeroInflated(Distribution):
    """P(x) = s 1[x = 0] + (1 - s) P_0(x), with s = sigmoid(logit).

    Args:
        base: P_0, over whole numbers from 0.
        logit: Of the chance of a further zero, batch shape of `base`.

    Source: Lambert (1992), Technometrics 34, 1, equation 1.

    Example:
        >>> base = torch.distributions.Poisson(torch.tensor([2.0]))
        >>> ZeroInflated(base, torch.tensor([0.0])).mean
        tensor([1.], dtype=torch.float64)
    """

    has_rsample = False

    def __init__(self, base: Distribution, logit: Tensor) -> None:
        self.base, self.logit = base, accumulate(logit, 0)
        super().__init__(base.batch_shape, validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """The logit is real."""
        return {"logit": constraints.real}

    @property
    def support(self) -> constraints.Constraint:
        """Whole numbers from 0."""
        return constraints.nonnegative_integer

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same distribution under a larger batch shape."""
        return ZeroInflated(self.base.expand(batch_shape), self.logit.expand(batch_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-mass of whole numbers from 0, elementwise, nats."""
        counted = logsigmoid(-self.logit) + self.base.log_prob(value)
        return torch.where(value == 0, torch.logaddexp(logsigmoid(self.logit), counted), counted)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        """Draw whole numbers."""
        with torch.no_grad():
            drawn = self.base.sample(torch.Size(sample_shape))
            kept = torch.rand(drawn.shape, dtype=self.logit.dtype, device=drawn.device)
            return torch.where(kept < torch.sigmoid(self.logit), 0.0, drawn)

    @property
    def mean(self) -> Tensor:
        """(1 - s) m."""
        return torch.sigmoid(-self.logit) * self.base.mean

    @property
    def variance(self) -> Tensor:
        """(1 - s) (v + s m^2)."""
        more = torch.sigmoid(self.logit) * self.base.mean.square()
        return torch.sigmoid(-self.logit) * (self.base.variance + more)
