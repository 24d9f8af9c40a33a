"""`fit`, the one place where a bound becomes a loss."""

from lowerbound.errors import StopTraining
from lowerbound.training.callbacks import Callback, Step
from lowerbound.training.execution import Execution
from lowerbound.training.fit import explain, fit
from lowerbound.training.history import Epoch, Fit, Terms
from lowerbound.training.schedules import Constant, Stages, WarmUp, WarmUpCosine
from lowerbound.training.settings import Training
from lowerbound.training.state import State

__all__ = [
    "Callback",
    "Constant",
    "Epoch",
    "Execution",
    "Fit",
    "Stages",
    "State",
    "Step",
    "StopTraining",
    "Terms",
    "Training",
    "WarmUp",
    "WarmUpCosine",
    "explain",
    "fit",
]
