"""The guidance of an objective while training is young."""

from lowerbound.objectives import Annealed, FreeBits, Objective
from lowerbound.training import WarmUp
from lowerbound.training.schedules import Cycles


def guided(
    objective: Objective, beta_warm_up: float = 0.0, free_bits: float = 0.0, cycles: int = 0
) -> Objective:
    """Wrap an objective in free bits (nats a unit; 0 for none) and a warm-up of its rate.

    `beta_warm_up` is the fraction of the training over which the weight of the rate rises to its
    full value, and in each of `cycles`, if there are any, the fraction of the cycle; 0 for none.
    """
    if free_bits:
        objective = FreeBits(objective, free_bits)
    if cycles:
        return Annealed(objective, Cycles(cycles, beta_warm_up or 0.5))
    return Annealed(objective, WarmUp(beta_warm_up)) if beta_warm_up else objective
