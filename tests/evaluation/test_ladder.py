"""The bound for more and more draws, its errors, and whether it has converged."""

import math

import pytest
import torch
from torch.distributions import Pareto

from lowerbound.data import Examples
from lowerbound.evaluation import convergence, evaluate, evidence, pareto_shape
from lowerbound.evaluation.ladder import (
    HEAVY_SHARE,
    TOLERANCE,
    climb,
    first_order_variance,
    log_mean_variance,
    rungs,
)
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
    found = evidence(model, Examples(reference.simulate(300).x), 64)
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
    x = reference.simulate(1, seed=3).x.expand(4000, -1)
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
    one = evaluate(reference.vae(), reference.simulate(5).x, samples=1)
    assert one.log_evidence is None
    assert one.convergence.gain is None
    assert not one.convergence.converged
    few = evaluate(reference.vae(), reference.simulate(5).x, samples=10)
    assert not few.convergence.converged
    assert "25 draws" in few.convergence.words
    assert evaluate(reference.vae(), reference.simulate(5).x, samples=30).convergence.converged


@pytest.mark.parametrize(
    ("samples", "steps"),
    [
        (1, (1,)), (2, (1, 2)), (3, (1, 3)), (5, (1, 2, 5)), (9, (1, 4, 5, 9)), (10, (1, 5, 10)),
        (11, (1, 5, 10, 11)), (50, (1, 5, 10, 25, 50)), (100, (1, 5, 10, 50, 100)),
        (101, (1, 5, 10, 50, 100, 101)), (2000, (1, 5, 10, 50, 100, 500, 1000, 2000)),
    ],
)  # fmt: skip
def test_rungs_are_ones_and_fives_of_every_decade_and_a_half_and_the_whole(samples, steps):
    assert rungs(samples) == steps


def test_the_variance_of_one_group_is_by_hand():
    # weights 1, 1, 1, 5: shares 1/8 and 5/8, sum of squares 28/64, less 1/4, times 4/3
    log_weight = torch.tensor([[1.0], [5.0], [1.0], [1.0]]).log()
    first_order = (28 / 64 - 1 / 4) * 4 / 3
    assert float(first_order_variance(log_weight)) == pytest.approx(first_order)
    assert first_order_variance(log_weight).dtype == torch.float64
    # halves 6 and 2: variance of two logarithms is half their squared difference, and half of it
    halves = math.log(3) ** 2 / 4
    assert halves > first_order
    assert float(log_mean_variance(log_weight)) == pytest.approx(halves)
    alike = log_weight[[0, 1, 1, 2]]  # halves alike: 28 / 64 gives way to 2 of 5
    expected = (52 / 144 - 1 / 4) * 4 / 3
    assert float(log_mean_variance(alike)) == pytest.approx(expected)
    odd = torch.cat([log_weight, torch.zeros(1, 1)])  # the fifth is in no half
    assert float(log_mean_variance(odd)) == pytest.approx(max(halves, (29 / 81 - 0.2) * 5 / 4))
    bound, variance = climb(log_weight, 3)
    assert float(bound) == pytest.approx(math.log(7 / 3))
    assert float(variance) == pytest.approx(float(log_mean_variance(log_weight[:3])))
    one = log_mean_variance(log_weight[:1])
    assert (one.shape, one.dtype) == ((1,), torch.float64)
    assert float(first_order_variance(torch.zeros(3, 1))) == 0.0


