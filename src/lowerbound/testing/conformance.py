"""What a prior, a posterior and a likelihood must keep: run these on a part of your own.

Example:
    >>> from lowerbound.priors import StandardNormal
    >>> check_prior(StandardNormal(3))
"""

import copy
import math

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.core.conditional import Conditional
from lowerbound.distributions import Independent, analytic_kl, detached, expected, log_prob
from lowerbound.errors import SupportError
from lowerbound.likelihoods import Likelihood
from lowerbound.priors import StandardNormal
from lowerbound.seeding import seeded
from lowerbound.testing.assertions import assert_close_gradient, assert_mean, check_close
from lowerbound.testing.gradients import check_kl_by_quadrature, check_parameter_gradient
from lowerbound.testing.laws import (
    DRAWS,
    check_copies,
    check_density,
    check_draw_gradients,
    check_finite,
    check_shape,
)

_FAR = (1e-8, 1.0, 30.0, 1e4)


def check_prior(prior: Conditional, *, seed: int = 0) -> None:
    """Run the conformance ladder on a prior p(z).

    Its event is `(D,)` and its batch empty; its log-density is finite, float64, integrates to one
    and is that of its draws; its gradient is that of finite differences.

    Args:
        prior: Called without a context.
        seed: Of the draws.

    Raises:
        AssertionError: It breaks a rule; the message says which.
    """
    with seeded(seed):
        p = prior(None)
        if p.batch_shape != torch.Size() or len(p.event_shape) != 1:
            raise AssertionError(
                f"a prior has batch () and event (D,), got {tuple(p.batch_shape)} and "
                f"{tuple(p.event_shape)}"
            )
        latents = p.event_shape[0]
        z = p.sample(torch.Size([5, 4]))
        check_shape(log_prob(p, z), (5, 4), "log p(z)")
        for size in _FAR:
            check_finite(log_prob(p, torch.full((1, latents), size)), f"log p(z) at {size:g}")
        precise = copy.deepcopy(prior).double()
        check_density(precise(None), "p(z)")
        z = precise(None).sample(torch.Size([3])).double()
        assert_close_gradient(
            lambda z: log_prob(precise(None), z), [z], name="the gradient of log p(z)"
        )
        check_parameter_gradient(precise, lambda law: law(None), z, "log p(z)")
        check_copies(prior, "the prior")


def check_posterior(posterior: Conditional, x: Tensor, *, seed: int = 0) -> None:
    """Run the conformance ladder on a posterior q(z|x).

    Batch `(B,)`, event `(D,)`; draws carry gradients to every parameter; the density is finite,
    float64, integrates to one and is that of the draws, whose noise differs from row to row; no
    row sees another; a closed form of KL(q || N(0, I)) agrees with its definition, for up to 3
    units by quadrature and in its gradient; holding the parameters constant changes no value.

    Args:
        posterior: With a network; parameters of floating point.
        x: Some data, `(B, *event)`, at least 2 rows.
        seed: Of the draws.

    Raises:
        AssertionError: It breaks a rule; the message says which.
    """
    with seeded(seed):
        q = posterior(x)
        rows = len(x)
        if q.batch_shape != torch.Size([rows]) or len(q.event_shape) != 1:
            raise AssertionError(
                f"a posterior has batch ({rows},) and event (D,), got {tuple(q.batch_shape)} and "
                f"{tuple(q.event_shape)}"
            )
        if not q.has_rsample:
            raise AssertionError("a posterior needs reparameterised draws (rsample)")
        z = q.rsample(torch.Size([5]))
        density = log_prob(q, z)
        check_shape(density, (5, rows), "log q(z|x)")
        check_finite(density, "log q(z|x) of its own draws")
        _check_reached(posterior, z.square().sum() + density.sum(), "q(z|x)")
        # within float32: the same value where parameters are held constant
        still = log_prob(detached(q), z.detach())
        if still.requires_grad or not torch.equal(still, log_prob(q, z.detach())):
            raise AssertionError("detached(q) must keep the density and stop its gradient")
        _check_rows(lambda rows: _parameters(posterior(rows)), x, "q(z|x)")
        precise = copy.deepcopy(posterior).double()
        with torch.no_grad():
            same = precise(x[:1].expand(2, *x.shape[1:]))
            one, other = same.sample(torch.Size([64])).unbind(dim=1)
            if torch.equal(one, other):
                raise AssertionError("two rows of a batch share their noise: draws must differ")
            q = precise(x[:2])
            z = q.sample(torch.Size([3]))
        check_density(q, "q(z|x)")
        if x.is_floating_point():
            check_draw_gradients(precise, x[:1].double(), "q(z|x)")
        check_parameter_gradient(precise, lambda law: law(x[:2]), z, "log q(z|x)")
        _check_kl(q)
        check_kl_by_quadrature(precise, x[:2])
        for size in _FAR[1:]:
            wild = posterior(torch.full_like(x, 1.0) * size if x.is_floating_point() else x)
            check_finite(log_prob(wild, wild.rsample()), f"log q(z|x) at x = {size:g}")
        check_copies(posterior, "the posterior")


