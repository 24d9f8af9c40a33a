"""Networks: tensor -> tensor, one self-contained architecture a file."""

from lowerbound.networks.convolution import SeriesDecoder, SeriesEncoder, convolution
from lowerbound.networks.mlp import MLP, mlp
from lowerbound.networks.pair import Init, Network, Pair
from lowerbound.networks.recurrent import Reader, Writer
from lowerbound.networks.residual import ResidualDecoder, ResidualEncoder, residual
from lowerbound.networks.sized import Sized
from lowerbound.networks.steps import PerStep, RollWriter, StepReader, Transition
from lowerbound.networks.tunes import TuneReader, TuneWriter

#: By name: from its settings to an encoder and its decoder.
BUILDERS = {"convolution": convolution, "mlp": mlp, "residual": residual}

__all__ = [
    "MLP",
    "Init",
    "Network",
    "Pair",
    "PerStep",
    "ResidualDecoder",
    "ResidualEncoder",
    "Reader",
    "RollWriter",
    "SeriesDecoder",
    "SeriesEncoder",
    "StepReader",
    "Transition",
    "Sized",
    "TuneReader",
    "TuneWriter",
    "Writer",
]
