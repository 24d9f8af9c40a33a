"""Bounds on log p(x), and what may be done to them."""

from lowerbound.objectives.annealed import Annealed
from lowerbound.objectives.dreg import DReG
from lowerbound.objectives.elbo import ELBO, BetaELBO
from lowerbound.objectives.free_bits import FreeBits
from lowerbound.objectives.iwae import IWAE
from lowerbound.objectives.objective import Objective
from lowerbound.objectives.staged import Staged
from lowerbound.objectives.sticking import StickingTheLanding

__all__ = [
    "ELBO",
    "IWAE",
    "Annealed",
    "Staged",
    "BetaELBO",
    "DReG",
    "FreeBits",
    "Objective",
    "StickingTheLanding",
]
