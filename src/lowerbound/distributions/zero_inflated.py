"""Laws with more zeros: of counts, and of positive numbers."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.nn.functional import logsigmoid

from lowerbound.distributions.independent import accumulate


class _MoreZeros(Distribution):
    """A base law p of mean m and variance v in which a share s = sigmoid(logit) became zero."""

    has_rsample = False

    def __init__(self, base: Distribution, logit: Tensor) -> None:
        self.base, self.logit = base, accumulate(logit, 0)
        super().__init__(base.batch_shape, validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """The logit is real."""
        return {"logit": constraints.real}

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same distribution under a larger batch shape."""
        return type(self)(self.base.expand(batch_shape), self.logit.expand(batch_shape))

    @abstractmethod
    def log_prob(self, value: Tensor) -> Tensor:
        """Return log p, elementwise, nats."""

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        """Draw numbers."""
        with torch.no_grad():
            drawn = self.base.sample(torch.Size(sample_shape))
            share = torch.rand(drawn.shape, dtype=self.logit.dtype, device=drawn.device)
            return torch.where(share < torch.sigmoid(self.logit), 0.0, drawn)

    @property
    def mean(self) -> Tensor:
        """(1 - s) m."""
        return torch.sigmoid(-self.logit) * self.base.mean

    @property
    def variance(self) -> Tensor:
        """(1 - s) (v + s m^2)."""
        more = torch.sigmoid(self.logit) * self.base.mean.square()
        return torch.sigmoid(-self.logit) * (self.base.variance + more)


class ZeroInflated(_MoreZeros):
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

    @property
    def support(self) -> constraints.Constraint:
        """Whole numbers from 0."""
        return constraints.nonnegative_integer

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-mass of whole numbers from 0, elementwise, nats."""
        counted = logsigmoid(-self.logit) + self.base.log_prob(value)
        return torch.where(value == 0, torch.logaddexp(logsigmoid(self.logit), counted), counted)


class Hurdle(_MoreZeros):
    """P(x = 0) = s, and the density (1 - s) p(x) of x > 0, with s = sigmoid(logit).

    Args:
        base: p, a density of positive numbers.
        logit: Of the chance of zero, batch shape of `base`.

    Source: Cragg (1971), Econometrica 39, 829, equations 5 and 7.

    Example:
        >>> base = torch.distributions.LogNormal(torch.zeros(1), torch.ones(1))
        >>> Hurdle(base, torch.tensor([0.0])).log_prob(torch.tensor([0.0])).exp()
        tensor([0.5000], dtype=torch.float64)
    """

    @property
    def support(self) -> constraints.Constraint:
        """Numbers from 0."""
        return constraints.nonnegative

    @property
    def atoms(self) -> Tensor:
        """Values that have a mass and no density, `(1, *batch)`."""
        return torch.zeros_like(self.logit).unsqueeze(0)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-mass of zero and the log-density of others, elementwise, nats."""
        zero = value == 0
        # log 0 would make the gradient nan also where it is dropped
        density = self.base.log_prob(torch.where(zero, 1.0, value))
        return torch.where(zero, logsigmoid(self.logit), logsigmoid(-self.logit) + density)
