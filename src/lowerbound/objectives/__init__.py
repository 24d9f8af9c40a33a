"""Bounds on log p(x), and what may be done to them."""

from lowerbound.objectives.annealed import Annealed
from lowerbound.objectives.discrete import RLOO, Enumerated, Gumbel
from lowerbound.objectives.elbo import ELBO, BetaELBO, StickingTheLanding
from lowerbound.objectives.free_bits import FreeBits
from lowerbound.objectives.iwae import IWAE, DReG
from lowerbound.objectives.objective import Objective
from lowerbound.objectives.staged import Staged

__all__ = [
    "ELBO",
    "IWAE",
    "RLOO",
    "Annealed",
    "Staged",
    "BetaELBO",
    "DReG",
    "Enumerated",
    "FreeBits",
    "Gumbel",
    "Objective",
    "StickingTheLanding",
]
