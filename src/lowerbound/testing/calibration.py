"""Checks on the whole of a model: against its known answer and gradients, and by simulation."""

import copy
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.core import Gradient, Traceable
from lowerbound.data import Batch
from lowerbound.models import VAE
from lowerbound.objectives import ELBO, IWAE, Objective
from lowerbound.seeding import seeded
from lowerbound.testing.assertions import assert_uniform_ranks, check_close
from lowerbound.testing.laws import perturbed
from lowerbound.testing.noise import cubature, given_noise
from lowerbound.testing.references.linear_gaussian import LinearGaussian, Reference

#: Nodes of the quadrature over the noise of one draw; of two draws, their square.
NODES = 64
#: Weights of the rate at which the gradient is compared.
BETAS = (1.0, 0.4)
#: Error of the quadrature, in nats for a unit of a parameter.
QUADRATURE = 1e-6


def check_known_answer(reference: Reference, model: Traceable, *, seed: int = 0) -> None:
    """Assert that the exact posterior makes every draw the evidence.

    log p(x, z_k) - log q(z_k|x) = log p(x) for every k, hence ELBO (drawn) = IWAE_K = log p(x).

    Args:
        model: Should be the same model, with an exact posterior: `reference.vae(...)`, or the
            reference itself where it has a `trace`.

    Example:
        >>> reference = LinearGaussian.random(latents=2, dimensions=4)
        >>> check_known_answer(reference, reference.vae())
    """
    x = reference.simulate(6, seed).x
    evidence = reference.log_evidence(x)
    with seeded(seed), torch.no_grad():
        trace = model.trace(Batch(x), 5)
        check_close(trace.log_weight, evidence, "log p(x, z) - log q(z|x)")
        for objective in (ELBO(3, analytic=False), IWAE(1), IWAE(7)):
            value = objective(model, Batch(x)).value
            check_close(value, evidence, f"{type(objective).__name__}({objective.samples})")


def check_known_gradient(reference: LinearGaussian, model: VAE) -> None:
    """Assert that the gradient of the bound is that of the evidence, and none for the encoder.

    grad E_q[log p(x, z) - log q(z|x)] = grad log p(x) at q(z|x) = p(z|x) (Fisher's identity),
    exact under cubature, for the drawn rate and for its closed form.

    Args:
        model: `reference.vae(...)`, its posterior exact.
    """
    x = reference.simulate(6).x
    decoder = list(model.likelihood.network.parameters())  # type: ignore[union-attr,operator]
    encoder = list(model.posterior.parameters())
    leaves = [t.detach().clone().requires_grad_() for t in (reference.weight, reference.bias)]
    evidence = LinearGaussian(leaves[0], leaves[1], reference.scale).log_evidence(x).sum()
    expected = [*torch.autograd.grad(evidence, leaves), *(torch.zeros_like(p) for p in encoder)]
    names = ["W", "b", *("the encoder" for _ in encoder)]
    for analytic in (False, True):
        objective = ELBO(2 * reference.latents, analytic)
        with given_noise(cubature(reference.latents)):
            value = objective(model, Batch(x)).value.sum()
        got = torch.autograd.grad(value, [*decoder, *encoder], materialize_grads=True)
        kind = "closed" if analytic else "drawn"
        for name, one, other in zip(names, got, expected, strict=True):
            what = f"the gradient of the ELBO ({kind} rate) for {name}"
            check_close(one, other, what, 1e-8, "plain")


def check_path_gradient(reference: LinearGaussian, model: VAE) -> None:
    """Assert that a model gives the path-wise gradient when asked for it, and the total otherwise.

    The path-wise gradient leaves out the score d log q(z|x) / d q, whose mean is zero. At the exact
    posterior it is zero for every draw, while the total one is minus the score; anywhere else the
    two have the same mean, exact under cubature.

    Args:
        model: With an exact posterior: `reference.vae(...)`.

    Source: Roeder, Wu & Duvenaud (2017), section 3, arXiv 1703.09194.
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


def _gradient(model: VAE, x: Tensor, kind: Gradient, samples: int = 1) -> Tensor:
    """Take that of the drawn ELBO, for all parameters of the encoder in a row."""
    encoder = list(model.posterior.parameters())
    with seeded(0):
        bound = ELBO(samples, analytic=False, gradient=kind)(model, Batch(x))
    gradients = torch.autograd.grad(bound.value.sum(), encoder, materialize_grads=True)
    return torch.cat([gradient.flatten() for gradient in gradients])


def check_calibration(
    reference: Reference,
    posterior: Callable[[Tensor], Distribution],
    *,
    simulations: int = 20_000,
    draws: int = 31,
    resolves: float = 0.02,
    seed: int = 0,
) -> None:
    """Assert that truths rank uniformly among posterior draws: z ~ p(z), x ~ p(x|z), then q(z|x).

    Where draws equal the truth, as discrete ones do, its rank among them is drawn at random.

    Args:
        reference: The joint law to simulate; of it only `simulate` is used.
        posterior: q(z|x) from x, batch `(N,)`, event `(D,)`.
        draws: Posterior draws among which each truth is ranked.

    Source: Cook, Gelman & Rubin (2006); Talts et al. (2018), arXiv 1804.06788.
    """
    joint = reference.simulate(simulations, seed)
    with seeded(seed + 1), torch.no_grad():
        z = posterior(joint.x).sample(torch.Size([draws]))
        equal = (z == joint.z).sum(dim=0)
        among = (torch.rand(equal.shape, dtype=torch.float64) * (equal + 1)).floor()
    ranks = (z < joint.z).sum(dim=0) + among
    for unit in range(joint.z.shape[1]):
        name = f"the ranks of latent unit {unit}"
        assert_uniform_ranks(ranks[:, unit], draws, resolves=resolves, name=name)


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
    """Return noise `(K, N, 1)` of `K` draws of one unit, and weights `(N,)` of combinations."""
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
    """Return the value of each row, and the gradient of their weighted sum for each parameter."""
    trace = model.trace(batch, objective.samples, objective.gradient)
    value = objective.reduce(trace, beta).value
    named = dict(model.named_parameters())
    wanted = list(named.values())
    found = torch.autograd.grad((weight * value).sum(), wanted, materialize_grads=True)
    return value, dict(zip(named, found, strict=True))


def _of(gradients: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {k: g for k, g in gradients.items() if k.startswith(f"{part}.")}
