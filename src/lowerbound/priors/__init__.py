"""Priors p(z)."""

from lowerbound.priors.mixture import Mixture, mixture
from lowerbound.priors.site import Site
from lowerbound.priors.standard_normal import StandardNormal, standard_normal
from lowerbound.priors.vamp import VampPrior, vamp

#: By name: from a prior's place in a model, and its settings, to the prior.
BUILDERS = {"standard-normal": standard_normal, "mixture": mixture, "vamp": vamp}

__all__ = ["Mixture", "Site", "StandardNormal", "VampPrior"]
