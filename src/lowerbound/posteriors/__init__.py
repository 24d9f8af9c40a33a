"""Approximate posteriors q(z|x)."""

from lowerbound.posteriors.codes import BernoulliPosterior, CategoricalPosterior
from lowerbound.posteriors.diagonal_gaussian import DiagonalGaussian
from lowerbound.posteriors.flow import FlowPosterior
from lowerbound.posteriors.full_gaussian import FullGaussian

#: By name: the class, made around an encoder that puts out its `parameters_shape(latents)`.
BUILDERS = {
    "diagonal": DiagonalGaussian,
    "full": FullGaussian,
    "flow": FlowPosterior,
    "categorical": CategoricalPosterior,
    "bernoulli": BernoulliPosterior,
}

__all__ = [
    "BernoulliPosterior",
    "CategoricalPosterior",
    "DiagonalGaussian",
    "FlowPosterior",
    "FullGaussian",
]
