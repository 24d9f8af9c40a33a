"""Invertible maps of vectors, and how much each stretches volume."""

from lowerbound.flows.chain import Chain
from lowerbound.flows.conditioner import Conditioner
from lowerbound.flows.coupling import Coupling
from lowerbound.flows.map import Map
from lowerbound.flows.masked import Masked
from lowerbound.flows.triangular import Triangular
from lowerbound.flows.units import Affine, Spline, UnitMap, unit_map

__all__ = [
    "Affine",
    "Chain",
    "Conditioner",
    "Coupling",
    "Map",
    "Masked",
    "Spline",
    "Triangular",
    "UnitMap",
    "unit_map",
]
