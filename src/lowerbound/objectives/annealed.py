"""Warm-up: an objective whose rate counts less while training is young."""

from collections.abc import Callable
from dataclasses import dataclass

from lowerbound.core.trace import Bound, Trace
from lowerbound.objectives.objective import Objective, Wrapper


@dataclass(frozen=True)
class Annealed(Wrapper):
    """Another objective, the weight of its rate multiplied by a schedule.

    Args:
        objective: The objective that is annealed.
        schedule: From the fraction of training done, in [0, 1], to a weight; it should reach 1.

    Source: Bowman et al. (2016), section 3.1, arXiv 1511.06349; Sonderby et al. (2016),
        section 2.3, arXiv 1602.02282.
    """

    objective: Objective
    schedule: Callable[[float], float]

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """Reduce as when annealing is over."""
        return self.objective.reduce(trace, beta)

    def at(self, fraction: float) -> Objective:
        """Return the objective under the weight that the schedule gives."""
        return Tempered(self.objective.at(fraction), float(self.schedule(fraction)))


@dataclass(frozen=True)
class Tempered(Wrapper):
    """Another objective at one fixed further weight of its rate."""

    objective: Objective
    beta: float

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        return self.objective.reduce(trace, self.beta * beta)
