"""Capacity: the rate is held at a number of nats that rises."""

import math
from dataclasses import dataclass, replace

from lowerbound.core.trace import Bound, Trace
from lowerbound.errors import SettingError
from lowerbound.objectives.batch_mean import batch_mean
from lowerbound.objectives.elbo import ELBO
from lowerbound.objectives.objective import Objective, Wrapper


@dataclass(frozen=True)
class Capacity(Wrapper):
    """E_q[log p(x|z)] - g |mean rate - C|: a rate of C nats, in the end of `nats`.

    Args:
        objective: The ELBO, by which held-out data judges.
        nats: C when training is done, the mean over the batch.
        weight: g.
        over: Fraction of the training over which C rises from 0.

    Raises:
        SettingError: A number is out of range.

    Source: Burgess et al. (2018), equation 8, arXiv 1804.03599.
    """

    objective: Objective = ELBO()  # noqa: RUF009  it is frozen
    nats: float = 25.0
    weight: float = 100.0
    over: float = 0.5

    def __post_init__(self) -> None:
        if not (math.isfinite(self.nats) and self.nats >= 0 and self.weight >= 0):
            raise SettingError(
                f"nats and weight must be at least 0, got {self.nats!r} and {self.weight!r}"
            )
        if not 0 <= self.over <= 1:
            raise SettingError(f"over must be a fraction in [0, 1], got {self.over!r}")

    @property
    def formula(self) -> str:  # type: ignore[override]
        """With the numbers that it has."""
        return f"E_q[log p(x|z)] - {self.weight:g} |mean rate - {self.nats:g}|"

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`; every example bears the distance alike."""
        bound = self.objective.reduce(trace, 0.0)
        apart = (batch_mean(bound.rate.reshape(1, -1, 1)).squeeze(0) - self.nats).abs()
        return Bound(bound.value - beta * self.weight * apart, bound.distortion, bound.rate)

    def at(self, fraction: float) -> Objective:
        """Return the objective at the C of that fraction."""
        share = 1.0 if fraction >= self.over else fraction / self.over
        return replace(
            self, objective=self.objective.at(fraction), nats=self.nats * share, over=0.0
        )
