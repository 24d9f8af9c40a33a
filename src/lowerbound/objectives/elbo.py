"""The evidence lower bound, its weighted form, and its path-wise gradient."""

import math
from dataclasses import dataclass

from torch import Tensor

from lowerbound.core.trace import Bound, Gradient, Trace
from lowerbound.errors import SettingError
from lowerbound.objectives.objective import Objective


def rate_of(trace: Trace, analytic: bool = True) -> Tensor:
    """Return KL(q(z|x) || p(z)) of each example, `(B,)`, nats.

    Args:
        analytic: Take a group's closed form where it has one; estimate the others from draws.
    """
    return mean_of_draws(rate_of_draws(trace, analytic))


def rate_of_draws(trace: Trace, analytic: bool = True) -> Tensor:
    """Return what each draw says of the rate, `(1 or K, B)`, nats; see `rate_of`."""
    closed = trace.kl if analytic else {}
    total: Tensor | None = None
    for name, latent in trace.latents.items():
        units = closed.get(name)
        group = latent.log_q - latent.log_p if units is None else units.sum(dim=-1)
        total = group if total is None else total + group
    if total is None:
        raise SettingError("this trace has no group of latents, so it has no rate")
    return total if trace.floor is None else total + trace.floor


def mean_of_draws(values: Tensor) -> Tensor:
    """Average over the first axis, `(K, B)` to `(B,)`."""
    return values.squeeze(0) if values.shape[0] == 1 else values.mean(dim=0)


def penalty_of(trace: Trace) -> Tensor | float:
    """Sum the model's own penalties, `(B,)`, or 0."""
    return sum(trace.penalties.values(), start=0.0)  # type: ignore[arg-type]


@dataclass(frozen=True)
class ELBO(Objective):
    """The evidence lower bound, E_q[log p(x|z)] - KL(q(z|x) || p(z)) <= log p(x).

    The KL is exact where a closed form exists, and estimated from the draws otherwise.

    Args:
        samples: Draws `K` of z for each example.
        analytic: Use a closed form of the KL where there is one.
        gradient: "total", or "path" for the sticking-the-landing estimator, which needs
            `analytic=False` to have any effect on the gradient.

    Source: Kingma & Welling (2014), equations 3 (closed form) and 2 (drawn), arXiv 1312.6114.

    Example:
        >>> ELBO(samples=8).formula
        'E_q[log p(x|z)] - KL(q(z|x) || p(z))'
    """

    samples: int = 1
    analytic: bool = True
    gradient: Gradient = "total"
    formula = "E_q[log p(x|z)] - KL(q(z|x) || p(z))"

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`: -(distortion + beta rate)."""
        log_px = mean_of_draws(trace.log_px)
        rate = rate_of(trace, self.analytic)
        # 1 * rate is one more operation, there and back, in every update of the usual bound
        value = log_px - (rate if isinstance(beta, float) and beta == 1.0 else beta * rate)
        return Bound(value - penalty_of(trace) if trace.penalties else value, -log_px, rate)


@dataclass(frozen=True)
class BetaELBO(Objective):
    """The ELBO with a weighted rate, E_q[log p(x|z)] - beta KL(q(z|x) || p(z)).

    A lower bound on log p(x) for beta >= 1 only. Beta weighs nats against nats: it means the same
    for every likelihood and image size.

    Args:
        beta: Weight of the rate, not negative; 1 is the ELBO.
        samples: Draws `K` of z for each example.

    Raises:
        SettingError: `beta` is negative or not finite.

    Source: Higgins et al. (2017), equation 4, ICLR; Alemi et al. (2018), arXiv 1711.00464.
    """

    beta: float = 4.0
    samples: int = 1
    formula = "E_q[log p(x|z)] - beta KL(q(z|x) || p(z))"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.beta) and self.beta >= 0):
            raise SettingError(f"beta must be a number of at least 0, got {self.beta!r}")

    @property
    def is_bound(self) -> bool:  # type: ignore[override]
        """For beta >= 1: the rate is not negative, so the value is at most the ELBO."""
        return self.beta >= 1

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        return ELBO(self.samples).reduce(trace, beta * self.beta)


@dataclass(frozen=True)
class StickingTheLanding(Objective):
    """The ELBO, its encoder learning through the draws alone: noise-free where q is exact.

    The value is the ELBO with a drawn rate. Of its gradient the score of q(z|x) is left out, whose
    mean is zero: at q(z|x) = p(z|x) what is left is zero in every draw, not only on average.

    Args:
        samples: Draws `K` of z for each example.

    Source: Roeder, Wu & Duvenaud (2017), equation 8, arXiv 1703.09194.
    """

    samples: int = 1
    formula = ELBO.formula
    gradient = "path"

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`: the ELBO with a rate estimated from the draws."""
        return ELBO(analytic=False).reduce(trace, beta)
