"""Gaussian numbers between limits: renormalised there, or collected at them."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.special import erfc, erfcx, log_ndtr, ndtri

from lowerbound.distributions.independent import accumulate
from lowerbound.distributions.normal import LOG_NORMALIZER

#: Beyond so many scales from the mean a tail is drawn as if it fell by its square alone.
FAR = 30.0


class _Limited(Distribution):
    """A law of N(m, s^2) and the limits of its cells."""

    has_rsample = False

    def __init__(self, loc: Tensor, scale: Tensor, low: Tensor, high: Tensor) -> None:
        given = (accumulate(part, 0) for part in (loc, scale, low, high))
        self.loc, self.scale, self.low, self.high = torch.broadcast_tensors(*given)
        super().__init__(self.loc.shape, validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """The location is real, the scale positive."""
        return {"loc": constraints.real, "scale": constraints.positive}

    @property
    def support(self) -> constraints.Constraint:
        """Between the limits, these included."""
        return constraints.interval(self.low, self.high)

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same distribution under a larger batch shape."""
        parts = (self.loc, self.scale, self.low, self.high)
        return type(self)(*(part.expand(batch_shape) for part in parts))

    def _ends(self) -> tuple[Tensor, Tensor]:
        """The limits in scales from the mean; no gradient where there is none."""
        low, high = torch.isfinite(self.low), torch.isfinite(self.high)
        a = (torch.where(low, self.low, 0.0) - self.loc) / self.scale
        b = (torch.where(high, self.high, 0.0) - self.loc) / self.scale
        return torch.where(low, a, -torch.inf), torch.where(high, b, torch.inf)

    def _beyond(self, value: Tensor, *, at: bool) -> tuple[Tensor, Tensor]:
        """Tell which values lie below and above the limits, or at them; in their own precision."""
        low, high = self.low.to(value.dtype), self.high.to(value.dtype)
        return (value <= low, value >= high) if at else (value < low, value > high)


class TruncatedNormal(_Limited):
    """N(m, s^2) given that it lies between the limits.

    log p(x) = -(z - c) (z + c) / 2 - log s - log Z' - log(2 pi) / 2, with z = (x - m) / s, c the
    place within the limits where the density is highest, in these units, and Z' = Z exp(c^2 / 2) of
    the mass Z between them: no two large numbers are taken from each other in a tail.

    Args:
        loc: m, the mean of the Gaussian, not that of the law.
        scale: s, positive.
        low: Infinite where there is no limit.
        high: Above `low`, likewise.

    Source: Johnson, Kotz & Balakrishnan (1994), Continuous Univariate Distributions 1, section
        13.10.1.

    Example:
        >>> zero, one = torch.zeros(1), torch.ones(1)
        >>> TruncatedNormal(zero, one, zero, torch.inf * one).mean
        tensor([0.7979], dtype=torch.float64)
    """

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density, elementwise, nats; minus infinity beyond the limits."""
        a, b = self._ends()
        c, log_mass = scaled_mass(a, b)
        edge = torch.where(a > 0, self.low, torch.where(b < 0, self.high, self.loc))
        gap = (value - edge) / self.scale  # z - c, without what both have in common
        found = -0.5 * gap * (gap + 2 * c) - self.scale.log() - log_mass - LOG_NORMALIZER
        below, above = self._beyond(value, at=False)
        return torch.where(below | above, -torch.inf, found)

    def cdf(self, value: Tensor) -> Tensor:
        """Return P(x <= value), elementwise."""
        a, b = self._ends()
        z = ((value - self.loc) / self.scale).clamp(a, b)
        (c, whole), (own, part) = scaled_mass(a, b), scaled_mass(a, z)
        return (part - whole - (own - c) * (own + c) / 2).exp()

    def icdf(self, value: Tensor) -> Tensor:
        """Return the number below which there is so much mass, elementwise."""
        a, b = self._ends()
        right = a > 0  # a tail on the right is one on the left, seen in a mirror
        low, high = torch.where(right, -b, a), torch.where(right, -a, b)
        u = torch.where(right, 1 - value, value)
        z = ndtri(_below(low) + u * (_below(high) - _below(low)))
        below = (-(low - high) * (low + high) / 2).exp()  # exp((high^2 - low^2) / 2)
        tail = -(high.square() - 2 * (below + u * (1 - below)).log()).sqrt()
        z = torch.where(high < -FAR, tail, z)
        x = self.loc + self.scale * torch.where(right, -z, z)
        return x.clamp(self.low, self.high)

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        """Draw numbers between the limits."""
        shape = torch.Size(sample_shape) + self.batch_shape
        return self.icdf(torch.rand(shape, dtype=self.loc.dtype, device=self.loc.device))

    def _slopes(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Densities of z at the limits, given that it lies between them; c; a p(a) - b p(b)."""
        a, b = self._ends()
        c, log_mass = scaled_mass(a, b)

        def density(end: Tensor) -> tuple[Tensor, Tensor]:
            finite = torch.isfinite(end)
            end = torch.where(finite, end, 0.0)
            p = (-(end - c) * (end + c) / 2 - log_mass - LOG_NORMALIZER).exp()
            return torch.where(finite, p, 0.0), torch.where(finite, end * p, 0.0)

        (at_a, a_times), (at_b, b_times) = density(a), density(b)
        return at_a, at_b, c, a_times - b_times

    @property
    def mean(self) -> Tensor:
        """m + s (p(a) - p(b)), p the density of z at the limits."""
        at_a, at_b, c, _ = self._slopes()
        # from c, which is a limit where m lies beyond it
        x = self.loc + self.scale * c + self.scale * (at_a - at_b - c)
        return torch.minimum(torch.maximum(x, self.low), self.high)

    @property
    def variance(self) -> Tensor:
        """s^2 (1 + a p(a) - b p(b) - (p(a) - p(b))^2)."""
        at_a, at_b, _, times = self._slopes()
        return self.scale.square() * (1 + times - (at_a - at_b).square()).clamp(min=0.0)


