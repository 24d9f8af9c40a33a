"""Priors p(z)."""

from lowerbound.priors.autoregressive import AutoregressivePrior, autoregressive
from lowerbound.priors.codes import Bernoulli, Categorical, bernoulli, categorical
from lowerbound.priors.exemplar import ExemplarPrior, exemplar
from lowerbound.priors.flow import FlowPrior, flow
from lowerbound.priors.gaussian import Gaussian, gaussian
from lowerbound.priors.heavy_tailed import HeavyTailed, heavy_tailed
from lowerbound.priors.mixture import Mixture, mixture
from lowerbound.priors.site import Site
from lowerbound.priors.standard_normal import StandardNormal, standard_normal
from lowerbound.priors.vamp import VampPrior, vamp

#: By name: from a prior's place in a model, and its settings, to the prior.
BUILDERS = {
    "standard-normal": standard_normal,
    "mixture": mixture,
    "vamp": vamp,
    "exemplar": exemplar,
    "flow": flow,
    "gaussian": gaussian,
    "autoregressive": autoregressive,
    "heavy-tailed": heavy_tailed,
    "categorical": categorical,
    "bernoulli": bernoulli,
}

__all__ = [
    "AutoregressivePrior",
    "Bernoulli",
    "Categorical",
    "ExemplarPrior",
    "FlowPrior",
    "Gaussian",
    "HeavyTailed",
    "Mixture",
    "Site",
    "StandardNormal",
    "VampPrior",
]
