"""Checks that any law must pass, whatever its formula: is it one, and do its draws follow it?"""

import copy
import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, StudentT, TransformedDistribution, biject_to

from lowerbound.distributions import log_prob, surface
from lowerbound.distributions.sphere import log_area
from lowerbound.testing.assertions import assert_mean
from lowerbound.testing.ledger import enter

#: Values that an unobserved cell may hold without leaving a trace.
JUNK = (0.5, 1e30, math.inf, math.nan)
#: Draws of a statistical check: enough to see a tenth of a standard deviation.
DRAWS = 20_000
#: A module and its copy.
Part = TypeVar("Part", bound=nn.Module)


def check_density(q: Distribution, name: str, draws: int = DRAWS) -> None:
    """Assert that a density over vectors integrates to one, and that its draws follow it.

    The integral is estimated by importance sampling from a Student law around the draws. The
    draws, by `sample` and by `rsample` where there is one, are compared with the density by
    Stein's identities, E[f'(z_i) + f(z_i) d log q / dz_i] = 0: with f = 1 and f = z - m, across
    units too, a shifted, rescaled or rotated draw violates them; with f = tanh(z - m) and
    f = exp(-(z - m)^2 / 2) one from another family of the same mean and variance does. The batch
    is `(B,)` or `()`, the event `(D,)`, the density smooth; best in float64.

    Source: Stein (1972); Gorham & Mackey (2015), arXiv 1506.03039.
    """
    z = q.sample(torch.Size([draws])).double()
    centre, spread = z.mean(dim=0), z.std(dim=0)
    if not bool((spread > 0).all()):
        raise AssertionError(f"{name} gives the same draw again and again: draws must differ")
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

    _check_draws(q, z, f"the draws of {name}")
    if q.has_rsample:
        z = q.rsample(torch.Size([draws])).detach().double()
        _check_draws(q, z, f"the draws of {name} by rsample")


def _check_draws(q: Distribution, z: Tensor, name: str) -> None:
    """Assert Stein's identities on draws `(N, ..., D)`, in units of their own spread."""
    spread = z.std(dim=0)
    if not bool((spread > 0).all()):
        raise AssertionError(f"{name}: the same draw again and again, draws must differ")
    deviation = (z - z.mean(dim=0)) / spread
    inside = z.detach().requires_grad_()
    (score,) = torch.autograd.grad(log_prob(q, inside).sum(), inside)
    score = score.detach() * spread
    assert_mean(score, 0.0, resolves=0.15, name=f"{name} against its density: shift")
    products = deviation.unsqueeze(-1) * score.unsqueeze(-2)
    eye = torch.eye(z.shape[-1], dtype=z.dtype)
    assert_mean(products, -eye, resolves=0.25, name=f"{name} against its density: scale")
    bend, bump = deviation.tanh(), (-deviation.square() / 2).exp()
    for kind, f, slope in (
        ("peakedness", bend, 1 - bend.square()),
        ("skewness", bump, -deviation * bump),
    ):
        what = f"{name} against its density: shape ({kind})"
        assert_mean(slope + f * score, 0.0, resolves=0.1, name=what)


def unbounded(q: Distribution) -> Distribution:
    """Return the law of z in coordinates that may be any numbers: logs of positive z, and such."""
    if surface(q) not in ("positive numbers", "shares"):
        return q
    return TransformedDistribution(q, [biject_to(q.support).inv], validate_args=False)


def check_on_sphere(q: Distribution, name: str) -> None:
    """Assert that a density over directions integrates to one, and that its draws follow it.

    Both against uniform directions u: the mean of density times area is 1, and draws z have the
    mean of functions of u that are weighed so. The batch is `(B,)` or `()`.
    """
    z = q.sample(torch.Size([DRAWS])).double()
    check_finite(log_prob(q, z), f"the log of {name}")
    off = float((z.norm(dim=-1) - 1).abs().max())
    if off > 1e-4:
        raise AssertionError(f"a draw of {name} is {off:.2g} off the unit sphere")
    u = torch.randn_like(z)
    u = u / u.norm(dim=-1, keepdim=True)
    weight = (log_prob(q, u) + log_area(z.shape[-1])).exp().unsqueeze(-1)
    assert_mean(weight, 1.0, resolves=0.12, name=f"the integral of {name}")
    sets = [z] if not q.has_rsample else [z, q.rsample(torch.Size([DRAWS])).detach().double()]
    for drawn in sets:
        for kind, f in (("shift", lambda v: v), ("scale", torch.square), ("shape", torch.exp)):
            what = f"the draws of {name} against its density: {kind}"
            assert_mean(f(drawn) - weight * f(u), 0.0, resolves=0.15, name=what)


