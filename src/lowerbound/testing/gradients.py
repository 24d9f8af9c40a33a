"""Gradients for the parameters of a part, against finite differences and quadrature."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.func import functional_call

from lowerbound.core.conditional import Conditional
from lowerbound.distributions import analytic_kl, log_prob, surface
from lowerbound.priors import StandardNormal
from lowerbound.testing.assertions import assert_close_gradient, check_close

#: Points an axis, by the number of axes, of a grid over +- 9 standard deviations.
_POINTS = {1: 601, 2: 121, 3: 41}
#: Random directions along which all parameters are moved.
_DIRECTIONS = 3


def check_parameter_gradient(
    part: nn.Module, law: Callable[[nn.Module], Distribution], value: Tensor, name: str
) -> None:
    """Assert that the gradient of a log-density for all parameters is that of its differences.

    The parameters of the part, in float64, are moved together along random directions: as many
    differences as directions, however many parameters there are.
    """
    held = {key: p.detach() for key, p in part.named_parameters() if p.requires_grad}
    if not held:
        return
    ways = {key: torch.randn(_DIRECTIONS, *p.shape, dtype=p.dtype) for key, p in held.items()}

    def along(steps: Tensor) -> Tensor:
        moved = {f"part.{k}": p + torch.tensordot(steps, ways[k], 1) for k, p in held.items()}
        return functional_call(_Calling(part, law), moved, value)

    origin = torch.zeros(_DIRECTIONS, dtype=torch.float64)
    assert_close_gradient(along, [origin], name=f"the gradient of {name} for the parameters")


def check_kl_by_quadrature(posterior: Conditional, x: Tensor, tolerance: float = 1e-6) -> None:
    """Assert that a closed form of KL(q || N(0, I)) is its integral, and so is its gradient.

    The integral of q log(q / p), in float64, over a grid in the coordinates of q's own draws:
    rotated and scaled to it. For up to 3 units, and where the grid holds all of q; otherwise
    nothing is said. The tolerance is relative to the largest gradient.
    """
    q = posterior(x)
    latents = q.event_shape[0]
    p = StandardNormal(latents).double()()
    closed = analytic_kl(q, p)
    if closed is None or latents not in _POINTS or surface(q):
        return
    grid, volume = _grid(q, latents)
    log_q = log_prob(q, grid)
    mass = (log_q.detach().exp() * volume).sum(dim=0)
    if float((mass - 1).abs().max()) > tolerance:
        return
    integral = (log_q.exp() * (log_q - log_prob(p, grid)) * volume).sum(dim=0)
    value = closed.sum(dim=-1)
    check_close(value, integral, "the closed KL(q || p), an integral,", tolerance)
    named = {key: w for key, w in posterior.named_parameters() if w.requires_grad}
    wanted = list(named.values())
    got, expected = (
        torch.autograd.grad(number.sum(), wanted, retain_graph=True, materialize_grads=True)
        for number in (value, integral)
    )
    for key, one, other in zip(named, got, expected, strict=True):
        size = 1 + float(other.abs().max())
        name = f"the gradient of the closed KL(q || p) for '{key}'"
        check_close(one / size, other / size, name, tolerance, "plain")


class _Calling(nn.Module):
    """A part, and a log-density of it as a function of its parameters."""

    def __init__(self, part: nn.Module, law: Callable[[nn.Module], Distribution]) -> None:
        super().__init__()
        self.part, self.law = part, law

    def forward(self, value: Tensor) -> Tensor:
        return log_prob(self.law(self.part), value)


@torch.no_grad()
def _grid(q: Distribution, latents: int) -> tuple[Tensor, Tensor]:
    """Return points `(N, B, D)` and the volume of one of them, `(B,)`."""
    axis = torch.linspace(-9.0, 9.0, _POINTS[latents], dtype=torch.float64)
    unit = torch.cartesian_prod(*[axis] * latents).reshape(-1, latents)
    z = q.sample(torch.Size([4000])).double()
    centred = z - z.mean(dim=0)
    covariance = torch.einsum("nbi,nbj->bij", centred, centred) / len(z)
    factor = torch.linalg.cholesky(covariance)
    grid = z.mean(dim=0) + torch.einsum("bij,nj->nbi", factor, unit)
    step = float(axis[1] - axis[0])
    sizes = torch.diagonal(factor, dim1=-2, dim2=-1).log().sum(dim=-1)
    return grid, (sizes + latents * math.log(step)).exp()
