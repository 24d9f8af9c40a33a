"""Numbers between 0 and 1 whose log-density is linear."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from lowerbound.distributions.independent import accumulate

#: Logits nearer to 0 than this go by the series of the law about them.
NEAR = 1e-5


class ContinuousBernoulli(Distribution):
    """p(x) = C(l) l^x (1 - l)^(1 - x) of x in [0, 1], with l = sigmoid(logit).

    With h the logit this is exp(h x - A(h)), A(h) = log((exp(h) - 1) / h): an exponential law, cut
    off at 1, that leans to either side. `upper` stretches it to [0, upper].

    Args:
        logit: h.
        upper: Positive; broadcasts against the logits.

    Source: Loaiza-Ganem & Cunningham (2019), equations 8 to 10, arXiv 1907.06845.

    Example:
        >>> ContinuousBernoulli(torch.zeros(1)).log_prob(torch.tensor([0.3]))  # even
        tensor([0.], dtype=torch.float64)
    """

    has_rsample = False

    def __init__(self, logit: Tensor, upper: float | Tensor = 1.0) -> None:
        self.logit, self.upper = accumulate(logit, 0), torch.as_tensor(upper)
        super().__init__(self.logit.shape, validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """The logit is real."""
        return {"logit": constraints.real}

    @property
    def support(self) -> constraints.Constraint:
        """Between 0 and the upper end, both included."""
        return constraints.interval(0.0, self.upper)

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same distribution under a larger batch shape."""
        return ContinuousBernoulli(self.logit.expand(batch_shape), self.upper)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density, elementwise, nats; minus infinity beyond the ends."""
        share = value / self.upper
        found = (share - 0.5) * self.logit - log_sinhc(self.logit / 2) - self.upper.log()
        return torch.where((share >= 0) & (share <= 1), found, -torch.inf)

    def _leaning(self) -> tuple[Tensor, Tensor, Tensor]:
        """Minus the size of the logit; its own, and -1 where it is near 0; where that is."""
        left = -self.logit.abs()
        near = left > -NEAR
        return left, torch.where(near, -1.0, left), near

    def cdf(self, value: Tensor) -> Tensor:
        """Return P(x <= value), elementwise."""
        left, safe, near = self._leaning()
        share = (value / self.upper).clamp(0.0, 1.0)
        t = torch.where(self.logit > 0, 1 - share, share)
        found = torch.expm1(safe * t) / torch.expm1(safe)
        found = torch.where(near, t - left / 2 * t * (1 - t), found)
        return torch.where(self.logit > 0, 1 - found, found)

    def icdf(self, value: Tensor) -> Tensor:
        """Return the number below which there is so much mass, elementwise."""
        left, safe, near = self._leaning()
        u = torch.where(self.logit > 0, 1 - value, value)
        t = torch.log1p(u * torch.expm1(safe)) / safe
        t = torch.where(near, u + left / 2 * u * (1 - u), t)
        return self.upper * torch.where(self.logit > 0, 1 - t, t).clamp(0.0, 1.0)

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        """Draw numbers, by the inverse of the distribution function."""
        shape = torch.Size(sample_shape) + self.batch_shape
        return self.icdf(torch.rand(shape, dtype=self.logit.dtype, device=self.logit.device))

    @property
    def mean(self) -> Tensor:
        """A'(h) = 1/2 + (coth(h / 2) - 2 / h) / 2."""
        half = self.logit / 2
        near = half.abs() < 0.1
        safe = torch.where(near, 1.0, half)
        series = half / 3 - half**3 / 45 + 2 * half**5 / 945 - half**7 / 4725
        slope = torch.where(near, series, 1 / torch.tanh(safe) - 1 / safe)
        return self.upper * (0.5 + 0.5 * slope)

    @property
    def variance(self) -> Tensor:
        """A''(h) = (4 / h^2 - 1 / sinh(h / 2)^2) / 4."""
        half = self.logit.abs() / 2
        near = half < 0.1
        safe = torch.where(near, 1.0, half)
        series = 1 / 3 - half**2 / 15 + 2 * half**4 / 189 - half**6 / 675
        falls = 2 * (-safe).exp() / -torch.expm1(-2 * safe)  # 1 / sinh, which would overflow
        return self.upper.square() * torch.where(near, series, safe**-2 - falls.square()) / 4


def log_sinhc(half: Tensor) -> Tensor:
    """Return log(sinh(t) / t), 0 at 0, to the last digits also near it.

    Example:
        >>> log_sinhc(torch.tensor([0.0, 1e-3, 1000.0]))
        tensor([0.0000e+00, 1.6667e-07, 9.9240e+02])
    """
    size = half.abs()
    near = size < 0.1
    safe = torch.where(near, 1.0, size)
    square = half.square()
    series = 1 / 2835 - square * (1 / 37800 - square / 467775)
    series = square * (1 / 6 - square * (1 / 180 - square * series))
    return torch.where(near, series, safe + torch.log1p(-(-2 * safe).exp()) - (2 * safe).log())
