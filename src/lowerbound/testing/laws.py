"""Checks that any law must pass, whatever its formula: is it one, and do its draws follow it?"""

import copy
import math

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, StudentT

from lowerbound.distributions import log_prob
from lowerbound.testing.assertions import assert_mean

#: Draws of a statistical check: enough to see a tenth of a standard deviation.
DRAWS = 20_000


def check_density(q: Distribution, name: str, draws: int = DRAWS) -> None:
    """Assert that a density over vectors integrates to one, and that its draws follow it.

    The integral is estimated by importance sampling from a Student law around the draws. The
    draws are compared with the density by Stein's identities, E[d log q / dz_i] = 0 and
    E[(z_i - m_i) d log q / dz_j] = -[i = j], which a shifted, rescaled or rotated draw violates.

    Args:
        q: Batch `(B,)` or `()`, event `(D,)`, smooth; best in float64.
        name: What it is, for the message.
        draws: How many.

    Raises:
        AssertionError: The density is no density, or the draws follow another one.

    Source: Stein (1972); Gorham & Mackey (2015), arXiv 1506.03039.
    """
    z = q.sample(torch.Size([draws])).double()
    centre, spread = z.mean(dim=0), z.std(dim=0)
    deviation = (z - centre) / spread
    correlation = torch.einsum("n...i,n...j->...ij", deviation, deviation) / draws
    eye = torch.eye(z.shape[-1], dtype=z.dtype)
    factor = torch.linalg.cholesky(correlation + 1e-9 * eye) * spread.unsqueeze(-1)

    outside = StudentT(torch.full_like(centre, 5.0), 0.0, 1.2, validate_args=False)
    y = outside.sample(torch.Size([draws]))
    volume = torch.diagonal(factor, dim1=-2, dim2=-1).log().sum(dim=-1)
    log_r = outside.log_prob(y).sum(dim=-1) - volume
    points = centre + torch.einsum("...ij,n...j->n...i", factor, y)
    ratio = (log_prob(q, points) - log_r).exp()
    assert_mean(ratio, 1.0, resolves=0.12, name=f"the integral of {name}")

    inside = z.detach().requires_grad_()
    (score,) = torch.autograd.grad(log_prob(q, inside).sum(), inside)
    score = score.detach() * spread
    assert_mean(score, 0.0, resolves=0.15, name=f"the draws of {name} against its density: shift")
    products = deviation.unsqueeze(-1) * score.unsqueeze(-2)
    assert_mean(
        products, -eye, resolves=0.25, name=f"the draws of {name} against its density: scale"
    )


def check_copies(module: nn.Module, name: str) -> None:
    """Assert that a module can be copied and its weights moved to another of the same make.

    Raises:
        AssertionError: A copy shares weights with the original, or a tensor is lost on the way.
    """
    twin = copy.deepcopy(module)
    shared = {p.data_ptr() for p in module.parameters()} & {p.data_ptr() for p in twin.parameters()}
    if shared:
        raise AssertionError(f"a deep copy of {name} shares weights with the original")
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.add_(1.0)
    try:
        twin.load_state_dict(module.state_dict())
    except RuntimeError as error:
        raise AssertionError(f"the state_dict of {name} does not fit a copy: {error}") from error
    for (key, one), other in zip(module.named_parameters(), twin.parameters(), strict=True):
        if not torch.equal(one, other):
            raise AssertionError(f"the state_dict of {name} loses '{key}'")


def check_finite(value: Tensor, name: str) -> None:
    """Raise AssertionError unless every number is finite."""
    if not bool(torch.isfinite(value).all()):
        bad = int((~torch.isfinite(value)).sum())
        raise AssertionError(f"{name} has {bad} of {value.numel()} numbers that are not finite")


def check_shape(value: Tensor, shape: tuple[int, ...], name: str) -> None:
    """Raise AssertionError unless a tensor of float64 has this shape."""
    if tuple(value.shape) != shape:
        raise AssertionError(f"{name} has shape {tuple(value.shape)}, it should be {shape}")
    if value.dtype != torch.float64:
        raise AssertionError(f"{name} is {value.dtype}: log-densities are summed in float64")


def perturbed(module: nn.Module, amount: float = 0.1) -> nn.Module:
    """A copy whose parameters are moved at random, away from initial zeros that stop gradients."""
    twin = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in twin.parameters():
            size = amount / math.sqrt(max(1, parameter[0].numel() if parameter.ndim > 1 else 1))
            parameter.add_(size * torch.randn_like(parameter))
    return twin