def check_draw_gradients(
    posterior: Callable[[Tensor], Distribution], x: Tensor, name: str, draws: int = DRAWS
) -> None:
    """Assert that draws carry the gradient they should.

    The gradient of E_q[sum z^2 + z] with respect to x, through the draws, is that of the sum of
    m^2 + s^2 + m. A mean or a scale that is detached changes no draw, and stops the encoder from
    learning it. Both the posterior and x, `(1, *event)`, are in float64.

    Source: Mohamed et al. (2020), sections 5 and 9.3, arXiv 1906.10652.
    """
    leaf = x.detach().clone().requires_grad_()
    q = posterior(leaf)
    (expected,) = torch.autograd.grad((q.mean.square() + q.mean + q.variance).sum(), leaf)
    rows = x.detach().expand(draws, *x.shape[1:]).clone().requires_grad_()
    z = posterior(rows).rsample()
    (drawn,) = torch.autograd.grad((z.square() + z).sum(), rows)
    resolves = 0.1 + 0.1 * expected.abs() + 9 * drawn.std(dim=0) / draws**0.5
    what = f"the gradient of draws of {name}"
    assert_mean(drawn, expected.squeeze(0), resolves=resolves, name=what)


def check_copies(module: nn.Module, name: str) -> None:
    """Assert that a module can be copied and its weights moved to another of the same make."""
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


def check_reached(part: nn.Module, value: Tensor, name: str, leaf: Tensor | None = None) -> None:
    """Assert that the gradient of a scalar is finite and reaches every parameter and the leaf."""
    named = [(key, p) for key, p in part.named_parameters() if p.requires_grad]
    named += [] if leaf is None else [("z", leaf)]
    if not value.requires_grad:
        raise AssertionError(f"no gradient of {name} reaches any parameter")
    gradients = torch.autograd.grad(value, [p for _, p in named], allow_unused=True)
    for (key, _), gradient in zip(named, gradients, strict=True):
        if gradient is None or not bool((gradient != 0).any()):
            raise AssertionError(f"no gradient of {name} reaches '{key}'")
        check_finite(gradient, f"the gradient of {name} for '{key}'")


def check_rows(function: Callable[[Tensor], Tensor], rows: Tensor, name: str) -> None:
    """Assert that changing the last row changes no other row's result."""
    changed = rows.detach().clone()
    changed[-1] = rows[0]
    if not torch.equal(function(rows.detach())[:-1], function(changed)[:-1]):
        raise AssertionError(f"one row of {name} depends on another row of the batch")


def check_finite(value: Tensor, name: str) -> None:
    """Raise AssertionError unless every number is finite."""
    wrong = ~torch.isfinite(value)
    enter(f"{name} is finite", wrong)
    if bool(wrong.any()):
        raise AssertionError(
            f"{name} has {int(wrong.sum())} of {value.numel()} numbers that are not finite"
        )


def check_shape(value: Tensor, shape: tuple[int, ...], name: str) -> None:
    """Raise AssertionError unless a tensor of float64 has this shape."""
    enter(f"{name} has its shape", float(tuple(value.shape) != shape))
    if tuple(value.shape) != shape:
        raise AssertionError(f"{name} has shape {tuple(value.shape)}, it should be {shape}")
    if value.dtype != torch.float64:
        raise AssertionError(f"{name} is {value.dtype}: log-densities are summed in float64")


def perturbed(module: Part, amount: float = 0.1) -> Part:
    """Copy a module, its parameters moved away from initial zeros, which stop gradients."""
    twin = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in twin.parameters():
            size = amount / math.sqrt(max(1, parameter[0].numel() if parameter.ndim > 1 else 1))
            parameter.add_(size * torch.randn_like(parameter))
    return twin
