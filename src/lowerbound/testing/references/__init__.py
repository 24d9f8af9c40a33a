"""Models whose evidence and posterior are known, in closed form or by enumeration."""

from lowerbound.testing.references.belief_net import SigmoidBeliefNet
from lowerbound.testing.references.beta_bernoulli import BetaBernoulli
from lowerbound.testing.references.chain import LinearGaussianChain
from lowerbound.testing.references.enumerable import Enumerable
from lowerbound.testing.references.linear_gaussian import Joint, LinearGaussian, Reference
from lowerbound.testing.references.mixtures import BernoulliMixture, CategoricalMixture

__all__ = [
    "Reference",
    "Joint",
    "LinearGaussian",
    "LinearGaussianChain",
    "BetaBernoulli",
    "Enumerable",
    "BernoulliMixture",
    "CategoricalMixture",
    "SigmoidBeliefNet",
]
