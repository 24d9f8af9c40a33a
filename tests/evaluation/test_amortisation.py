"""What the encoder misses and what its family cannot say, against closed forms."""

import math
import sys

import pytest
import torch
from torch import Tensor
from torch.distributions import Laplace, MultivariateNormal, Normal, kl_divergence

from lowerbound.data import Batch, Examples
from lowerbound.distributions import Independent, log_prob
from lowerbound.errors import DataError, SettingError
from lowerbound.evaluation import Estimate, Gaps, evidence, gaps
from lowerbound.evaluation.amortisation import free, moved
from lowerbound.posteriors import DiagonalGaussian, FullGaussian
from lowerbound.seeding import seeded
from lowerbound.testing import BernoulliMixture, LinearGaussian, assert_close_gradient

MODULE = sys.modules[gaps.__module__]  # the function hides its module


@pytest.mark.parametrize("family", [DiagonalGaussian, FullGaussian])
def test_an_encoder_that_is_off_loses_what_the_search_finds_again(family):
    # the family holds the posterior: the approximation gap is 0, the amortisation gap the whole KL
    reference = LinearGaussian.random(2, 4, orthogonal=True)
    x = reference.simulate(40).x
    model = reference.vae(family)
    with torch.no_grad():
        model.posterior.network.layers[0].bias[:2] += 0.5
    covariance = reference.posterior(x).covariance_matrix[0]
    shift = torch.full((2,), 0.5).double()
    kl = 0.5 * float(shift @ torch.linalg.inv(covariance) @ shift)
    found = gaps(model, Examples(x), updates=200, samples=200)
    assert found.amortisation.mean == pytest.approx(kl, abs=0.08)
    assert found.approximation.mean == pytest.approx(0.0, abs=0.05)
    assert found.optimised.mean == pytest.approx(float(reference.log_evidence(x).mean()), abs=0.05)
    assert found.encoder.mean + kl == pytest.approx(found.optimised.mean, abs=0.08)
    assert found.examples == 40


def test_a_family_without_correlation_has_its_gap():
    # the best diagonal q has the diagonal of the precision: KL = (sum log L_dd - log det L) / 2
    reference = LinearGaussian.random(3, 5)
    x = reference.simulate(40).x
    precision = torch.linalg.inv(reference.posterior(x).covariance_matrix[0])
    exact = 0.5 * float(precision.diagonal().log().sum() - torch.logdet(precision))
    found = gaps(reference.vae(DiagonalGaussian), Examples(x), updates=200, samples=500)
    assert exact > 0.2
    assert found.approximation.mean == pytest.approx(exact, abs=0.05)


@pytest.mark.parametrize("family", [DiagonalGaussian, FullGaussian])
def test_the_search_begins_where_the_encoder_is_and_reaches_every_parameter(family):
    reference = LinearGaussian.random(2, 4)
    with torch.no_grad():
        q = reference.vae(family).posterior(reference.simulate(3).x)
    leaves = free(q)
    same = moved(q, *leaves)
    assert torch.allclose(same.mean, q.mean)
    assert torch.allclose(same.variance, q.variance)
    point = torch.randn(3, 2, dtype=torch.float64)
    assert_close_gradient(lambda *free: moved(q, *free).log_prob(point), leaves)


def test_a_family_nobody_registered_is_refused():
    with pytest.raises(SettingError, match="independent Laplace"):
        free(Independent(Laplace(torch.zeros(3, 2), torch.ones(3, 2)), 1))
    with pytest.raises(SettingError, match=r"free\.register"):
        free(Laplace(torch.zeros(3), torch.ones(3)))
    with pytest.raises(SettingError, match=r"moved\.register"):
        moved(Laplace(torch.zeros(3), torch.ones(3)))
    mixture = BernoulliMixture()
    with pytest.raises(SettingError, match="group 'z' of the latents: no search over the family"):
        gaps(mixture, Examples(mixture.simulate(2).x))


class Slope(torch.autograd.Function):
    """A value and a gradient that have nothing to do with each other."""

    @staticmethod
    def forward(ctx, x, value, slope):
        ctx.save_for_backward(slope)
        return value.clone()

    @staticmethod
    def backward(ctx, grown):
        (slope,) = ctx.saved_tensors
        return grown.unsqueeze(-1) * slope.expand(len(grown), 2), None, None


REFERENCE = LinearGaussian.random(2, 4, orthogonal=True)


def q_of(model, batch, changes):
    """The q that is judged."""
    return moved(model.posterior(batch.x), *changes["z"])


def judged(monkeypatch, elbo, weighted=lambda *_: torch.zeros(3).double()) -> None:
    """The search with another function to climb."""
    monkeypatch.setattr(MODULE, "_elbo", elbo)
    monkeypatch.setattr(MODULE, "_weighted", weighted)


