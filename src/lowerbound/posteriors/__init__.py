"""Approximate posteriors q(z|x)."""

from lowerbound.posteriors.codes import BernoulliPosterior, CategoricalPosterior
from lowerbound.posteriors.diagonal_gaussian import DiagonalGaussian
from lowerbound.posteriors.families import DirichletPosterior, GammaPosterior, LaplacePosterior
from lowerbound.posteriors.flow import FlowPosterior
from lowerbound.posteriors.fsq import FiniteScalar
from lowerbound.posteriors.full_gaussian import FullGaussian
from lowerbound.posteriors.power_spherical import PowerSphericalPosterior
from lowerbound.posteriors.residual import ResidualQuantised
from lowerbound.posteriors.vq import VectorQuantised

#: By name: the class, made around an encoder that puts out its `parameters_shape(latents)`.
BUILDERS = {
    "diagonal": DiagonalGaussian,
    "full": FullGaussian,
    "flow": FlowPosterior,
    "categorical": CategoricalPosterior,
    "bernoulli": BernoulliPosterior,
    "fsq": FiniteScalar,
    "vq": VectorQuantised,
    "residual": ResidualQuantised,
    "laplace": LaplacePosterior,
    "gamma": GammaPosterior,
    "dirichlet": DirichletPosterior,
    "power-spherical": PowerSphericalPosterior,
}

__all__ = [
    "BernoulliPosterior",
    "CategoricalPosterior",
    "DiagonalGaussian",
    "DirichletPosterior",
    "FiniteScalar",
    "FlowPosterior",
    "FullGaussian",
    "GammaPosterior",
    "LaplacePosterior",
    "PowerSphericalPosterior",
    "ResidualQuantised",
    "VectorQuantised",
]