def steady(gain: float, tail: list[float], samples: int = 100):
    """Ten examples that all gain the same."""
    ladder = {1: torch.full((10,), -9.0), samples // 2: torch.zeros(10)}
    ladder[samples] = torch.full((10,), gain, dtype=torch.float64)
    return convergence(ladder, torch.arange(10.0), torch.tensor(tail, dtype=torch.float64))


LIGHT, FEW = [0.3] * 10, [math.nan] * 10


@pytest.mark.parametrize(
    ("gain", "tail", "samples", "converged", "heavy", "words"),
    [
        (0.25, LIGHT, 2000, False, 0.0,
         "not converged: doubling the draws from 1,000 to 2,000 raised the bound by "
         "0.25 ± 0.00 nats per example, and more draws will raise it further"),
        (TOLERANCE, LIGHT, 100, False, 0.0,
         "not converged: doubling the draws from 50 to 100 raised the bound by "
         "0.10 ± 0.00 nats per example, and more draws will raise it further"),
        (0.0625, LIGHT, 100, True, 0.0,
         "converged: doubling the draws from 50 to 100 raised the bound by "
         "0.06 ± 0.00 nats per example"),
        (0.0625, FEW, 20, False, None,
         "doubling the draws from 10 to 20 raised the bound by 0.06 ± 0.00 nats per example; "
         "25 draws at least are needed to judge the tails of the weights"),
        (0.0625, [0.9, 0.9] + [0.3] * 8, 100, False, 0.2,
         "not converged: doubling the draws from 50 to 100 raised the bound by "
         "0.06 ± 0.00 nats per example, but the weights of 20% of the examples are so "
         "heavy-tailed that draws which matter are missing; annealed importance sampling "
         "(ais) is tighter"),
        (0.0625, [0.9] + [0.5] * 9, 100, True, 0.1,
         "converged: doubling the draws from 50 to 100 raised the bound by "
         "0.06 ± 0.00 nats per example"),
        (0.0625, [0.9] + [math.nan] * 4 + [0.3] * 5, 100, False, 1 / 6,
         "not converged: doubling the draws from 50 to 100 raised the bound by "
         "0.06 ± 0.00 nats per example, but the weights of 17% of the examples are so "
         "heavy-tailed that draws which matter are missing; annealed importance sampling "
         "(ais) is tighter"),
    ],
)  # fmt: skip
def test_the_verdict_is_in_a_sentence(gain, tail, samples, converged, heavy, words):
    found = steady(gain, tail, samples)
    assert (found.converged, found.words) == (converged, words)
    assert found.heavy_tailed == (None if heavy is None else pytest.approx(heavy))
    assert found.gain.mean == pytest.approx(gain)
    assert found.effective_samples == 4.0  # the lower of two medians


def test_the_verdict_on_one_draw_and_on_one_example():
    one = convergence({1: torch.zeros(3)}, torch.ones(3), torch.full((3,), 0.9))
    assert one.words == "one draw cannot show whether more would help: use more samples"
    assert (one.converged, one.gain, one.effective_samples, one.heavy_tailed) == (
        False, None, 1.0, 1.0,
    )  # fmt: skip
    two = convergence({1: torch.zeros(3), 2: torch.ones(3)}, torch.ones(3), torch.full((3,), 0.9))
    assert two.gain.mean == 1.0
    alone = convergence({50: torch.zeros(1), 100: torch.zeros(1)}, torch.ones(1), torch.zeros(1))
    assert alone.converged  # no error over examples is known, and none is made up
    assert (TOLERANCE, HEAVY_SHARE) == (0.1, 0.1)


def test_the_gain_is_compared_with_its_error_at_95_percent():
    # gain 0.05 with the standard error 0.02: 0.089 is below 0.1; with 0.03, 0.109 is not
    for error, converged in ((0.02, True), (0.03, False)):
        half = error  # of two numbers c - e and c + e the error is e
        gain = torch.tensor([0.05 - half, 0.05 + half], dtype=torch.float64)
        found = convergence({50: torch.zeros(2), 100: gain}, torch.ones(2), torch.zeros(2))
        assert found.gain.standard_error == pytest.approx(error)
        assert found.converged is converged


def test_an_example_has_a_variance_of_its_own():
    log_weight = torch.randn(9, 4, dtype=torch.float64)
    apart = torch.cat([log_mean_variance(column.unsqueeze(-1)) for column in log_weight.T])
    assert torch.allclose(log_mean_variance(log_weight), apart)
    assert len(apart.unique()) == 4


def test_an_odd_number_of_draws_is_compared_with_its_half_rounded_down():
    ladder = {1: torch.zeros(2), 12: torch.ones(2), 25: torch.full((2,), 1.5)}
    found = convergence(ladder, torch.ones(2), torch.zeros(2))
    assert found.gain.mean == 0.5
    assert "from 12 to 25" in found.words