def check_likelihood(likelihood: Likelihood, z: Tensor, *, seed: int = 0) -> None:
    """Run the conformance ladder on a likelihood p(x|z) of independent cells.

    Batch that of z; the law of each cell sums or integrates to one; its mean, its draws and its
    density agree; the event's log-density is the sum over its cells, and its gradient that of
    finite differences; cells that were not observed leave no trace; impossible values are refused,
    draws never are; no row sees another.

    Args:
        likelihood: For small events, since each cell is integrated.
        z: Latents, `(K, B, D)`, at least 2 rows.
        seed: Of the draws.

    Raises:
        AssertionError: It breaks a rule; the message says which.
    """
    with seeded(seed):
        law = likelihood(z)
        if law.batch_shape != z.shape[:-1]:
            raise AssertionError(
                f"a likelihood has the batch of z, {tuple(z.shape[:-1])}, got "
                f"{tuple(law.batch_shape)}"
            )
        x = law.sample()[0]
        value = log_prob(law, x)
        check_shape(value, tuple(z.shape[:-1]), "log p(x|z)")
        check_finite(value, "log p(x|z) of its own draws")
        cells = law.base_dist.log_prob(x.expand(*law.batch_shape, *law.event_shape)).double()
        whole = cells.flatten(start_dim=z.ndim - 1).sum(dim=-1)
        check_close(value, whole, "log p(x|z), the sum of its cells in float64,", 1e-12)
        leaf = z.detach().clone().requires_grad_()
        _check_reached(likelihood, log_prob(likelihood(leaf), x).sum(), "p(x|z)", leaf)
        _check_rows(lambda rows: log_prob(likelihood(rows), x[:1]), z[0], "p(x|z)")
        precise = copy.deepcopy(likelihood).double()
        law = precise(z.double())
        mean, variance = _check_cells(law, likelihood)
        check_close(expected(law), mean, "the mean of p(x|z)", 1e-4, "plain")
        draws = law.sample(torch.Size([DRAWS]))
        _check_own_draws(likelihood, draws.flatten(end_dim=z.ndim - 1))
        draws = draws.double()
        scale = variance.sqrt()
        assert_mean(draws, mean, resolves=0.12 * scale + 1e-9, name="the mean of draws of p(x|z)")
        # about the known mean: about their own, two levels of equal mass would leave no spread
        squares = (draws - mean).square() / variance
        assert_mean(squares.clamp(max=100), 1.0, resolves=0.9, name="the spread of draws of p(x|z)")
        _check_sum(law, draws[0])
        for wrong in (math.nan, math.inf, -3.5 if likelihood.is_discrete else -math.inf):
            _check_refused(likelihood, torch.full_like(x, wrong, dtype=torch.float64))
        data = law.sample()[0].double()
        assert_close_gradient(
            lambda z: log_prob(precise(z), data), [z.double()], name="the gradient of log p(x|z)"
        )
        check_parameter_gradient(precise, lambda law: law(z.double()), data, "log p(x|z)")
        for size in _FAR[1:]:
            far = log_prob(likelihood(size * z.sign()), x)
            check_finite(far, f"log p(x|z) at |z| = {size:g}")
        check_copies(likelihood, "the likelihood")


