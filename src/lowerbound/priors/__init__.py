"""Priors p(z)."""

from lowerbound.priors.autoregressive import AutoregressivePrior, autoregressive
from lowerbound.priors.codes import Bernoulli, Categorical, bernoulli, categorical
from lowerbound.priors.exemplar import ExemplarPrior, exemplar
from lowerbound.priors.families import Dirichlet, Gamma, dirichlet, gamma
from lowerbound.priors.flow import FlowPrior, flow
from lowerbound.priors.gaussian import Gaussian, gaussian
from lowerbound.priors.given import GivenPrior, given
from lowerbound.priors.heavy_tailed import HeavyTailed, laplace, student
from lowerbound.priors.masked_codes import CodesPrior, codes
from lowerbound.priors.mixture import Mixture, mixture
from lowerbound.priors.site import Site
from lowerbound.priors.sphere import Sphere, sphere
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
    "given": given,
    "autoregressive": autoregressive,
    "student": student,
    "laplace": laplace,
    "gamma": gamma,
    "dirichlet": dirichlet,
    "sphere": sphere,
    "categorical": categorical,
    "bernoulli": bernoulli,
    "codes": codes,
}

__all__ = [
    "AutoregressivePrior",
    "Bernoulli",
    "Categorical",
    "CodesPrior",
    "Dirichlet",
    "ExemplarPrior",
    "FlowPrior",
    "Gamma",
    "Gaussian",
    "GivenPrior",
    "HeavyTailed",
    "Mixture",
    "Site",
    "Sphere",
    "StandardNormal",
    "VampPrior",
]
