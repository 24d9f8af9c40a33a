"""Variational autoencoders made into real software.

The five shapes: `Conditional`, `VAE`, `Trace`, `Objective`, `fit`. The short way: `AutoVAE`.

    >>> import lowerbound as lb
    >>> lb.ELBO().formula
    'E_q[log p(x|z)] - KL(q(z|x) || p(z))'

Names are imported when they are first used, so that `import lowerbound` is immediate.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from lowerbound._version import __version__

if TYPE_CHECKING:
    from lowerbound import (
        applications,
        catalogue,
        compare,
        data,
        distributions,
        doctor,
        errors,
        evaluation,
        likelihoods,
        models,
        networks,
        objectives,
        posteriors,
        priors,
        reproduce,
        testing,
        training,
    )
    from lowerbound.applications import (
        decode,
        encode,
        generate,
        interpolate,
        reconstruct,
        traverse,
    )
    from lowerbound.core.conditional import Conditional
    from lowerbound.core.trace import Bound, Trace
    from lowerbound.data import Batch, Data, Schema, read
    from lowerbound.errors import LowerboundError
    from lowerbound.estimator import AutoVAE
    from lowerbound.evaluation import evaluate
    from lowerbound.models import VAE
    from lowerbound.objectives import (
        ELBO,
        IWAE,
        Annealed,
        BetaELBO,
        DReG,
        FreeBits,
        Objective,
        StickingTheLanding,
    )
    from lowerbound.runs import load
    from lowerbound.training import Fit, Training, fit

_MODULES = (
    "applications",
    "catalogue",
    "compare",
    "data",
    "distributions",
    "doctor",
    "errors",
    "evaluation",
    "likelihoods",
    "models",
    "networks",
    "objectives",
    "posteriors",
    "priors",
    "reproduce",
    "testing",
    "training",
)
_HOMES = {
    "ELBO": "objectives",
    "IWAE": "objectives",
    "VAE": "models",
    "Annealed": "objectives",
    "AutoVAE": "estimator",
    "Batch": "data",
    "BetaELBO": "objectives",
    "Bound": "core.trace",
    "Conditional": "core.conditional",
    "DReG": "objectives",
    "Data": "data",
    "Fit": "training",
    "FreeBits": "objectives",
    "LowerboundError": "errors",
    "Objective": "objectives",
    "Schema": "data",
    "StickingTheLanding": "objectives",
    "Trace": "core.trace",
    "Training": "training",
    "decode": "applications",
    "encode": "applications",
    "evaluate": "evaluation",
    "fit": "training",
    "generate": "applications",
    "interpolate": "applications",
    "load": "runs",
    "read": "data",
    "reconstruct": "applications",
    "traverse": "applications",
}

__all__ = [
    "ELBO",
    "IWAE",
    "VAE",
    "Annealed",
    "AutoVAE",
    "Batch",
    "BetaELBO",
    "Bound",
    "Conditional",
    "DReG",
    "Data",
    "Fit",
    "FreeBits",
    "LowerboundError",
    "Objective",
    "Schema",
    "StickingTheLanding",
    "Trace",
    "Training",
    "__version__",
    "applications",
    "catalogue",
    "compare",
    "data",
    "decode",
    "distributions",
    "doctor",
    "encode",
    "errors",
    "evaluate",
    "evaluation",
    "fit",
    "generate",
    "interpolate",
    "likelihoods",
    "load",
    "models",
    "networks",
    "objectives",
    "posteriors",
    "priors",
    "read",
    "reconstruct",
    "reproduce",
    "testing",
    "training",
    "traverse",
]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        value: object = import_module(f"lowerbound.{name}")
    elif name in _HOMES:
        value = getattr(import_module(f"lowerbound.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module 'lowerbound' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