def test_the_search_is_adam_with_a_rate_that_falls_to_nothing(monkeypatch):
    model, x = REFERENCE.vae(DiagonalGaussian), REFERENCE.simulate(3).x
    calls, asked = [], []

    def elbo(model, batch, changes):  # best at a mean of 3 and a variance of 0.04
        q = q_of(model, batch, changes)
        calls.append(batch)
        return -((q.mean - 3).square() + (q.variance - 0.04).square()).sum(dim=-1)

    def weighted(model, batch, changes, samples):
        q = q_of(model, batch, changes)
        asked.append((q.mean.clone(), samples))
        return q.mean.sum(dim=-1)

    judged(monkeypatch, elbo, weighted)
    encoder, best, bound = MODULE._search(model, Batch(x), 5, 17)
    with torch.no_grad():
        q = model.posterior(x)
    leaves = [torch.zeros(3, 2, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    adam = torch.optim.Adam(leaves, lr=0.05)
    for rate in (0.05, 0.04, 0.03, 0.02, 0.01):
        adam.param_groups[0]["lr"] = rate
        mean = q.mean + q.variance.sqrt() * leaves[0]
        variance = q.variance * (2 * leaves[1]).exp()
        adam.zero_grad()
        ((mean - 3).square() + (variance - 0.04).square()).sum().backward()
        adam.step()
    with torch.no_grad():
        mean = q.mean + q.variance.sqrt() * leaves[0]
        variance = q.variance * (2 * leaves[1]).exp()
        value = -((mean - 3).square() + (variance - 0.04).square()).sum(dim=-1)
        start = -((q.mean - 3).square() + (q.variance - 0.04).square()).sum(dim=-1)
    assert torch.allclose(encoder, start)
    assert torch.allclose(best, value, rtol=1e-9)
    assert torch.allclose(bound, mean.sum(dim=-1), rtol=1e-9)
    assert [samples for _, samples in asked] == [17]
    assert len(calls) == 5 + 25 + 25  # 200 draws judge each, 8 at a time


def climbing(
    monkeypatch, slopes: list[float], gain: float = 0.5, *, then: float | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Means of q at the end and at the start, and what a search with these slopes gained.

    The slopes of the first update, and of the others unless those are to be another one.
    """
    model, x = REFERENCE.vae(DiagonalGaussian), REFERENCE.simulate(3).x
    slope, values = torch.tensor(slopes, dtype=torch.float64).unsqueeze(-1), [0.0]

    def elbo(model, batch, changes):
        q = q_of(model, batch, changes)
        values.append(values[-1] + gain)  # those judged last are the best
        value = torch.full((3,), values[-1], dtype=torch.float64)
        later = slope if then is None or len(values) == 2 else torch.full_like(slope, then)
        return Slope.apply(q.mean + q.variance, value, later)

    judged(monkeypatch, elbo, lambda m, b, c, samples: q_of(m, b, c).mean[:, 0])
    encoder, best, bound = MODULE._search(model, Batch(x), 4, 1)
    with torch.no_grad():
        return bound, model.posterior(x).mean[:, 0], best - encoder


def test_a_slope_that_is_no_number_moves_nothing(monkeypatch):
    """It once passed whatever became of such slopes: nothing moved because nothing was gained."""
    bad = [math.nan, math.inf, -math.inf]
    bound, start, gained = climbing(monkeypatch, bad)
    assert bool((gained > 0).all())
    assert torch.equal(bound, start)
    assert (climbing(monkeypatch, [1.0, math.nan, -1.0])[0] == start).tolist() == [
        False, True, False,
    ]  # fmt: skip
    # nor is it remembered
    bound, start, _ = climbing(monkeypatch, bad, then=2.0)
    assert torch.equal(bound, climbing(monkeypatch, [0.0, 0.0, 0.0], then=2.0)[0])
    assert bool((bound != start).all())


def test_a_search_that_gained_nothing_keeps_the_encoders_q(monkeypatch):
    bound, start, gained = climbing(monkeypatch, [1.0, 2.0, -1.0], gain=0.0)
    assert not gained.any()
    assert torch.equal(bound, start)


def test_a_search_that_made_it_worse_has_found_the_encoders_own(monkeypatch):
    model, x = REFERENCE.vae(DiagonalGaussian), REFERENCE.simulate(3).x
    away = torch.ones(3, 1, dtype=torch.float64)
    signs = torch.tensor([-1.0, 1.0, -1.0], dtype=torch.float64)

    def elbo(model, batch, changes):
        q = q_of(model, batch, changes)
        value = signs * (q.mean + q.variance).detach().sum(dim=-1)
        return Slope.apply(q.mean + q.variance, value, away)

    judged(monkeypatch, elbo, lambda m, b, c, samples: q_of(m, b, c).mean[:, 0])
    encoder, best, bound = MODULE._search(model, Batch(x), 4, 1)
    with torch.no_grad():
        start = model.posterior(x).mean[:, 0]
    assert (best == encoder).tolist() == [True, False, True]
    assert float(best[1]) > float(encoder[1])
    assert (bound == start).tolist() == [True, False, True]  # draws are from what was kept


def test_both_are_judged_by_the_same_fresh_draws(monkeypatch):
    model, x, noise = REFERENCE.vae(DiagonalGaussian), REFERENCE.simulate(3).x, []

    def elbo(model, batch, changes):
        q = q_of(model, batch, changes)
        noise.append(float(torch.rand(())))
        return q.mean.sum(dim=-1)

    judged(monkeypatch, elbo)
    for seed in (3, 4, 5, 6):
        noise.clear()
        torch.manual_seed(seed)
        MODULE._search(model, Batch(x), 0, 1)
        assert noise[:25] == noise[25:]
        assert len(set(noise)) == 25
        torch.manual_seed(seed)
        model.trace(Batch(x), 1)
        with seeded(torch.randint(2**31, ()).item()):
            assert noise[:25] == [float(torch.rand(())) for _ in range(25)]


@pytest.mark.parametrize("samples", [1, 8, 9, 20])
def test_the_weighted_bound_is_the_log_mean_of_all_its_draws(samples):
    model, batch = REFERENCE.vae(DiagonalGaussian), Batch(REFERENCE.simulate(3).x)
    changes = {"z": [torch.randn(3, 2).double() / 3 for _ in range(2)]}
    with torch.no_grad():
        q = moved(model.posterior(batch.x), *changes["z"])
        torch.manual_seed(1)
        found = MODULE._weighted(model, batch, changes, samples)
        torch.manual_seed(1)
        sizes = [min(8, samples - first) for first in range(0, samples, 8)]
        z = torch.cat([q.sample((size,)) for size in sizes])
        log_px, log_pz = model.log_joint(batch, {"z": z})
        expected = (log_px + log_pz - log_prob(q, z)).exp().mean(dim=0).log()
    assert torch.allclose(found, expected, rtol=1e-10)


def test_the_elbo_of_a_q_has_the_closed_rate():
    model, batch = REFERENCE.vae(DiagonalGaussian), Batch(REFERENCE.simulate(3).x)
    asked = []
    model.prior.register_forward_hook(lambda m, i, o: asked.append(i))
    told = Batch(batch.x, condition=torch.ones(3, 1))
    changes = {"z": [torch.randn(3, 2).double() / 3 for _ in range(2)]}
    q = moved(model.posterior(batch.x), *changes["z"])
    standard = Normal(torch.zeros(2).double(), torch.ones(2).double())
    closed = kl_divergence(q.base_dist, standard).sum(dim=-1)
    torch.manual_seed(2)
    found = MODULE._elbo(model, told, changes)
    assert found.requires_grad  # through the draws
    assert [i[0] for i in asked] == [told.condition]
    torch.manual_seed(2)
    log_px, _ = model.log_joint(batch, {"z": q.rsample((8,))})
    assert torch.allclose(found, log_px.mean(dim=0) - closed, rtol=1e-9)


def test_parameters_are_in_units_of_the_encoders_own_q():
    mean = torch.tensor([[1.0, -2.0]], dtype=torch.float64)
    shift = torch.tensor([[0.3, -0.4]], dtype=torch.float64)
    log_scale = torch.tensor([[0.2, -0.7]], dtype=torch.float64)
    q = Independent(Normal(mean, torch.tensor([[0.5, 2.0]]).double()), 1)
    law = moved(q, shift, log_scale)
    assert law.mean.flatten().tolist() == pytest.approx([1.15, -2.8])
    assert law.stddev.flatten().tolist() == pytest.approx([0.5 * math.exp(0.2), 2 * math.exp(-0.7)])
    assert law.event_shape == (2,)
    factor = torch.tensor([[[2.0, 0.0], [1.0, 0.5]]], dtype=torch.float64)
    q = MultivariateNormal(mean, scale_tril=factor)
    leaves = free(q)
    assert [leaf.shape for leaf in leaves] == [(1, 2), (1, 2, 2), (1, 2)]
    assert all(leaf.dtype == torch.float64 for leaf in leaves)
    below = torch.tensor([[[9.0, 9.0], [0.6, 9.0]]], dtype=torch.float64)  # one of them counts
    law = moved(q, shift, below, log_scale)
    turn = torch.tensor([[math.exp(0.2), 0.0], [0.6, math.exp(-0.7)]], dtype=torch.float64)
    assert law.mean.flatten().tolist() == pytest.approx([1 + 0.6, -2 + 0.3 - 0.2])
    assert torch.allclose(law.scale_tril[0], factor[0] @ turn)


def test_a_search_that_diverged_is_no_error_of_torchs():
    mean, scale = torch.zeros(1, 2), torch.ones(1, 2)
    beyond = torch.full((1, 2), math.nan)
    for q in (Independent(Normal(mean, scale), 1), MultivariateNormal(mean, torch.eye(2))):
        leaves = free(q)
        leaves[0] = beyond
        assert bool(moved(q, *leaves).mean.isnan().all())


def test_a_refusal_to_search_says_what_to_do():
    two = Independent(Laplace(torch.zeros(3, 2, 2), torch.ones(3, 2, 2)), 2)
    laplace = Laplace(torch.zeros(3), torch.ones(3))
    for q, words in (
        (laplace, "no search over the family of Laplace; register it with "
         "lowerbound.evaluation.amortisation.free.register, or leave the gaps out"),
        (two, "no search over independent Laplace; leave the gaps out, or register a "
         "search with lowerbound.evaluation.amortisation.free.register"),
    ):  # fmt: skip
        with pytest.raises(SettingError) as refused:
            free(q)
        assert str(refused.value) == words
    with pytest.raises(DataError, match="no examples"):
        gaps(REFERENCE.vae(), Examples(torch.zeros(0, 4)))
    with pytest.raises(SettingError, match="at least 1"):
        gaps(REFERENCE.vae(), Examples(torch.zeros(1, 4)), samples=0)


def test_the_figures_of_a_search_are_means_and_paired_differences(monkeypatch):
    values = torch.tensor([[-5.0, -7.0, -9.0], [-4.0, -7.0, -6.0], [-3.0, -5.0, -5.5]]).double()
    chunks, seen = list(values.split([2, 1], dim=1)), []
    monkeypatch.setattr(
        MODULE, "_search", lambda model, batch, *_: seen.append(batch.x) or chunks.pop(0)
    )
    monkeypatch.setattr(sys.modules[evidence.__module__], "EXAMPLES_AT_ONCE", 2)
    x = REFERENCE.simulate(3).x
    found = gaps(REFERENCE.vae(DiagonalGaussian), Examples(x))
    assert [len(rows) for rows in seen] == [2, 1]
    assert torch.equal(torch.cat(seen), x)
    encoder, best, bound = values
    assert found == Gaps(
        3, Estimate.of(encoder), Estimate.of(best), Estimate.of(bound),
        Estimate.of(best - encoder), Estimate.of(bound - best),
    )  # fmt: skip


def test_the_model_is_frozen_during_a_search_and_only_then():
    model, wanted = REFERENCE.vae(DiagonalGaussian), []
    fixed = next(model.parameters()).requires_grad_(False)
    model.likelihood.register_forward_hook(
        lambda m, i, o: wanted.append(any(p.requires_grad for p in model.parameters()))
    )
    gaps(model, Examples(REFERENCE.simulate(2).x), updates=2, samples=2)
    assert wanted
    assert not any(wanted)
    assert [p for p in model.parameters() if not p.requires_grad] == [fixed]


def test_examples_are_searched_as_many_at_a_time_as_eight_draws_of_each_leave_room_for(
    monkeypatch,
):
    room = sys.modules[evidence.__module__]
    monkeypatch.setattr(room, "FEWEST_CELLS", 1)
    monkeypatch.setattr(room, "CELLS_AT_ONCE", 8 * 4 * 2)  # two examples of four cells
    told = []
    gaps(
        REFERENCE.vae(DiagonalGaussian), Examples(REFERENCE.simulate(5).x), updates=1, samples=2,
        progress=lambda *step: told.append(step),
    )  # fmt: skip
    assert told == [(2, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize("updates", [0, -1, 2.0, True])
def test_a_search_of_no_updates_is_refused(updates):
    with pytest.raises(SettingError, match=r"^updates must be a whole number of at least 1, got"):
        gaps(REFERENCE.vae(), Examples(REFERENCE.simulate(2).x), updates=updates)


def test_an_example_without_a_finite_bound_is_named(monkeypatch):
    values = torch.zeros(3, 4).double()
    values[2, 1] = math.nan
    values[0, 3] = -math.inf
    monkeypatch.setattr(MODULE, "_search", lambda *_: values)
    with pytest.raises(DataError, match=r"^example 1 has no finite bound"):
        gaps(REFERENCE.vae(), Examples(REFERENCE.simulate(4).x))
