"""The negative binomial distribution by its mean, for counts that spread more than Poisson's."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, Gamma, constraints
from torch.nn.functional import softplus

from lowerbound.distributions.independent import accumulate


class NegativeBinomial(Distribution):
    """P(x = k) = C(k + r - 1, k) (r / (r + m))^r (m / (r + m))^k, k = 0, 1, 2, ...

    The mean is m and the variance m + m^2 / r; for large r it is Poisson's.

    Args:
        log_mean: log m, any shape.
        log_size: log r, same shape.

    Source: Hilbe (2011), Negative Binomial Regression, equation 8.7 ("NB2").
    Differs: computed in float64, since differences of log Gamma at large counts leave no digit of
        float32.

    Example:
        >>> p = NegativeBinomial(torch.tensor(0.5), torch.tensor(1.0))
        >>> round(float(p.log_prob(torch.arange(200.0)).exp().sum()), 6)
        1.0
    """

    has_rsample = False

    def __init__(self, log_mean: Tensor, log_size: Tensor) -> None:
        log_mean, log_size = torch.broadcast_tensors(log_mean, log_size)
        self.log_mean, self.log_size = accumulate(log_mean, 0), accumulate(log_size, 0)
        super().__init__(self.log_mean.shape, validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """Both parameters are real."""
        return {"log_mean": constraints.real, "log_size": constraints.real}

    @property
    def support(self) -> constraints.Constraint:
        """Whole numbers from 0."""
        return constraints.nonnegative_integer

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same distribution under a larger batch shape."""
        log_mean, log_size = (p.expand(batch_shape) for p in (self.log_mean, self.log_size))
        return NegativeBinomial(log_mean, log_size)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-mass of whole numbers from 0, elementwise, nats, float64."""
        k, r = accumulate(value, 0), self.log_size.exp()
        ways = torch.lgamma(k + r) - torch.lgamma(r) - torch.lgamma(k + 1)
        # log(r / (r + m)) and log(m / (r + m)) from the logits, exact at both ends; torch's own
        # threshold of 20 is off by 2e-9, which a count of a million makes 2e-3
        logit = self.log_mean - self.log_size
        return ways - r * softplus(logit, threshold=40.0) - k * softplus(-logit, threshold=40.0)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        """Draw whole numbers: x ~ Poisson(g) with g ~ Gamma(r, r / m)."""
        with torch.no_grad():
            shape = torch.Size(sample_shape) + self.batch_shape
            size = self.log_size.exp().expand(shape)
            gamma = Gamma(size, torch.ones_like(size), validate_args=False).sample()
            return torch.poisson((gamma * (self.log_mean - self.log_size).exp()).clamp(max=1e15))

    @property
    def mean(self) -> Tensor:
        """m."""
        return self.log_mean.exp()

    @property
    def variance(self) -> Tensor:
        """m + m^2 / r."""
        return self.mean + (2 * self.log_mean - self.log_size).exp()
