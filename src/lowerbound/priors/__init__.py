"""Priors p(z)."""

from lowerbound.priors.flow import FlowPrior, flow
from lowerbound.priors.mixture import Mixture, mixture
from lowerbound.priors.site import Site
from lowerbound.priors.standard_normal import StandardNormal, standard_normal
from lowerbound.priors.vamp import VampPrior, vamp

#: By name: from a prior's place in a model, and its settings, to the prior.
BUILDERS = {
    "standard-normal": standard_normal,
    "mixture": mixture,
    "vamp": vamp,
    "flow": flow,
}

__all__ = ["FlowPrior", "Mixture", "Site", "StandardNormal", "VampPrior"]
