"""The logistic distribution, integrated over the bins of evenly spaced grey levels."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.distributions import Distribution, constraints
from torch.nn.functional import logsigmoid, softplus

#: Levels of which a mean is added up at a time: one by one it is slow for single pictures.
LEVELS_AT_ONCE = 8


class DiscretizedLogistic(Distribution):
    """P(x = k) = F(e_{k+1}) - F(e_k): mass of a logistic in bin k; the end bins have its tails.

    Level k sits at 2 k / (levels - 1) - 1 in [-1, 1]; its bin reaches half a step to either side,
    the lowest to minus infinity and the highest to plus infinity, so that the masses sum to one.

    Args:
        location: Centre on the [-1, 1] axis, any shape.
        log_scale: Logarithm of the scale on that axis, same shape.
        levels: Number of levels, 256 for 8-bit data; at least 2.

    Source: Kingma et al. (2016), section 5.1, arXiv 1606.04934; Salimans et al. (2017),
        equation 2, arXiv 1701.05517.
    Differs: log(F(b) - F(a)) is computed as log F(b) + log(1 - F(a)) + log(1 - exp(a - b)), exact
        at any scale, where those implementations switch to a density approximation.

    Example:
        >>> p = DiscretizedLogistic(torch.zeros(()), torch.zeros(()), levels=256)
        >>> float(p.log_prob(torch.arange(256.0)).exp().sum())
        1.0...
    """

    has_rsample = False

    def __init__(self, location: Tensor, log_scale: Tensor, levels: int = 256) -> None:
        self.location, self.log_scale = torch.broadcast_tensors(location, log_scale)
        self.levels = levels
        super().__init__(self.location.shape, validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """Both parameters are real."""
        return {"location": constraints.real, "log_scale": constraints.real}

    @property
    def support(self) -> constraints.Constraint:
        """Whole numbers 0 ... levels - 1."""
        return constraints.integer_interval(0, self.levels - 1)

    @property
    def _step(self) -> float:
        return 2.0 / (self.levels - 1)

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same distribution under a larger batch shape."""
        location, log_scale = (p.expand(batch_shape) for p in (self.location, self.log_scale))
        return DiscretizedLogistic(location, log_scale, self.levels)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-mass of whole levels `value` in 0 ... levels - 1, elementwise, nats."""
        value = value.to(self.location.dtype)
        rate = torch.exp(-self.log_scale)
        centre = (value * self._step - 1.0 - self.location) * rate
        half = 0.5 * self._step * rate
        most = self.levels - 1
        return _LogMass.apply(*torch.broadcast_tensors(centre, half), value > 0, value < most)  # pyright: ignore[reportReturnType]

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw levels as floating-point whole numbers, `sample_shape + batch_shape`."""
        with torch.no_grad():
            shape = torch.Size(sample_shape) + self.batch_shape
            u = torch.rand(shape, dtype=self.location.dtype, device=self.location.device)
            # u lies in [0, 1): only its lower end would give an infinite logit
            logit = u.clamp(min=torch.finfo(u.dtype).tiny).log() - (-u).log1p()
            continuous = self.location + self.log_scale.exp() * logit
            return ((continuous + 1.0) / self._step).round().clamp(0, self.levels - 1)

    @property
    def mean(self) -> Tensor:
        """E[x] in levels: sum over k >= 1 of P(x >= k), in float32 to a thousandth of a level."""
        spacing = self._step * torch.exp(-self.log_scale)
        above = (self.location + 1.0) / self._step + 0.5  # edges at or below the centre
        if torch.compiler.is_compiling() or spacing.dtype == torch.float64:
            return sum_of_steps(above, spacing, self.levels - 1)
        wide = spacing <= 1.0
        total = torch.empty_like(spacing)
        at, h = above[wide].double(), spacing[wide].double()  # their difference is small
        total[wide] = sum_of_wide_steps(at, h, self.levels - 1).to(total.dtype)
        total[~wide] = sum_of_steps(above[~wide], spacing[~wide], self.levels - 1, around=17)
        return total

    @property
    def mode(self) -> Tensor:
        """A level of highest mass (the end levels also carry the tails)."""
        levels = torch.arange(self.levels, device=self.location.device)
        shape = (self.levels,) + (1,) * self.location.ndim
        return self.log_prob(levels.view(shape)).argmax(dim=0).to(self.location.dtype)


