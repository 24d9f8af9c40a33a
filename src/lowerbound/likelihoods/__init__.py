"""Likelihoods p(x|z): `Fields`, one network and the cells of each kind."""

from lowerbound.likelihoods.bernoulli import Bernoulli, bernoulli
from lowerbound.likelihoods.binned import Binned, binned
from lowerbound.likelihoods.categorical import Categorical, categorical
from lowerbound.likelihoods.cells import Cells, Site
from lowerbound.likelihoods.discretized_logistic import DiscretizedLogistic, discretized_logistic
from lowerbound.likelihoods.fields import Fields, outputs_of
from lowerbound.likelihoods.gaussian import (
    FixedScale,
    Gaussian,
    PerDimensionScale,
    SharedScale,
    gaussian,
)
from lowerbound.likelihoods.negative_binomial import NegativeBinomial, negative_binomial

#: By name: from the cells that a law is for, and its settings, to the law.
BUILDERS = {
    "bernoulli": bernoulli,
    "binned": binned,
    "categorical": categorical,
    "discretized-logistic": discretized_logistic,
    "gaussian": gaussian,
    "negative-binomial": negative_binomial,
}

__all__ = [
    "Bernoulli",
    "Binned",
    "Categorical",
    "Cells",
    "DiscretizedLogistic",
    "Fields",
    "FixedScale",
    "Gaussian",
    "NegativeBinomial",
    "PerDimensionScale",
    "SharedScale",
    "Site",
    "outputs_of",
]
