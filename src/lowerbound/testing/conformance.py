"""Identities that a prior and a posterior must keep: run these on a part of your own.

Example:
    >>> from lowerbound.priors import StandardNormal
    >>> check_prior(StandardNormal(3))
"""

import copy

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.core.conditional import Conditional
from lowerbound.distributions import (
    CellNormal,
    Independent,
    Settled,
    analytic_kl,
    centre,
    detached,
    is_discrete,
    log_prob,
    spread,
    surface,
)
from lowerbound.priors import Dirichlet, Gamma, Sphere, StandardNormal
from lowerbound.seeding import seeded
from lowerbound.testing.assertions import assert_close_gradient, assert_mean, check_close
from lowerbound.testing.codes import check_codes, check_kl_of_codes
from lowerbound.testing.gradients import check_kl_by_quadrature, check_parameter_gradient
from lowerbound.testing.laws import (
    DRAWS,
    check_copies,
    check_density,
    check_draw_gradients,
    check_finite,
    check_on_sphere,
    check_reached,
    check_rows,
    check_shape,
    perturbed,
    unbounded,
)

#: By what z may be, if not any numbers: the usual prior.
PRIOR_OF = {"positive numbers": Gamma, "shares": Dirichlet, "directions": Sphere}
#: Sizes of numbers, from next to nothing to far beyond any data.
FAR = (1e-8, 1.0, 30.0, 1e4)


