"""What recipes share: the guidance of an objective while training is young."""

from lowerbound.objectives import Annealed, FreeBits, Objective
from lowerbound.training import WarmUp


def guided(objective: Objective, beta_warm_up: float = 0.0, free_bits: float = 0.0) -> Objective:
    """An objective with free bits (nats a unit; 0 for none) and a warm-up of its rate.

    Args:
        objective: What is to be maximised in the end.
        beta_warm_up: Fraction of the training over which the weight of the rate rises to its full
            value; 0 for none.
        free_bits: Floor of each unit's rate, nats; 0 for none.
    """
    if free_bits:
        objective = FreeBits(objective, free_bits)
    return Annealed(objective, WarmUp(beta_warm_up)) if beta_warm_up else objective
