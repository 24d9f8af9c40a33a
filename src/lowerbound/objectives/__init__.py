"""Bounds on log p(x), and what may be done to them."""

from lowerbound.objectives.aggregate import Discrepancy, Disentangled, TotalCorrelation
from lowerbound.objectives.annealed import Annealed
from lowerbound.objectives.capacity import Capacity
from lowerbound.objectives.disarm import DisARM
from lowerbound.objectives.discrete import RLOO, Enumerated, Gumbel
from lowerbound.objectives.elbo import ELBO, BetaELBO, StickingTheLanding
from lowerbound.objectives.free_bits import FreeBits
from lowerbound.objectives.geco import GECO
from lowerbound.objectives.iwae import IWAE, DReG
from lowerbound.objectives.objective import Objective
from lowerbound.objectives.partial import MIWAE, PIWAE
from lowerbound.objectives.renyi import CIWAE, Renyi
from lowerbound.objectives.semi_supervised import SemiSupervised
from lowerbound.objectives.staged import Staged

__all__ = [
    "CIWAE",
    "ELBO",
    "GECO",
    "IWAE",
    "MIWAE",
    "PIWAE",
    "RLOO",
    "Annealed",
    "Staged",
    "BetaELBO",
    "Capacity",
    "DReG",
    "DisARM",
    "Discrepancy",
    "Disentangled",
    "Enumerated",
    "FreeBits",
    "Gumbel",
    "Objective",
    "Renyi",
    "SemiSupervised",
    "StickingTheLanding",
    "TotalCorrelation",
]
