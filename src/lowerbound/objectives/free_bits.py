"""Free bits: a rate below a floor costs nothing more."""

import math
from dataclasses import dataclass, replace

import torch

from lowerbound.core.trace import Bound, Trace
from lowerbound.errors import SettingError
from lowerbound.objectives.batch_mean import batch_mean
from lowerbound.objectives.elbo import ELBO, BetaELBO
from lowerbound.objectives.objective import Objective, Wrapper


@dataclass(frozen=True)
class FreeBits(Wrapper):
    """An ELBO in which each latent unit may use `nats` of rate for free.

    The rate KL_j of unit j, averaged over the batch, is replaced by max(nats, KL_j), so that units
    below the floor are not pushed to the prior. The nats that the floor adds to the rate are
    subtracted from every example alike, so the value lies below the objective's own: it guides
    training, and no model is judged by it. It is the one objective in which the rows of a batch
    meet.

    Args:
        objective: The ELBO or beta-ELBO that is floored, possibly annealed.
        nats: Floor for each unit, not negative.

    Raises:
        SettingError: `nats` is negative, the objective does not use the rate in closed form, or
            the model has no such rate (raised by `reduce`).

    Source: Kingma et al. (2016), equation 15, arXiv 1606.04934.
    """

    objective: Objective
    nats: float = 0.1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.nats) and self.nats >= 0):
            raise SettingError(f"free bits must be a number of at least 0, got {self.nats!r}")
        inside = self.objective.criterion
        if not isinstance(inside, BetaELBO) and not (isinstance(inside, ELBO) and inside.analytic):
            raise SettingError(
                f"free bits floor the closed-form rate of an ELBO, which {type(inside).__name__} "
                "does not use; leave them out"
            )

    @property
    def formula(self) -> str:  # type: ignore[override]
        """That of the objective, each unit's rate floored."""
        return f"{self.objective.formula}, at least {self.nats:g} nats a unit"

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`; the floor is taken on averages over the batch."""
        if len(trace.kl) < len(trace.latents):
            raise SettingError(
                "free bits need a rate in closed form, and this model has none; leave them out"
            )
        units = [batch_mean(kl) for kl in trace.kl.values()]
        excess = torch.stack([(u.clamp(min=self.nats) - u).sum() for u in units]).sum()
        bound = self.objective.reduce(replace(trace, floor=excess), beta)
        return Bound(bound.value, bound.distortion, bound.rate - excess)

    def at(self, fraction: float) -> Objective:
        """Return the floor over the objective in force at that fraction."""
        return FreeBits(self.objective.at(fraction), self.nats)
