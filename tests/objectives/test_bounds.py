"""The order of the bounds, their limits, and the identities between them."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import special

from lowerbound.core.trace import Trace
from lowerbound.data import Batch
from lowerbound.errors import SettingError
from lowerbound.objectives import ELBO, IWAE, Annealed, BetaELBO, FreeBits, Objective
from lowerbound.objectives.annealed import Tempered
from lowerbound.testing import (
    BernoulliMixture,
    LinearGaussian,
    assert_close_gradient,
    assert_mean,
    assert_mean_at_most,
)
from lowerbound.testing.traces import made, with_rates
from lowerbound.training import WarmUp

F64 = torch.float64


def wrong_model() -> tuple[LinearGaussian, torch.nn.Module, Batch]:
    """A linear Gaussian whose posterior is off by about a nat."""
    reference = LinearGaussian.random(2, 3)
    model = reference.vae()
    with torch.no_grad():
        model.posterior.network.layers[0].bias[:2] += 0.3
        model.posterior.network.layers[0].bias[2:] += 0.2
    return reference, model, Batch(reference.simulate(24).x)


def some_trace(samples=4, rows=3, units=2) -> Trace:
    log_px, log_pz, log_qz = torch.randn(3, samples, rows, dtype=F64) * 2 - 5
    kl = torch.rand(1, rows, units, dtype=F64)
    return made(log_px, log_pz, log_qz, kl)


def closed(log_weight: torch.Tensor, samples: int) -> torch.Tensor:
    """IWAE with `samples` draws, averaged over the disjoint groups of the same draws."""
    groups = log_weight.unflatten(0, (-1, samples))
    return (groups.logsumexp(dim=1) - math.log(samples)).mean(dim=0)


def test_more_draws_give_a_higher_bound_on_the_same_noise():
    # exact, draw by draw: the log-mean of 64 weights is at least the mean over its 16 groups of
    # the log-means of 4, which is at least the mean of the logs (Jensen, concavity of log)
    _, model, batch = wrong_model()
    with torch.no_grad():
        weights = model.trace(batch, 64).log_weight
    bounds = [closed(weights, samples) for samples in (1, 4, 16, 64)]
    for lower, higher in itertools.pairwise(bounds):
        assert bool((lower <= higher + 1e-12).all())
        assert float((higher - lower).mean()) > 0.001


def test_no_bound_exceeds_the_evidence_in_expectation_and_all_close_in_on_it():
    reference, model, batch = wrong_model()
    evidence = reference.log_evidence(batch.x)
    gaps = []
    with torch.no_grad():
        for samples in (1, 4, 64, 256):
            draws = torch.stack(
                [IWAE(samples)(model, batch).value - evidence for _ in range(300)]
            ).mean(dim=1)
            assert_mean_at_most(draws, 0.0, resolves=0.3, name=f"IWAE_{samples} - log p(x)")
            gaps.append(-float(draws.mean()))
    assert gaps[0] > gaps[1] > gaps[2] > 0
    assert gaps[0] > 0.2
    assert abs(gaps[3]) < 0.02


@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_the_expected_bounds_of_the_mixture_are_ordered_exactly(samples):
    model = BernoulliMixture(seed=2)
    batch = Batch(torch.bernoulli(torch.full((6, 4), 0.5, dtype=F64)))
    with torch.no_grad():
        below = model.expected(IWAE(samples), batch).value
        above = model.expected(IWAE(samples + 1), batch).value
        elbo = model.expected(ELBO(samples), batch).value
        evidence = model.log_evidence(batch.x)
        gap = (
            model.joint(batch)[2].exp() * (model.joint(batch)[2] - model.log_posterior(batch.x))
        ).sum(dim=0)
    assert bool((below < above).all())
    assert bool((above < evidence).all())
    assert torch.allclose(evidence - elbo, gap, rtol=1e-10)  # KL(q(z|x) || p(z|x))
    if samples == 1:
        assert torch.allclose(below, elbo, rtol=1e-12)


def test_the_expected_gradient_of_the_elbo_is_that_of_its_sum():
    model = BernoulliMixture(seed=2)
    batch = Batch(torch.bernoulli(torch.full((3, 4), 0.5, dtype=F64)))

    def value(prior, cells):
        parameters = {"prior_logits": prior, "cell_logits": cells}

        class Held(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.model = model

            def forward(self):
                return self.model.expected(IWAE(2), batch).value

        named = {f"model.{name}": tensor for name, tensor in parameters.items()}
        return torch.func.functional_call(Held(), named, ())

    assert_close_gradient(value, [model.prior_logits, model.cell_logits])


def test_iwae_is_the_logarithm_of_the_mean_weight():
    trace = some_trace()
    weights = (trace.log_px + trace.log_pz - trace.log_qz).numpy()
    expected = special.logsumexp(weights, axis=0) - np.log(4)
    bound = IWAE(4).reduce(trace)
    assert np.allclose(bound.value, expected, rtol=1e-12)
    assert torch.allclose(bound.rate, trace.kl["z"].sum(dim=-1).squeeze(0))
    assert torch.allclose(bound.distortion, -trace.log_px.mean(dim=0))


def test_iwae_of_one_draw_is_the_drawn_elbo():
    trace = some_trace(samples=1)
    assert torch.equal(IWAE(1).reduce(trace).value, ELBO(1, analytic=False).reduce(trace).value)


def test_iwae_survives_weights_that_no_float64_holds():
    trace = some_trace()
    far = made(trace.log_px - 1e5, trace.log_pz, trace.log_qz)
    assert torch.allclose(IWAE(4).reduce(far).value, IWAE(4).reduce(trace).value - 1e5)


def test_the_gradient_of_iwae_weighs_draws_by_their_normalised_weights():
    trace = some_trace()
    log_px = trace.log_px.clone().requires_grad_()
    value = IWAE(4).reduce(made(log_px, trace.log_pz, trace.log_qz)).value
    (gradient,) = torch.autograd.grad(value.sum(), log_px)
    assert torch.allclose(gradient, trace.log_weight.softmax(dim=0))
    assert_close_gradient(
        lambda a, b, c: IWAE(4).reduce(made(a, b, c)).value,
        [trace.log_px, trace.log_pz, trace.log_qz],
    )


def test_the_elbo_is_minus_distortion_minus_rate_by_hand():
    trace = some_trace()
    bound = ELBO(4).reduce(trace)
    assert torch.allclose(bound.distortion, -trace.log_px.mean(dim=0))
    assert torch.allclose(bound.rate, trace.kl["z"].sum(dim=(0, 2)))
    assert torch.allclose(bound.value, trace.log_px.mean(dim=0) - trace.kl["z"].sum(dim=(0, 2)))
    assert torch.equal(bound.elbo, bound.value)
    drawn = ELBO(4, analytic=False).reduce(trace)
    assert torch.allclose(drawn.rate, (trace.log_qz - trace.log_pz).mean(dim=0))
    assert torch.allclose(drawn.value, trace.log_weight.mean(dim=0))


def test_groups_of_latents_and_draws_are_summed_and_averaged():
    trace = some_trace(samples=2)
    top, bottom = torch.rand(2, 3, 4, dtype=F64), torch.rand(1, 3, 2, dtype=F64)
    rates = with_rates(trace, {"top": top, "bottom": bottom})
    grouped = replace(rates, penalties={"planted": torch.tensor([1.0, 2.0, 3.0])})
    expected = top.sum(dim=-1).mean(dim=0) + bottom.sum(dim=-1)[0]
    bound = ELBO(2).reduce(grouped)
    assert torch.allclose(bound.rate, expected)
    assert torch.allclose(bound.value, bound.elbo - torch.tensor([1.0, 2.0, 3.0]))


def test_beta_weighs_the_rate_and_nothing_else():
    trace = some_trace()
    elbo = ELBO(4).reduce(trace)
    assert torch.equal(BetaELBO(1.0, 4).reduce(trace).value, elbo.value)
    values = [BetaELBO(beta, 4).reduce(trace) for beta in (0.0, 0.5, 1.0, 4.0)]
    for beta, bound in zip((0.0, 0.5, 1.0, 4.0), values, strict=True):
        assert torch.allclose(bound.value, -(elbo.distortion + beta * elbo.rate))
        assert torch.equal(bound.rate, elbo.rate)
        assert torch.equal(bound.distortion, elbo.distortion)
        assert torch.equal(bound.elbo, elbo.elbo)
    for one, other in itertools.pairwise(values):
        assert bool((one.value > other.value).all())


@pytest.mark.parametrize("inside", [ELBO(4), IWAE(4), BetaELBO(2.0, 4)])
def test_annealing_starts_without_rate_and_ends_at_the_objective(inside):
    trace = some_trace()
    annealed = Annealed(inside, WarmUp(0.5))
    assert torch.equal(annealed.at(1.0).reduce(trace).value, inside.reduce(trace).value)
    assert torch.equal(annealed.at(0.5).reduce(trace).value, inside.reduce(trace).value)
    assert torch.equal(annealed.reduce(trace).value, inside.reduce(trace).value)
    start = annealed.at(0.0).reduce(trace).value
    if isinstance(inside, IWAE):
        expected = trace.log_px.logsumexp(dim=0) - math.log(4)
    else:
        expected = trace.log_px.mean(dim=0)
    assert torch.allclose(start, expected, rtol=1e-12)
    half = annealed.at(0.25).reduce(trace).value
    assert torch.allclose(half, inside.reduce(trace, beta=0.5).value)
    assert annealed.criterion == inside
    assert annealed.samples == 4
    assert annealed.formula == inside.formula


def test_a_tempered_iwae_raises_prior_over_posterior_to_beta():
    trace = some_trace()
    expected = (trace.log_px + 0.3 * (trace.log_pz - trace.log_qz)).logsumexp(dim=0) - math.log(4)
    assert torch.allclose(Tempered(IWAE(4), 0.3).reduce(trace).value, expected)
    assert torch.allclose(Tempered(Tempered(IWAE(4), 0.6), 0.5).reduce(trace).value, expected)


def test_free_bits_of_nothing_are_the_elbo():
    trace = some_trace()
    assert torch.allclose(FreeBits(ELBO(4), 0.0).reduce(trace).value, ELBO(4).reduce(trace).value)


@pytest.mark.parametrize("beta", [1.0, 3.0])
def test_free_bits_floor_each_unit_averaged_over_the_batch(beta):
    trace = some_trace()
    units = torch.tensor([[[0.0, 2.0], [0.1, 0.2], [0.2, 0.8]]], dtype=F64)  # means 0.1 and 1.0
    trace = made(trace.log_px, trace.log_pz, trace.log_qz, units)
    bound = FreeBits(BetaELBO(beta, 4), 0.5).reduce(trace)
    expected = trace.log_px.mean() - beta * (max(0.1, 0.5) + max(1.0, 0.5))
    assert bound.value.mean().item() == pytest.approx(expected.item(), rel=1e-12)
    assert torch.allclose(bound.rate, units.sum(dim=(0, 2)))
    assert torch.allclose(bound.elbo, ELBO(4).reduce(trace).value)


def test_free_bits_floor_rates_that_differ_by_draw_averaged_over_draws_too():
    trace = some_trace(samples=4)
    units = torch.rand(4, 3, 2, dtype=F64)
    held = made(trace.log_px, trace.log_pz, trace.log_qz, units)
    floor = float(units.mean(dim=(0, 1)).max()) + 0.1
    value = FreeBits(ELBO(4), floor).reduce(held).value
    assert value.mean().item() == pytest.approx(trace.log_px.mean().item() - 2 * floor, rel=1e-12)


def test_a_unit_below_the_floor_has_no_gradient_and_one_above_all_of_it():
    trace = some_trace()
    units = torch.tensor([[[0.0, 2.0], [0.1, 0.2], [0.2, 0.8]]], dtype=F64, requires_grad=True)
    held = made(trace.log_px, trace.log_pz, trace.log_qz, units)
    (gradient,) = torch.autograd.grad(FreeBits(ELBO(4), 0.5).reduce(held).value.sum(), units)
    assert torch.allclose(gradient[..., 0], torch.zeros(1, 3, dtype=F64))
    assert torch.allclose(gradient[..., 1], -torch.ones(1, 3, dtype=F64))


def test_annealed_free_bits_and_free_annealed_bits_are_the_same():
    trace = some_trace()
    one = Annealed(FreeBits(ELBO(4), 0.5), WarmUp(0.5)).at(0.2).reduce(trace).value
    other = FreeBits(Annealed(ELBO(4), WarmUp(0.5)), 0.5).at(0.2).reduce(trace).value
    assert torch.allclose(one, other)


def test_free_bits_refuse_what_has_no_closed_rate():
    for inside in (IWAE(4), ELBO(4, analytic=False), Annealed(IWAE(4), WarmUp())):
        with pytest.raises(SettingError, match="leave them out"):
            FreeBits(inside, 0.1)
    trace = some_trace()
    without = made(trace.log_px, trace.log_pz, trace.log_qz)
    with pytest.raises(SettingError, match="this model has none"):
        FreeBits(ELBO(4), 0.1).reduce(without)
    with pytest.raises(SettingError, match="at least 0"):
        FreeBits(ELBO(4), -0.1)


@pytest.mark.parametrize("samples", [0, -1, 1.5, True, None])
def test_impossible_numbers_of_draws_are_refused(samples):
    for build in (ELBO, IWAE, lambda samples: BetaELBO(1.0, samples)):
        with pytest.raises(SettingError, match="whole number of at least 1"):
            build(samples)


@pytest.mark.parametrize("beta", [-0.1, math.nan, math.inf])
def test_impossible_weights_are_refused(beta):
    with pytest.raises(SettingError, match="at least 0"):
        BetaELBO(beta)


def test_the_settings_of_an_objective_that_is_told_nothing_are_those_of_its_paper():
    assert ELBO() == ELBO(samples=1, analytic=True, gradient="total")
    assert BetaELBO() == BetaELBO(beta=4.0, samples=1)
    assert IWAE() == IWAE(samples=5)
    assert FreeBits(ELBO()) == FreeBits(ELBO(), nats=0.1)
    assert BetaELBO().gradient == IWAE().gradient == "total"


def test_what_is_a_lower_bound_says_so_and_what_is_none_does_not():
    for bound in (ELBO(), IWAE(), BetaELBO(1.0), BetaELBO(4.0)):
        assert bound.is_bound is True
    for none in (BetaELBO(0.99), Annealed(ELBO(), WarmUp()), FreeBits(ELBO()), Tempered(ELBO(), 1)):
        assert none.is_bound is False


def test_an_objective_of_ones_own_needs_to_say_no_more_than_how_it_reduces():
    class Own(Objective):
        def reduce(self, trace, beta=1.0):
            return ELBO().reduce(trace, beta)

    assert (Own().samples, Own().gradient, Own().is_bound) == (1, "total", True)
    own = Own()
    assert own.at(0.5) is own.criterion is own


def test_the_penalties_of_a_model_are_subtracted_from_every_objective():
    trace = some_trace()
    penalties = {"one": torch.tensor([1.0, 2.0, 3.0]), "other": torch.tensor([0.5, 0.0, 0.0])}
    held = replace(trace, penalties=penalties)
    for objective in (
        ELBO(4),
        IWAE(4),
        BetaELBO(2.0, 4),
        FreeBits(ELBO(4)),
        Tempered(IWAE(4), 0.5),
    ):
        difference = objective.reduce(held).value - objective.reduce(trace).value
        assert torch.allclose(difference, torch.tensor([-1.5, -2.0, -3.0], dtype=F64))


def test_the_rate_without_a_closed_form_is_that_of_the_draws():
    trace = some_trace()
    drawn = made(trace.log_px, trace.log_pz, trace.log_qz)
    expected = (trace.log_qz - trace.log_pz).mean(dim=0)
    assert torch.allclose(IWAE(4).reduce(drawn).rate, expected, rtol=1e-12)
    assert torch.allclose(ELBO(4).reduce(drawn).rate, expected, rtol=1e-12)


@pytest.mark.parametrize("inside", [ELBO(4), IWAE(4), BetaELBO(2.0, 4)])
def test_every_wrapper_hands_on_the_further_weight_of_the_rate(inside):
    trace = some_trace()
    expected = inside.reduce(trace, beta=0.25).value
    assert torch.equal(Annealed(inside, WarmUp()).reduce(trace, beta=0.25).value, expected)
    assert torch.allclose(Tempered(inside, 0.5).reduce(trace, beta=0.5).value, expected)
    if not isinstance(inside, IWAE):
        assert torch.allclose(FreeBits(inside, 0.0).reduce(trace, beta=0.25).value, expected)


def test_wrappers_inside_wrappers_are_taken_at_the_same_fraction():
    trace = some_trace()
    expected = ELBO(4).reduce(trace, beta=0.25 * 0.5).value
    nested = Annealed(Annealed(ELBO(4), WarmUp(1.0)), WarmUp(0.5)).at(0.25)
    assert torch.allclose(nested.reduce(trace).value, expected)
    floored = FreeBits(Annealed(ELBO(4), WarmUp(1.0)), 0.0).at(0.25)
    assert torch.allclose(floored.reduce(trace).value, ELBO(4).reduce(trace, beta=0.25).value)
    assert floored.at(1.0).nats == 0.0


def test_an_objective_asks_for_its_own_draws_and_gradient():
    asked = []

    class Model:
        def trace(self, batch, samples=1, gradient="total"):
            asked.append((samples, gradient))
            return some_trace(samples)

    batch = Batch(torch.zeros(3, 1))
    for objective in (IWAE(7), ELBO(2, False, "path"), Annealed(ELBO(3, False, "path"), WarmUp())):
        objective(Model(), batch)
    assert asked == [(7, "total"), (2, "path"), (3, "path")]


def test_a_model_without_closed_rate_is_bounded_by_draws():
    # the mean over 4,000 batches of the drawn bound is the exact expectation
    model = BernoulliMixture(seed=2)
    batch = Batch(torch.ones(2, 4, dtype=F64))
    with torch.no_grad():
        trace = model.trace(batch, 40_000)
        exact = model.expected(ELBO(1), batch).value
    assert_mean(trace.log_weight, exact, resolves=0.15)