class CensoredNormal(_Limited):
    """N(m, s^2) of which all that lies beyond a limit is collected at it.

    P(low) = Phi(a), P(high) = Phi(-b), and the density of the Gaussian between, with a and b the
    limits in scales from m.

    Args:
        loc: m, the mean of what is not collected.
        scale: s, positive.
        low: Infinite where there is no limit.
        high: Above `low`, likewise.

    Source: Tobin (1958), Econometrica 26, 24.

    Example:
        >>> zero, one = torch.zeros(1), torch.ones(1)
        >>> CensoredNormal(zero, one, zero, torch.inf * one).log_prob(zero).exp()
        tensor([0.5000], dtype=torch.float64)
    """

    @property
    def atoms(self) -> Tensor:
        """Values that have a mass and no density, `(2, *batch)`; infinite where there are none."""
        return torch.stack([self.low, self.high])

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-mass of limits and the log-density between, elementwise, nats."""
        a, b = self._ends()
        below, above = self._beyond(value, at=True)
        z = (torch.where(below | above, self.loc, value) - self.loc) / self.scale
        between = -0.5 * z.square() - self.scale.log() - LOG_NORMALIZER
        at_low, at_high = (log_ndtr(torch.where(end.isfinite(), end, 0.0)) for end in (a, -b))
        return torch.where(below, at_low, torch.where(above, at_high, between))

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        """Draw numbers, those beyond a limit at it."""
        shape = torch.Size(sample_shape) + self.batch_shape
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        return (self.loc + self.scale * noise).clamp(self.low, self.high)

    def _moments(self) -> tuple[Tensor, Tensor]:
        """E[z] and E[z^2] of what is left of z = (x - m) / s."""
        a, b = self._ends()
        mean, second = torch.zeros_like(a), _below(b) - _below(a)
        for end, sign in ((a, 1.0), (b, -1.0)):
            finite = end.isfinite()
            end = torch.where(finite, end, 0.0)
            density, mass = (-end.square() / 2 - LOG_NORMALIZER).exp(), _below(sign * end)
            mean = mean + torch.where(finite, end * mass + sign * density, 0.0)
            second = second + torch.where(finite, end.square() * mass + sign * end * density, 0.0)
        return mean, second

    @property
    def mean(self) -> Tensor:
        """The mean with what is collected."""
        x = self.loc + self.scale * self._moments()[0]
        return torch.minimum(torch.maximum(x, self.low), self.high)

    @property
    def variance(self) -> Tensor:
        """The variance with what is collected."""
        mean, second = self._moments()
        return self.scale.square() * (second - mean.square()).clamp(min=0.0)


def scaled_mass(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return where a standard normal density is highest in [a, b], c; and log(Z exp(c^2 / 2)).

    Z = Phi(b) - Phi(a). On one side of 0 both Phi are written by erfcx(t) = exp(t^2) erfc(t), whose
    factor exp(-c^2 / 2) is left out: neither underflows, and no digits are lost in a tail.

    Args:
        a: May be minus infinity.
        b: Above a; may be infinite.

    Example:
        >>> c, log_mass = scaled_mass(torch.tensor(100.0), torch.tensor(torch.inf))
        >>> float(c), round(float(log_mass), 3)  # about 1 / (100 sqrt(2 pi))
        (100.0, -5.524)
    """
    root = math.sqrt(0.5)
    left, right = b < 0, a > 0
    tail = left | right
    near = torch.where(right, a, torch.where(left, -b, 0.0))
    far = torch.where(right, b, torch.where(left, -a, 1.0))
    ends = far.isfinite()
    far = torch.where(ends, far, near + 1)
    gone = erfcx(far * root) * (-(far - near) * (far + near) / 2).exp()
    outside = erfcx(near * root) - torch.where(ends, gone, 0.0)
    upper, lower = torch.where(tail, 1.0, b), torch.where(tail, -1.0, a)
    inside = torch.erf(upper * root) - torch.erf(lower * root)
    c = torch.where(right, a, torch.where(left, b, 0.0))
    return c, (0.5 * torch.where(tail, outside, inside)).log()


def _below(z: Tensor) -> Tensor:
    """Phi(z), to the last digits in the left tail too, where `ndtr` has none."""
    return 0.5 * erfc(-z * math.sqrt(0.5))
