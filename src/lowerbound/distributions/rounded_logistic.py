"""The logistic distribution rounded to whole numbers, which have no limits."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.nn.functional import logsigmoid

from lowerbound.distributions.discretized_logistic import log_one_minus_exp
from lowerbound.distributions.independent import accumulate, widest

#: Beyond so many scales nothing is left that float64 could add; and the moments of a rounded
#: logistic of a scale of 1 and more are those of its own, to the seventh digit.
REACH = 25


class Whole(constraints.Constraint):
    """Whole numbers, also below 0."""

    is_discrete = True

    def check(self, value: Tensor) -> Tensor:
        """Tell which numbers are whole ones."""
        return value == value.round()


class RoundedLogistic(Distribution):
    """P(x = k) = F(k + 1/2) - F(k - 1/2) for all whole k, F a logistic distribution function.

    Args:
        location: Centre, any shape.
        log_scale: Logarithm of the scale, same shape.

    Source: Salimans et al. (2017), equation 2, arXiv 1701.05517.
    Differs: has no lowest and no highest number. log(F(b) - F(a)) is computed as log F(b) +
        log(1 - F(a)) + log(1 - exp(a - b)), in float64: exact at any scale and in the tails.

    Example:
        >>> p = RoundedLogistic(torch.tensor(-3.0), torch.tensor(0.0))
        >>> round(float(p.log_prob(torch.arange(-60.0, 60.0)).exp().sum()), 6)
        1.0
    """

    has_rsample = False

    def __init__(self, location: Tensor, log_scale: Tensor) -> None:
        location, log_scale = torch.broadcast_tensors(location, log_scale)
        self.location, self.log_scale = accumulate(location, 0), accumulate(log_scale, 0)
        super().__init__(self.location.shape, validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """Both parameters are real."""
        return {"location": constraints.real, "log_scale": constraints.real}

    @property
    def support(self) -> constraints.Constraint:
        """All whole numbers."""
        return Whole()

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same distribution under a larger batch shape."""
        location, log_scale = (p.expand(batch_shape) for p in (self.location, self.log_scale))
        return RoundedLogistic(location, log_scale)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-mass of whole numbers, elementwise, nats, float64."""
        rate = torch.exp(-self.log_scale)
        centre, half = (accumulate(value, 0) - self.location) * rate, 0.5 * rate
        return logsigmoid(centre + half) + logsigmoid(half - centre) + log_one_minus_exp(-rate)

    def cdf(self, value: Tensor) -> Tensor:
        """Return P(x <= value), elementwise, float64."""
        reached = accumulate(value, 0).floor() + 0.5
        return torch.sigmoid((reached - self.location) * torch.exp(-self.log_scale))

    def icdf(self, value: Tensor) -> Tensor:
        """Return the least whole number that shares `value` of the mass reach, elementwise."""
        share = accumulate(value, 0).clamp(torch.finfo(torch.float64).tiny, 1 - 1e-16)
        logit = share.log() - (-share).log1p()
        return (self.location + self.log_scale.exp() * logit - 0.5).ceil()

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        """Draw whole numbers, `sample_shape + batch_shape`."""
        with torch.no_grad():
            shape = torch.Size(sample_shape) + self.batch_shape
            device = self.location.device
            return self.icdf(torch.rand(shape, dtype=widest(device), device=device))

    def _moments(self) -> tuple[Tensor, Tensor]:
        """Mean and mean square about the whole number nearest to the centre, for small scales."""
        rate = torch.exp(-self.log_scale.clamp(max=0.0))
        apart = self.location.round() - self.location
        mean, square = torch.zeros_like(apart), torch.zeros_like(apart)
        for k in range(-REACH, REACH + 1):
            ends = (torch.sigmoid((apart + k + half) * rate) for half in (0.5, -0.5))
            high, low = ends
            mean, square = mean + k * (high - low), square + k * k * (high - low)
        return mean, square

    @property
    def mean(self) -> Tensor:
        """The sum of k P(k)."""
        near = self.location.round() + self._moments()[0]
        return torch.where(self.log_scale < 0, near, self.location)

    @property
    def variance(self) -> Tensor:
        """The sum of (k - m)^2 P(k)."""
        mean, square = self._moments()
        wide = (2 * self.log_scale).exp() * (math.pi**2 / 3) + 1 / 12
        return torch.where(self.log_scale < 0, square - mean.square(), wide)
