"""The least rate at which the distortion is what was asked for."""

import math
from dataclasses import dataclass

from lowerbound.core.trace import Bound, Trace
from lowerbound.errors import SettingError
from lowerbound.models.constrained import Multiplied
from lowerbound.objectives.batch_mean import batch_mean
from lowerbound.objectives.elbo import ELBO
from lowerbound.objectives.objective import Objective, Wrapper


@dataclass(frozen=True)
class GECO(Wrapper):
    """-rate - l (distortion - tolerance): the rate is as low as a mean distortion allows.

    The multiplier l = e^u of a `Constrained` model climbs while the mean distortion of the batch is
    above the tolerance, and falls below it. Held-out data judge by the objective inside.

    Args:
        tolerance: Mean distortion -E_q[log p(x|z)] that is wanted, nats.
        objective: By which held-out data judges.

    Raises:
        SettingError: The tolerance is not finite; or the model has no multiplier (by `reduce`).

    Source: Rezende & Viola (2018), algorithm 1, arXiv 1810.00597.
    Differs: u follows the optimiser of the weights, whose own averages stand for that of the
        constraint, so that it is saved and resumed with them; the constraint is in nats.
    """

    tolerance: float
    objective: Objective = ELBO()  # noqa: RUF009  it is frozen

    def __post_init__(self) -> None:
        if not math.isfinite(self.tolerance):
            raise SettingError(f"tolerance must be a number of nats, got {self.tolerance!r}")

    @property
    def formula(self) -> str:  # type: ignore[override]
        """With the number that it has."""
        return f"-rate - l (distortion - {self.tolerance:g})"

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`."""
        if not isinstance(trace, Multiplied):
            raise SettingError("GECO needs a model with a multiplier; use recipe geco")
        bound, u = self.objective.reduce(trace, beta), trace.log_multiplier.double()
        apart = bound.distortion - self.tolerance
        mean = batch_mean(apart.reshape(1, -1, 1)).squeeze(0)
        # of value 0: its gradient moves u, and nothing else
        climb = (u - u.detach()) * mean.detach()
        value = bound.value + bound.distortion - u.detach().exp() * apart + climb
        return Bound(value, bound.distortion, bound.rate)

    def at(self, fraction: float) -> Objective:
        """Return itself with the objective inside of that fraction."""
        return GECO(self.tolerance, self.objective.at(fraction))
