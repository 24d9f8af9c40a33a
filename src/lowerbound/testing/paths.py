"""What a path-wise gradient must keep: less noise than the total one, and the same mean."""

import copy

import torch

from lowerbound.core.trace import Gradient
from lowerbound.data import Batch
from lowerbound.models import VAE
from lowerbound.objectives import ELBO
from lowerbound.seeding import seeded
from lowerbound.testing.assertions import check_close
from lowerbound.testing.laws import perturbed
from lowerbound.testing.noise import cubature, given_noise
from lowerbound.testing.references.linear_gaussian import LinearGaussian


def check_path_gradient(reference: LinearGaussian, model: VAE) -> None:
    """Assert that a model gives the path-wise gradient when asked for it, and the total otherwise.

    The path-wise gradient leaves out the score d log q(z|x) / d q, whose mean is zero. At the exact
    posterior it is zero for every draw, while the total one is minus the score; anywhere else the
    two have the same mean, exact under cubature.

    Args:
        reference: Where the data comes from.
        model: With an exact posterior: `reference.vae(...)`.

    Raises:
        AssertionError: A gradient is another one.

    Source: Roeder, Wu & Duvenaud (2017), section 3, arXiv 1703.09194.

    Example:
        >>> reference = LinearGaussian.random(latents=2, dimensions=4)
        >>> check_path_gradient(reference, reference.vae())
    """
    x = reference.simulate(6).x
    path = _gradient(model, x, "path")
    check_close(path, torch.zeros(()), "the path-wise gradient of every draw", 1e-8, "plain")
    if not bool((_gradient(model, x, "total").abs() > 1e-3).any()):
        raise AssertionError("the total gradient of one draw leaves out the score of q(z|x)")
    with seeded(0):
        other = perturbed(copy.deepcopy(model))
    with given_noise(cubature(reference.latents)):
        samples = 2 * reference.latents
        path = _gradient(other, x, "path", samples)
        total = _gradient(other, x, "total", samples)
    check_close(path, total, "the mean path-wise gradient for the encoder", 1e-8, "plain")


def _gradient(model: VAE, x: torch.Tensor, kind: Gradient, samples: int = 1) -> torch.Tensor:
    """Of the drawn ELBO, for all parameters of the encoder in a row."""
    encoder = list(model.posterior.parameters())
    with seeded(0):
        bound = ELBO(samples, analytic=False, gradient=kind)(model, Batch(x))
    gradients = torch.autograd.grad(bound.value.sum(), encoder, allow_unused=True)
    return torch.cat(
        [
            torch.zeros(p.numel()).double() if g is None else g.flatten()
            for p, g in zip(encoder, gradients, strict=True)
        ]
    )
