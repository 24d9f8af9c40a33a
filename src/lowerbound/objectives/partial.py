"""Means of several importance-weighted bounds, for both networks or for the encoder alone."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lowerbound.core.trace import Bound, Trace
from lowerbound.distributions import detached, log_prob
from lowerbound.errors import SettingError
from lowerbound.objectives.elbo import penalty_of, rate_of
from lowerbound.objectives.iwae import IWAE
from lowerbound.objectives.objective import Objective, whole

#: Largest logarithm of a factor on a gradient: float32 ends at e^88.
MOST = 80.0


@dataclass(frozen=True)
class MIWAE(Objective):
    """A mean of importance-weighted bounds, 1/M sum_m log M/K sum_k w_mk, K draws in all.

    It lies between `IWAE` of as many draws (M = 1) and the drawn ELBO (M = K), and the encoder's
    gradient has less noise the more bounds there are.

    Args:
        samples: Draws `K` of z for each example.
        groups: M, which divides K.

    Raises:
        SettingError: `groups` does not divide `samples`.

    Source: Rainforth et al. (2018), equation 10, arXiv 1802.04537.
    """

    samples: int = 8
    groups: int = 2
    formula = "1/M sum_m log M/K sum_k w_mk"

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("groups", self.groups, 1)
        if self.samples % self.groups:
            raise SettingError(f"{self.groups} groups do not divide {self.samples} samples")

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`. Distortion and rate are those of the ELBO on the same draws."""
        each = bounds_of(trace, self.groups, beta)
        value = each.mean(dim=0) - penalty_of(trace)
        return Bound(value, -trace.log_px.mean(dim=0), rate_of(trace))


@dataclass(frozen=True)
class PIWAE(MIWAE):
    """The importance-weighted bound for the decoder, and for the encoder the mean of several.

    The value is that of `IWAE`; the encoder receives the gradient of `MIWAE` on the same draws.
    It reaches the encoder by a hook on z, as in `DReG`.

    Args:
        samples: Draws `K` of z for each example.
        groups: M, which divides K.

    Raises:
        SettingError: The model has more than one group of latents (raised by `reduce`).

    Source: Rainforth et al. (2018), section 4 ("PIWAE"), arXiv 1802.04537.
    Differs: a group of draws that is e^80 times as unlikely as all together is left out.
    """

    formula = IWAE.formula

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`: `IWAE`, and what comes back to the encoder rescaled."""
        whole_ = IWAE(self.samples).reduce(trace, beta)
        if len(trace.latents) > 1:
            raise SettingError(
                f"PIWAE is for one group of latents, and this model has {len(trace.latents)}; "
                "use iwae"
            )
        (latent,) = trace.latents.values()
        z = latent.z
        if not z.requires_grad:
            return whole_
        log_p = trace.log_px + beta * trace.log_pz
        each = bounds_of(trace, self.groups, beta).detach()
        share = (log_p - beta * trace.log_qz).detach().softmax(dim=0)
        # shares of draws in their group, 1/M of it, over shares in all: one number a group
        every = each.logsumexp(dim=0) - math.log(self.groups)
        factor = (every - each).clamp(max=MOST).exp()
        factor = factor.repeat_interleave(len(z) // self.groups, dim=0)
        through = log_prob(detached(latent.q), z)
        scored = log_prob(latent.q, z.detach())
        z.register_hook(lambda gradient: gradient * _beside(factor, gradient))
        learned = share * (log_p - beta * through) - beta * share * factor * scored
        surrogate = learned.sum(dim=0)
        value = whole_.value.detach() + surrogate - surrogate.detach() - _live(trace)
        return Bound(value, whole_.distortion, whole_.rate)


def bounds_of(trace: Trace, groups: int, beta: float) -> Tensor:
    """Return the importance-weighted bound of each group of draws, `(M, B)`."""
    log_weight = trace.log_px + beta * (trace.log_pz - trace.log_qz)
    apart = log_weight.unflatten(0, (groups, -1))
    return apart.logsumexp(dim=1) - math.log(apart.shape[1])


def _beside(factor: Tensor, gradient: Tensor) -> Tensor:
    return factor.to(gradient.dtype).reshape(*factor.shape, *(1,) * (gradient.ndim - factor.ndim))


def _live(trace: Trace) -> Tensor | float:
    """Return the penalties with their value taken out, for their gradient."""
    penalty = penalty_of(trace)
    return penalty - penalty.detach() if isinstance(penalty, torch.Tensor) else 0.0