def _check_cells(law: Independent, likelihood: Likelihood) -> tuple[Tensor, Tensor]:
    """Mean and variance of every cell by summing or integrating its law, which must be one."""
    axes = len(law.event_shape)
    if likelihood.is_discrete:
        levels = getattr(likelihood, "levels", 2)
        x = torch.arange(levels, dtype=torch.float64)
        weight = torch.ones(levels, dtype=torch.float64)
        one = (1,) * (axes + len(law.batch_shape))
        x, weight = x.view(-1, *one), weight.view(-1, *one)
    else:
        centre, spread = law.mean.detach(), law.variance.detach().sqrt()
        angle = (torch.arange(4000, dtype=torch.float64) + 0.5) / 4000 * math.pi - math.pi / 2
        angle = angle.view(-1, *(1,) * centre.ndim)
        x = centre + spread * angle.tan()
        weight = spread * (math.pi / 4000) / angle.cos().square()
    mass = weight * law.base_dist.log_prob(x.expand(-1, *law.batch_shape, *law.event_shape)).exp()
    what = "the sum over the levels" if likelihood.is_discrete else "the integral"
    check_close(mass.sum(dim=0), torch.ones(()), f"{what} of a cell of p(x|z)", 1e-6, "plain")
    mean = (mass * x).sum(dim=0)
    return mean.detach(), (mass * (x - mean).square()).sum(dim=0).detach()


def _check_sum(law: Independent, x: Tensor) -> None:
    """log p(x) is the sum of what each cell says when it alone is observed."""
    cells = math.prod(law.event_shape)
    alone = torch.eye(cells, dtype=torch.bool).view(cells, *law.event_shape)
    total = sum((log_prob(law, x, mask) for mask in alone), start=torch.zeros(()).double())
    check_close(log_prob(law, x), total, "log p(x|z), a sum over cells,")
    check_close(log_prob(law, x, torch.zeros_like(alone[0])), torch.zeros(()), "log p(nothing|z)")
    check_close(log_prob(law, x, alone.any(dim=0)), log_prob(law, x), "log p(x|z) of all cells")


def _check_own_draws(likelihood: Likelihood, draws: Tensor) -> None:
    try:
        likelihood.check(draws)
    except SupportError as error:
        raise AssertionError(f"check() refuses its own draws: {error}") from error


def _check_refused(likelihood: Likelihood, x: Tensor) -> None:
    try:
        likelihood.check(x)
    except SupportError:
        return
    raise AssertionError(f"check() must refuse {float(x.flatten()[0]):g} with a SupportError")


def _check_kl(q: Distribution) -> None:
    """A closed form of KL(q || N(0, I)) is E_q[log q - log p]."""
    p = StandardNormal(q.event_shape[0]).double()()
    closed = analytic_kl(q, p)
    if closed is None:
        return
    z = q.sample(torch.Size([DRAWS]))
    ratio = log_prob(q, z) - log_prob(p, z)
    resolves = 0.1 + 9 * ratio.std(dim=0) / DRAWS**0.5
    assert_mean(ratio, closed.sum(dim=-1).detach(), resolves=resolves, name="the closed KL(q || p)")


def _check_reached(
    part: torch.nn.Module, value: Tensor, name: str, leaf: Tensor | None = None
) -> None:
    named = [(key, p) for key, p in part.named_parameters() if p.requires_grad]
    named += [] if leaf is None else [("z", leaf)]
    if not value.requires_grad:
        raise AssertionError(f"no gradient of {name} reaches any parameter")
    gradients = torch.autograd.grad(value, [p for _, p in named], allow_unused=True)
    for (key, _), gradient in zip(named, gradients, strict=True):
        if gradient is None or not bool((gradient != 0).any()):
            raise AssertionError(f"no gradient of {name} reaches '{key}'")
        check_finite(gradient, f"the gradient of {name} for '{key}'")


def _check_rows(function, rows: Tensor, name: str) -> None:  # type: ignore[no-untyped-def]
    """Changing the last row changes no other row's result."""
    changed = rows.detach().clone()
    changed[-1] = rows[0]
    if not torch.equal(function(rows.detach())[:-1], function(changed)[:-1]):
        raise AssertionError(f"one row of {name} depends on another row of the batch")


def _parameters(q: Distribution) -> Tensor:
    """Mean and spread, row by row."""
    return torch.stack([q.mean, q.variance], dim=1)
