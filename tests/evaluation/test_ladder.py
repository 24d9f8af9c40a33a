"""The bound for more and more draws, its errors, and whether it has converged."""

import math

import pytest
import torch
from torch.distributions import Pareto

from lowerbound.data import Examples
from lowerbound.evaluation import convergence, evaluate, evidence, pareto_shape
from lowerbound.evaluation.ladder import climb, log_mean_variance, rungs
from lowerbound.evaluation.tails import tail_length
from lowerbound.testing import LinearGaussian, assert_mean


def test_every_draw_is_used_on_every_rung():
    log_weight = torch.randn(12, 3, dtype=torch.float64)
    for k in (1, 3, 4, 5, 12):
        groups = log_weight[: 12 // k * k].view(12 // k, k, 3)
        expected = torch.stack([g.logsumexp(dim=0) - math.log(k) for g in groups])
        bound, variance = climb(log_weight, k)
        assert torch.allclose(bound, expected.mean(dim=0))
        if k < 7:
            assert torch.allclose(variance, expected.var(dim=0) / len(groups))


def test_the_ladder_has_the_elbo_at_its_foot_and_the_whole_at_its_top():
    reference = LinearGaussian.random(2, 4)
    model = reference.vae()
    with torch.no_grad():
        model.posterior.network.layers[0].bias[:2] += 0.5
    found = evidence(model, Examples(reference.sample(300).x), 64)
    assert tuple(found.ladder) == rungs(64) == (1, 5, 10, 32, 50, 64)
    assert torch.equal(found.ladder[64], found.log_likelihood)
    means = [float(bound.mean()) for bound in found.ladder.values()]
    assert means == sorted(means)
    drawn = found.ladder[1] - found.elbo  # the closed rate against the drawn one
    assert_mean(drawn, 0.0, resolves=0.3)


def test_the_variance_over_draws_is_that_of_repeated_estimates():
    # 500 estimates from 40 weights each, log w ~ N(-s^2/2, s^2) with s = 0.7
    weights = 0.7 * torch.randn(40, 500, 60, dtype=torch.float64) - 0.245
    estimates = weights.logsumexp(dim=0) - math.log(40)
    stated = torch.stack([log_mean_variance(weights[:, i]) for i in range(500)])
    truth = float(estimates.var())
    # the larger of two estimates, one of them from two halves: never too small on average
    assert truth < float(stated.mean()) < 2.5 * truth
    assert bool(log_mean_variance(weights[:1, 0]).isnan().all())


def test_the_bias_is_removed_to_first_order():
    reference = LinearGaussian.random(2, 4)
    x = reference.sample(1, seed=3).x.expand(4000, -1)
    model = reference.vae()
    with torch.no_grad():
        model.posterior.network.layers[0].bias[:2] += 0.15
    found, exact = evidence(model, Examples(x), 40), reference.log_evidence(x)
    bias = float((found.log_likelihood - exact).mean())
    assert bias < -0.002
    left = found.log_evidence - exact
    assert_mean(left, 0.0, resolves=0.03)
    assert abs(float(left.mean())) < abs(bias) / 2


@pytest.mark.parametrize("shape", [0.2, 0.5, 0.9])
def test_the_shape_of_a_tail_is_found(shape):
    # 400 samples of 2,000 draws each; the tail is min(K/5, 3 sqrt K) = 135 draws, and a weak prior
    # of 10 draws pulls towards 0.5
    law = Pareto(torch.ones(()).double(), torch.tensor(1 / shape).double())
    found = pareto_shape(law.sample((2000, 400)).log())
    length = tail_length(2000)
    expected = (shape * length + 5) / (length + 10)
    assert_mean(found, expected, resolves=0.08 + 0.02)
    assert tail_length(25) == 5


def test_weights_without_a_tail_have_none():
    assert bool((pareto_shape(torch.zeros(100, 3)) == 0).all())
    assert bool(pareto_shape(torch.randn(24, 3)).isnan().all())
    bounded = torch.rand(4000, 50, dtype=torch.float64).log()  # w uniform: shape -1
    assert float(pareto_shape(bounded).mean()) < -0.5


def stated(gain: float, heavy: float, count: int = 400, samples: int = 100):
    before = torch.randn(count, dtype=torch.float64)
    noise = 0.01 * torch.randn(count, dtype=torch.float64)
    tail = torch.where(torch.arange(count) < heavy * count, 0.9, 0.3)
    ladder = {1: before - 1, samples // 2: before, samples: before + gain + noise}
    return convergence(ladder, torch.full((count,), 30.0), tail)


def test_a_ladder_that_still_rises_has_not_converged():
    rising = stated(0.5, 0.0)
    assert not rising.converged
    assert "not converged" in rising.words
    assert rising.gain.mean == pytest.approx(0.5, abs=0.01)
    assert stated(0.02, 0.0).converged
    assert stated(0.02, 0.0).effective_samples == 30.0
    assert not stated(0.099, 0.0, count=2).converged  # too few examples to say


def test_heavy_tails_forbid_the_word_converged():
    """Draws that matter are missing: the last doubling gains nothing just because of that."""
    heavy = stated(0.01, 0.3)
    assert not heavy.converged
    assert heavy.heavy_tailed == pytest.approx(0.3)
    assert "30%" in heavy.words
    assert "ais" in heavy.words


def test_one_draw_or_a_few_say_that_they_are_too_few():
    reference = LinearGaussian.random(1, 2)
    one = evaluate(reference.vae(), reference.sample(5).x, samples=1)
    assert one.log_evidence is None
    assert one.convergence.gain is None
    assert not one.convergence.converged
    few = evaluate(reference.vae(), reference.sample(5).x, samples=10)
    assert not few.convergence.converged
    assert "25 draws" in few.convergence.words
    assert evaluate(reference.vae(), reference.sample(5).x, samples=30).convergence.converged