def sum_of_steps(above: Tensor, spacing: Tensor, count: int, around: int | None = None) -> Tensor:
    """Sum sigmoid((above - k) * spacing) over k = 1 ... `count`, elementwise.

    `around`: Only this many k to either side of `above` are added up, and those below count as 1.
    """
    terms = count if around is None else min(count, 2 * around + 1)
    first = torch.zeros_like(above)
    if terms < count:
        first = (above.round() - terms // 2 - 1).clamp(0, count - terms)
    at, total, shape = (above - first) * spacing, first, (-1,) + (1,) * above.ndim
    for some in torch.arange(1, terms + 1, dtype=above.dtype, device=above.device).split(
        LEVELS_AT_ONCE
    ):
        # beyond 80 nothing is added, but subnormal float32 would make this ten times slower
        total = total + torch.sigmoid((at - some.reshape(shape) * spacing).clamp(-80.0, 80.0)).sum(
            0
        )
    return total


def sum_of_wide_steps(above: Tensor, spacing: Tensor, count: int) -> Tensor:
    """Give `sum_of_steps` for spacings up to 1: an integral, and what its ends differ by.

    The sum is that of the midpoint rule. Four terms of its Euler-Maclaurin series leave less than
    2e-7; derivatives of the sigmoid s are polynomials in s (1 - s).
    """
    total = torch.zeros_like(above)
    for sign, end in ((1.0, 0.5), (-1.0, count + 0.5)):
        at = (above - end) * spacing
        t = torch.tanh(0.5 * at)
        q, h = 0.25 * (1 - t * t), spacing * spacing
        odd = 1 / 24 + h * (
            -7 / 5760 * (1 - 6 * q)
            + h * (31 / 967680 * (1 - q * (30 - 120 * q))
                   - h * 127 / 154828800 * (1 - q * (126 - q * (1680 - 5040 * q))))
        )  # fmt: skip
        total = total + sign * (softplus(at) / spacing - spacing * q * odd)
    return total


class _LogMass(torch.autograd.Function):
    """log(F(centre + half) - F(centre - half)) of the logistic F, with the derivatives by hand.

    Autograd would keep and go back through the twenty operations of the formula; of pictures of
    many cells, or mixtures of many components, that takes longer than their networks.

    Masks, which broadcast, say of which bins the lower and the upper edge are finite.
    """

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, centre: Tensor, half: Tensor, lower: Tensor, upper: Tensor
    ) -> Tensor:
        # masks as numbers: where() takes ten times as long as a product
        lower, upper = lower.to(half.dtype), upper.to(half.dtype)
        ctx.save_for_backward(centre, half, lower, upper)
        below = logsigmoid(centre + half).mul_(upper)  # log F(b)
        above = logsigmoid(half - centre).mul_(lower)  # log(1 - F(a))
        # for wide bins 1 - exp(-2 half) is 1 but for a rounding, as is their mass
        width = torch.expm1(-2.0 * half).neg_().log_().mul_(lower * upper)
        return below.add_(above).add_(width)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        centre, half, lower, upper = ctx.saved_tensors
        below = torch.sigmoid(-centre - half).mul_(upper)
        above = torch.sigmoid(centre - half).mul_(lower)
        width = torch.expm1(2.0 * half).reciprocal_().mul_(2.0 * lower * upper)
        slope = width.add_(below).add_(above).mul_(gradient)
        return below.sub_(above).mul_(gradient), slope, None, None


def log_one_minus_exp(negative: Tensor) -> Tensor:
    """Return log(1 - exp(t)) for t < 0, stable at both ends.

    Source: Maechler (2012), "Accurately computing log(1 - exp(-|a|))".
    """
    # each branch sees only arguments that are safe for it, so that neither gradient is nan
    near = negative > -math.log(2.0)
    small = torch.where(near, negative, -1.0)
    large = torch.where(near, -1.0, negative)
    return torch.where(near, torch.log(-torch.expm1(small)), torch.log1p(-torch.exp(large)))
