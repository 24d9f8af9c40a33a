"""What a gradient without the score must keep: the value, the decoder's gradient, and the mean."""

import copy
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lowerbound.data import Batch
from lowerbound.models import VAE
from lowerbound.objectives import Objective
from lowerbound.seeding import seeded
from lowerbound.testing.assertions import check_close
from lowerbound.testing.noise import given_noise
from lowerbound.testing.references.linear_gaussian import LinearGaussian

#: Nodes of the quadrature over the noise of one draw; of two draws, their square.
NODES = 64
#: Weights of the rate at which the gradient is compared.
BETAS = (1.0, 0.4)
#: What the quadrature leaves open, in nats for a unit of a parameter.
QUADRATURE = 1e-6


def check_reparameterised(
    build: Callable[[int], Objective], usual: Callable[[int], Objective]
) -> None:
    """Assert that an objective is another one with less noise in the encoder's gradient.

    On a linear Gaussian model with one latent unit, for one and for two draws: value and decoder's
    gradient are those of the other on the same draws. The encoder's gradient has the same mean,
    an integral over the noise of all draws by quadrature; and at the exact posterior it is zero in
    every draw.

    Args:
        build: From the number of draws to the objective.
        usual: Likewise, the one whose total gradient is known to be right.

    Source: Roeder, Wu & Duvenaud (2017), arXiv 1703.09194; Tucker et al. (2019),
        arXiv 1810.04152.

    Example:
        >>> from lowerbound.objectives import IWAE, DReG
        >>> check_reparameterised(DReG, IWAE)
    """
    reference = LinearGaussian.random(latents=1, dimensions=3)
    exact = reference.vae()
    other = copy.deepcopy(exact)
    with torch.no_grad():  # beside the exact one, and wider: weights are bounded
        *_, bias = other.posterior.parameters()
        bias += 0.2
    x = reference.simulate(1).x
    for samples in (1, 2):
        noise, weight = nodes(samples)
        batch = Batch(x.expand(noise.shape[1], -1))
        with given_noise(noise):
            for beta in BETAS:
                _check_pair(build(samples), usual(samples), other, batch, weight, beta)
            _, gradients = _gradients(build(samples), exact, batch, torch.ones(len(weight)))
        for name, gradient in _of(gradients, "posterior").items():
            what = f"the gradient at the exact posterior, of every draw, for '{name}'"
            check_close(gradient, torch.zeros(()), what, 1e-8, "plain")


def nodes(samples: int) -> tuple[Tensor, Tensor]:
    """Noise `(K, N, 1)` of `K` draws of one unit, and the weight `(N,)` of each combination."""
    points, weights = np.polynomial.hermite_e.hermegauss(NODES)
    point, weight = torch.tensor(points), torch.tensor(weights) / math.sqrt(2 * math.pi)
    noise = torch.cartesian_prod(*[point] * samples).reshape(-1, samples)
    mass = torch.cartesian_prod(*[weight] * samples).reshape(-1, samples).prod(dim=1)
    return noise.T.unsqueeze(-1), mass


def _check_pair(
    objective: Objective, usual: Objective, model: VAE, batch: Batch, weight: Tensor, beta: float
) -> None:
    value, mine = _gradients(objective, model, batch, weight, beta)
    other, known = _gradients(usual, model, batch, weight, beta)
    check_close(value, other, "the value, which is that of the usual objective on the same draws,")
    for name, gradient in known.items():
        whose = "encoder" if name.startswith("posterior") else "decoder"
        what = f"the {whose}'s expected gradient for '{name}' for K = {objective.samples}"
        check_close(mine[name], gradient, f"{what} at beta {beta:g}", QUADRATURE, "plain")
    with seeded(0):
        some = torch.rand(len(weight), dtype=torch.float64)  # of single draws, not their mean
    _, mine = _gradients(objective, model, batch, some, beta)
    _, known = _gradients(usual, model, batch, some, beta)
    for name, gradient in _of(known, "likelihood").items():
        what = f"the decoder's gradient for '{name}' on the same draws"
        check_close(mine[name], gradient, what, 1e-8, "plain")


def _gradients(
    objective: Objective, model: VAE, batch: Batch, weight: Tensor, beta: float = 1.0
) -> tuple[Tensor, dict[str, Tensor]]:
    """The value of each row, and the gradient of their weighted sum for each parameter."""
    trace = model.trace(batch, objective.samples, objective.gradient)
    value = objective.reduce(trace, beta).value
    named = dict(model.named_parameters())
    wanted = list(named.values())
    found = torch.autograd.grad((weight * value).sum(), wanted, materialize_grads=True)
    return value, dict(zip(named, found, strict=True))


def _of(gradients: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {k: g for k, g in gradients.items() if k.startswith(f"{part}.")}
