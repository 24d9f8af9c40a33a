"""The shapes that everything else is made of: a conditional distribution, a walk, a trace."""

from lowerbound.core.batch import Batch
from lowerbound.core.conditional import Conditional
from lowerbound.core.model import Choose, Factor, Inferred, Model, Sample
from lowerbound.core.on import constant, device_of, dtype_of, on
from lowerbound.core.space import Latents, Space, flatten, unflatten, units_of
from lowerbound.core.told import UNTOLD, Told
from lowerbound.core.trace import Bound, Gradient, Latent, Pick, Trace, Traceable
from lowerbound.core.view import View

__all__ = [
    "UNTOLD",
    "Batch",
    "Bound",
    "Choose",
    "Conditional",
    "Factor",
    "Gradient",
    "Inferred",
    "Latent",
    "Latents",
    "Model",
    "Pick",
    "Sample",
    "Space",
    "Told",
    "Trace",
    "Traceable",
    "View",
    "constant",
    "device_of",
    "dtype_of",
    "flatten",
    "on",
    "unflatten",
    "units_of",
]
