"""Rungs of the ladder that look at gradients and at bounds: each fails on a planted error."""

from dataclasses import replace

import pytest
import torch
from torch.distributions import Normal

from lowerbound.data import Batch
from lowerbound.distributions import Independent
from lowerbound.networks import MLP
from lowerbound.objectives import ELBO, IWAE
from lowerbound.posteriors import DiagonalGaussian, FullGaussian
from lowerbound.testing import BernoulliMixture, LinearGaussianChain, check_objective
from lowerbound.testing import gradients as rungs
from lowerbound.testing.bounds import check_bounds, grouped
from planted.altered import altered

X = torch.randn(2, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def still(value, gradient_of):
    """The value of one tensor with the gradient of another."""
    return value.detach() + gradient_of - gradient_of.detach()


def posterior_of(kind, latents):
    return kind(MLP((4,), kind.parameters_shape(latents), (8,))).double()


@pytest.mark.parametrize("kind", [DiagonalGaussian, FullGaussian])
@pytest.mark.parametrize("latents", [1, 2, 3])
def test_the_closed_rate_is_its_integral_and_a_wrong_gradient_of_it_is_seen(
    kind, latents, monkeypatch
):
    posterior, right = posterior_of(kind, latents), rungs.analytic_kl
    rungs.check_kl_by_quadrature(posterior, X)
    planted = {
        "an integral": lambda kl: kl * 1.001,
        "the gradient of the closed KL": lambda kl: still(kl, 1.01 * kl),
        "the gradient of the closed KL.*for 'network": lambda kl: still(kl, 0 * kl),
    }
    for says, wrong in planted.items():
        monkeypatch.setattr(rungs, "analytic_kl", lambda q, p, wrong=wrong: wrong(right(q, p)))
        with pytest.raises(AssertionError, match=says):
            rungs.check_kl_by_quadrature(posterior, X)


def test_a_density_whose_scale_has_no_gradient_is_seen():
    class StillScale(DiagonalGaussian):
        def forward(self, context=None):
            q = super().forward(context).base_dist
            return Independent(Normal(q.loc, q.scale.detach()), 1)

    z = torch.randn(3, 2, 3, dtype=torch.float64)
    for kind, passes in ((DiagonalGaussian, True), (StillScale, False)):
        part = posterior_of(kind, 3)
        if passes:
            rungs.check_parameter_gradient(part, lambda law: law(X), z, "log q(z|x)")
            continue
        with pytest.raises(AssertionError, match="gradient of log q"):
            rungs.check_parameter_gradient(part, lambda law: law(X), z, "log q(z|x)")


def test_a_model_whose_bound_exceeds_its_evidence_is_seen():
    class Generous(BernoulliMixture):
        def trace(self, batch, samples=1, gradient="total"):
            trace = super().trace(batch, samples, gradient)
            return replace(trace, log_px=trace.log_px + 0.3)

    x = BernoulliMixture().simulate(3).x
    check_bounds(BernoulliMixture(exact=True), Batch(x))
    with pytest.raises(AssertionError, match="mean weight"):
        check_bounds(Generous(exact=True), Batch(x))


def test_an_objective_that_claims_too_much_is_seen_on_a_model_that_knows_its_evidence():
    class NoRate(ELBO):
        def reduce(self, trace, beta=1.0):
            bound = super().reduce(trace, beta)
            return replace(bound, value=-bound.distortion)

    model = LinearGaussianChain()
    batch = Batch(model.simulate(3).x)
    check_bounds(model, batch, ELBO(2))
    with pytest.raises(AssertionError, match="the objective, at most log p"):
        check_bounds(model, batch, NoRate(2))


def test_draws_are_grouped_without_mixing_rows():
    model = LinearGaussianChain((2, 1), 3, exact=False)
    trace = model.trace(Batch(model.simulate(4).x), 12)
    for group, value in enumerate(grouped(IWAE(3), trace, 3)):
        few = trace.log_weight[3 * group : 3 * group + 3]
        assert torch.allclose(value, few.logsumexp(dim=0) - torch.tensor(3.0).double().log())
    closed = sum(kl.sum(dim=-1) for kl in trace.kl.values())
    assert torch.allclose(grouped(ELBO(1), trace, 1), trace.log_px - closed)


def test_an_objective_with_a_wrong_gradient_and_right_values_is_seen():
    class HalfGradient(ELBO):
        def reduce(self, trace, beta=1.0):
            bound = super().reduce(trace, beta)
            return replace(bound, value=still(bound.value, 0.5 * bound.value))

    class StillRate(ELBO):
        def reduce(self, trace, beta=1.0):
            bound = super().reduce(trace, beta)
            return replace(bound, rate=still(bound.rate, 2 * bound.rate))

    check_objective(ELBO(2))
    with pytest.raises(AssertionError, match="gradient of the expected value at the exact"):
        check_objective(HalfGradient(2))
    with pytest.raises(AssertionError, match="gradient of the expected rate"):
        check_objective(StillRate(2))


def test_a_draw_that_shares_its_noise_is_seen_where_draws_have_few_values():
    from lowerbound.testing.models import check_rows

    class Shared(BernoulliMixture):
        def trace(self, batch, samples=1, gradient="total"):
            trace = super().trace(batch, samples, gradient)
            z = trace.latents["z"].z
            return altered(trace, z=z[:, :1].expand_as(z))

    batch = Batch(BernoulliMixture().simulate(4).x)
    check_rows(BernoulliMixture(), batch)
    with pytest.raises(AssertionError, match=r"depends on another row|share their noise"):
        check_rows(Shared(), batch)
