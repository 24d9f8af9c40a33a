"""Likelihoods p(x|z), each a law for the cells of x given the output of a decoder network."""

from lowerbound.likelihoods.bernoulli import Bernoulli
from lowerbound.likelihoods.categorical import Categorical
from lowerbound.likelihoods.discretized_logistic import DiscretizedLogistic
from lowerbound.likelihoods.gaussian import FixedScale, Gaussian, PerDimensionScale, SharedScale
from lowerbound.likelihoods.likelihood import Likelihood

__all__ = [
    "Bernoulli",
    "Categorical",
    "DiscretizedLogistic",
    "FixedScale",
    "Gaussian",
    "Likelihood",
    "PerDimensionScale",
    "SharedScale",
]