def check_prior(prior: Conditional, *, seed: int = 0) -> None:
    """Run the conformance ladder on a prior p(z).

    Its event is `(D,)` and its batch empty; its log-density is finite, float64, integrates to one
    and is that of its draws; its gradient is that of finite differences.
    """
    with seeded(seed):
        prior = perturbed(prior)
        p = prior(None)
        if p.batch_shape != torch.Size() or len(p.event_shape) != 1:
            raise AssertionError(
                f"a prior has batch () and event (D,), got {tuple(p.batch_shape)} and "
                f"{tuple(p.event_shape)}"
            )
        latents = p.event_shape[0]
        if is_discrete(p):
            _check_prior_of_codes(prior)
            return
        z = p.sample(torch.Size([5, 4]))
        check_shape(log_prob(p, z), (5, 4), "log p(z)")
        if any(parameter.requires_grad for parameter in prior.parameters()):
            check_reached(prior, log_prob(p, z).sum(), "p(z)")
        for size in FAR:
            check_finite(log_prob(p, torch.full((1, latents), size)), f"log p(z) at {size:g}")
        precise = copy.deepcopy(prior).double()
        _check_law(precise(None), "p(z)")
        z = precise(None).sample(torch.Size([3])).double()
        assert_close_gradient(
            lambda z: log_prob(precise(None), z), [z], name="the gradient of log p(z)"
        )
        check_parameter_gradient(precise, lambda law: law(None), z, "log p(z)")
        _check_among(precise, latents)
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
    """
    with seeded(seed):
        posterior = perturbed(posterior).eval()
        q = posterior(x)
        rows = len(x)
        if q.batch_shape != torch.Size([rows]) or len(q.event_shape) != 1:
            raise AssertionError(
                f"a posterior has batch ({rows},) and event (D,), got {tuple(q.batch_shape)} and "
                f"{tuple(q.event_shape)}"
            )
        if isinstance(q, Settled):
            _check_settled(posterior, x)
            return
        if is_discrete(q):
            _check_posterior_of_codes(posterior, x)
            return
        if not q.has_rsample:
            raise AssertionError("a posterior needs reparameterised draws (rsample)")
        z = q.rsample(torch.Size([5]))
        density = log_prob(q, z)
        check_shape(density, (5, rows), "log q(z|x)")
        check_finite(density, "log q(z|x) of its own draws")
        check_reached(posterior, z.square().sum() + density.sum(), "q(z|x)")
        # within float32: the same value where parameters are held constant
        still = log_prob(detached(q), z.detach())
        if still.requires_grad or not torch.equal(still, log_prob(q, z.detach())):
            raise AssertionError("detached(q) must keep the density and stop its gradient")
        check_rows(lambda rows: _parameters(posterior(rows)), x, "q(z|x)")
        precise = copy.deepcopy(posterior).double()
        with torch.no_grad():
            same = precise(x[:1].expand(2, *x.shape[1:]))
            one, other = same.sample(torch.Size([64])).unbind(dim=1)
            if torch.equal(one, other):
                raise AssertionError("two rows of a batch share their noise: draws must differ")
            q = precise(x[:2])
            z = q.sample(torch.Size([3]))
        _check_law(q, "q(z|x)")
        if x.is_floating_point():
            _check_draw_gradients(precise, x[:1].double())
        check_parameter_gradient(precise, lambda law: law(x[:2]), z, "log q(z|x)")
        _check_kl(q)
        check_kl_by_quadrature(precise, x[:2])
        for size in FAR[1:]:
            wild = posterior(torch.full_like(x, 1.0) * size if x.is_floating_point() else x)
            check_finite(log_prob(wild, wild.rsample()), f"log q(z|x) at x = {size:g}")
        check_copies(posterior, "the posterior")


def _check_among(prior: Conditional, latents: int) -> None:
    """A prior made of the batch that is trained on is a law, and no example is part of its own."""
    means = torch.randn(4, latents, dtype=torch.float64)
    z = torch.randn(3, 4, latents, dtype=torch.float64)

    def given(means: Tensor) -> Distribution:
        return prior.among(Independent(CellNormal(means, torch.ones_like(means)), 1))

    p = given(means)
    if not p.batch_shape:
        return
    _check_law(p, "p(z) of a batch")
    moved = means.clone()
    moved[0] += 1.0
    with torch.no_grad():
        change = log_prob(p, z)[:, 0] - log_prob(given(moved), z)[:, 0]
        if not change.abs().max() < 1e-9:  # products of matrices round their sums
            raise AssertionError("p(z) of an example that is trained on knows the example itself")


def _check_law(q: Distribution, name: str) -> None:
    """Assert that a density is one, and that its draws follow it, where its values lie."""
    if surface(q) == "directions":
        check_on_sphere(q, name)
    else:
        check_density(unbounded(q), name)


def _check_prior_of_codes(prior: Conditional) -> None:
    precise = copy.deepcopy(prior).double()
    several = check_codes(precise(None), "p(z)") > 1
    z = precise(None).sample(torch.Size([3]))
    if several:  # the one value that there is has chance 1 whatever the parameters are
        check_reached(prior, log_prob(prior(None), z.float()).sum(), "p(z)")
    check_parameter_gradient(precise, lambda law: law(None), z, "log p(z)")
    check_copies(prior, "the prior")


def _check_posterior_of_codes(posterior: Conditional, x: Tensor) -> None:
    q = posterior(x)
    z = q.sample(torch.Size([5]))
    check_shape(log_prob(q, z), (5, len(x)), "log q(z|x)")
    check_rows(lambda rows: _parameters(posterior(rows)), x, "q(z|x)")
    still = log_prob(detached(q), z)
    if still.requires_grad or not torch.equal(still, log_prob(q, z)):
        raise AssertionError("detached(q) must keep the density and stop its gradient")
    precise = copy.deepcopy(posterior).double()
    exact = precise(x[:2].double())
    if check_codes(exact, "q(z|x)") > 1:
        check_reached(posterior, log_prob(q, z).square().sum(), "q(z|x)")
        same = exact.sample(torch.Size([64]))
        if torch.equal(same, same[:1].expand_as(same)):
            raise AssertionError("q(z|x) gives the same draw again and again")
    z = exact.sample(torch.Size([3]))
    check_parameter_gradient(precise, lambda law: law(x[:2].double()), z, "log q(z|x)")
    check_kl_of_codes(precise(x[:1].double()), precise(x[1:2].double()))
    check_copies(posterior, "the posterior")


def _check_settled(posterior: Conditional, x: Tensor) -> None:
    """Every variable is a code, its chance 1, and the gradient goes through it to the encoder."""
    q = posterior(x)
    z = q.rsample(torch.Size([5]))
    density = log_prob(q, z)
    check_shape(density, (5, len(x)), "log q(z|x)")
    check_close(density, torch.zeros(()), "log q(z|x) of its own codes")
    check_reached(posterior, z.square().sum() + density.sum(), "q(z|x)")
    check_rows(lambda rows: _parameters(posterior(rows)), x, "q(z|x)")
    points = posterior.points.detach()  # type: ignore[union-attr]
    books = points.reshape(-1, *points.shape[-2:])
    parts = z.detach().unflatten(-1, (-1, len(books), points.shape[-1])).unbind(dim=-2)
    for part, book in zip(parts, books, strict=True):
        apart = torch.cdist(part, book).amin(dim=-1)
        check_close(apart, torch.zeros(()), "the distance of q(z|x) from a code", 1e-6)
    if bool(torch.isfinite(log_prob(q, z + 1)).any()):
        raise AssertionError("q(z|x) gives codes a chance that it does not give")
    for size in FAR[1:]:
        check_finite(posterior(torch.full_like(x, size)).value, f"q(z|x) at x = {size:g}")
    check_copies(posterior, "the posterior")


def _check_kl(q: Distribution) -> None:
    """A closed form of KL(q || p), p the usual prior of such values, is E_q[log q - log p]."""
    p = PRIOR_OF.get(surface(q), StandardNormal)(q.event_shape[0]).double()()
    closed = analytic_kl(q, p)
    if closed is None:
        return
    z = q.sample(torch.Size([DRAWS]))
    ratio = log_prob(q, z) - log_prob(p, z)
    resolves = 0.1 + 9 * ratio.std(dim=0) / DRAWS**0.5
    assert_mean(ratio, closed.sum(dim=-1).detach(), resolves=resolves, name="the closed KL(q || p)")


def _parameters(q: Distribution) -> Tensor:
    """Centre and spread, row by row."""
    return torch.stack([centre(q), spread(q)], dim=1)


def _check_draw_gradients(posterior: Conditional, x: Tensor) -> None:
    """By the moments of q where it knows them, else by differences of draws of the same noise."""
    try:
        _ = posterior(x).mean
    except NotImplementedError:

        def drawn(x: Tensor) -> Tensor:
            with seeded(0):
                return posterior(x).rsample(torch.Size([3]))

        assert_close_gradient(drawn, [x], name="the gradient of draws of q(z|x)")
    else:
        check_draw_gradients(posterior, x, "q(z|x)")
