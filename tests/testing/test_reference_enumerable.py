"""Discrete reference models: every number of theirs against a sum written out by hand."""

import math
from itertools import pairwise, product

import pytest
import torch

from lowerbound.data import Batch
from lowerbound.errors import SettingError
from lowerbound.objectives import ELBO, IWAE
from lowerbound.testing import (
    BernoulliMixture,
    CategoricalMixture,
    Enumerable,
    SigmoidBeliefNet,
    assert_frequencies,
    assert_mean,
    check_calibration,
    check_known_answer,
    check_model,
)
from lowerbound.testing.objectives import check_equal_gradients
from lowerbound.testing.references.enumerable import OverStates, every

MODELS = {
    "Bernoulli mixture": lambda **k: BernoulliMixture(3, 4, **k),
    "categorical mixture": lambda **k: CategoricalMixture(3, 3, 4, **k),
    "belief net": lambda **k: SigmoidBeliefNet((2,), 3, **k),
    "deep belief net": lambda **k: SigmoidBeliefNet((2, 1), 3, **k),
}
KNOWS_GAPS = sorted(set(MODELS) - {"Bernoulli mixture"})


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def by_hand(model: Enumerable, x: list[float]) -> float:
    """p(x), in plain Python: over the values of z, products of chances."""
    total = 0.0
    if isinstance(model, SigmoidBeliefNet):
        weights = [w.tolist() for w in model.weights]
        biases = [b.tolist() for b in model.biases]
        for z in product((0, 1), repeat=sum(model.hidden)):
            layers, start = [[int(v) for v in x]], 0
            for size in model.hidden:
                layers.append(list(z[start : start + size]))
                start += size
            chance = 1.0
            for level, layer in enumerate(layers):
                for unit, value in enumerate(layer):
                    logit = biases[level][unit]
                    if level + 1 < len(layers):
                        row = weights[level][unit]
                        logit += sum(w * h for w, h in zip(row, layers[level + 1], strict=True))
                    chance *= sigmoid(logit) if value else 1 - sigmoid(logit)
            total += chance
        return total
    prior = [math.exp(v) for v in model.prior_logits.tolist()]
    for share, cells in zip(prior, model.cell_logits.tolist(), strict=True):
        chance = share / sum(prior)
        for value, cell in zip(x, cells, strict=True):
            if isinstance(cell, float):
                chance *= sigmoid(cell) if value else 1 - sigmoid(cell)
            else:
                chance *= math.exp(cell[int(value)]) / sum(math.exp(v) for v in cell)
        total += chance
    return total


@pytest.mark.parametrize("name", MODELS)
def test_the_evidence_is_the_sum_over_latent_states_written_out(name):
    model = MODELS[name](seed=3)
    x = model.support()
    expected = [by_hand(model, row) for row in x.tolist()]
    assert model.log_evidence(x).exp().tolist() == pytest.approx(expected, rel=1e-12)
    assert sum(expected) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("exact", [False, True])
def test_every_law_of_an_enumerable_model_sums_to_one(name, exact):
    model = MODELS[name](exact=exact)
    x = model.support()
    one = torch.ones((), dtype=torch.float64)
    log_px, log_pz, log_q = model.joint(Batch(x))
    assert torch.allclose(log_px.exp().sum(dim=1), one)
    assert torch.allclose(log_pz.exp().sum(), one)
    assert torch.allclose(log_q.exp().sum(dim=0), one)
    assert torch.allclose(model.log_posterior(x), log_q, atol=1e-12) == exact


@pytest.mark.parametrize("name", MODELS)
def test_the_exact_posterior_of_an_enumerable_model_makes_every_draw_the_evidence(name):
    model = MODELS[name](exact=True)
    check_known_answer(model, model)


@pytest.mark.parametrize("name", MODELS)
def test_unobserved_cells_are_summed_out(name):
    model = MODELS[name](exact=True)
    x = model.support()[:1].expand(model.levels, -1).clone()
    x[:, 1] = torch.arange(model.levels)
    known = torch.tensor([cell != 1 for cell in range(model.cells)])
    expected = model.log_evidence(x).logsumexp(dim=0)
    x[0, 1] = math.nan
    assert torch.allclose(model.log_evidence(x[:1], known), expected)
    if name in KNOWS_GAPS:  # the posterior given what is known is exact, too
        weights = model.trace(Batch(x[:1], known.expand(1, -1)), 9).log_weight
        assert torch.allclose(weights, expected.expand_as(weights))
    no_cell = torch.zeros_like(known)
    assert torch.allclose(model.log_evidence(x[:1], no_cell), torch.zeros(1).double(), atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_expected_bounds_grow_with_the_draws_up_to_the_evidence(name):
    model = MODELS[name](seed=1)
    batch = Batch(model.simulate(4).x)
    many = 64 if len(model.states) < 4 else 8
    with torch.no_grad():
        ladder = [model.expected(objective, batch).value for objective in (ELBO(), IWAE(4))]
        ladder += [model.expected(IWAE(many), batch).value, model.log_evidence(batch.x)]
        gap = ladder[-1] - ladder[0]
        log_q = model.joint(batch)[2]
        kl = (log_q.exp() * (log_q - model.log_posterior(batch.x))).sum(dim=0)
    assert torch.allclose(gap, kl)  # log p(x) - ELBO = KL(q(z|x) || p(z|x))
    for lower, upper in pairwise(ladder):
        assert bool((lower < upper).all())


@pytest.mark.parametrize("name", MODELS)
def test_an_expectation_over_multisets_is_that_over_all_draws(name):
    model = MODELS[name]()
    batch = Batch(model.simulate(2).x)
    joint = log_px, log_pz, log_q = model.joint(batch)
    log_w = log_px + log_pz - log_q
    total = torch.zeros(2, dtype=torch.float64)
    for draws in product(range(len(model.states)), repeat=3):
        chance = log_q[list(draws)].sum(dim=0).exp()
        total += chance * (log_w[list(draws)].logsumexp(dim=0) - math.log(3))
    assert torch.allclose(model.expected(IWAE(3), batch).value, total)
    index = torch.tensor([[[1, 0]]])
    assert torch.allclose(model._at(joint, index).log_weight[0], log_w[[1, 0], [0, 1]])


@pytest.mark.parametrize("name", MODELS)
def test_the_gradient_of_the_expected_bound_is_that_of_the_evidence(name):
    model = MODELS[name](exact=True)
    batch = Batch(model.simulate(5).x)
    for objective in (ELBO(), IWAE(3)):
        value = model.expected(objective, batch).value.sum()
        parameters = dict(model.named_parameters())
        check_equal_gradients(value, model.log_evidence(batch.x).sum(), parameters, "Fisher's for")
    wrong = MODELS[name](exact=False)
    value = wrong.expected(ELBO(), batch).value.sum()
    with pytest.raises(AssertionError, match="Fisher"):
        evidence = wrong.log_evidence(batch.x).sum()
        check_equal_gradients(value, evidence, dict(wrong.named_parameters()), "Fisher's for")


@pytest.mark.parametrize("name", MODELS)
def test_draws_follow_the_joint_law(name):
    model = MODELS[name]()
    joint = model.simulate(40_000)
    place = model.levels ** torch.arange(model.cells).flip(0)
    chance = model.log_evidence(model.support()).exp().detach()
    assert_frequencies((joint.x * place).sum(dim=-1), chance, resolves=0.025)
    expected = model.joint(Batch(model.support()[:1]))[1].exp().T @ model.states
    assert_mean(joint.z, expected[0].detach(), resolves=0.1)


@pytest.mark.parametrize("name", MODELS)
def test_traces_draw_from_the_encoder(name):
    model = MODELS[name]()
    batch = Batch(model.simulate(1).x)
    trace = model.trace(batch, 30_000)
    latent = trace.latents["z"]
    index = (latent.z.unsqueeze(-2) == model.states).all(dim=-1).long().argmax(dim=-1)
    q = model.joint(batch)[2].exp().detach().flatten()
    assert_frequencies(index.flatten(), q, resolves=0.03)
    assert torch.allclose(latent.q.log_prob(latent.z), trace.log_qz)


@pytest.mark.parametrize("name", MODELS)
def test_an_enumerable_model_climbs_the_ladder(name):
    model = MODELS[name](exact=False)
    check_model(model, Batch(model.simulate(5, seed=2).x.to(torch.uint8)))


@pytest.mark.parametrize("name", MODELS)
def test_ranks_under_the_exact_posterior_are_uniform_though_draws_tie(name):
    model = MODELS[name]()
    check_calibration(model, model.posterior, resolves=0.025)

    def wrong(x):
        exact = model.posterior(x)
        return OverStates(exact.states, (1.3 * exact.log_probabilities).log_softmax(dim=-1))

    with pytest.raises(AssertionError, match="ranks"):
        check_calibration(model, wrong, resolves=0.025)


def test_two_levels_make_a_categorical_mixture_a_bernoulli_one():
    bernoulli, categorical = BernoulliMixture(3, 4), CategoricalMixture(3, 4, levels=2)
    with torch.no_grad():
        categorical.prior_logits.copy_(bernoulli.prior_logits)
        logits = torch.stack([torch.zeros_like(bernoulli.cell_logits), bernoulli.cell_logits], -1)
        categorical.cell_logits.copy_(logits)
    x = every(2, 4)
    assert torch.allclose(bernoulli.log_evidence(x), categorical.log_evidence(x))


def test_a_mean_field_posterior_cannot_explain_away():
    # two causes of one effect: given the effect, a cause makes the other one less likely
    model = SigmoidBeliefNet((2,), 1, seed=0)
    with torch.no_grad():
        model.weights[0].copy_(torch.tensor([[6.0, 6.0]]))
        model.biases[0].fill_(-6.0)
        model.biases[1].fill_(-1.0)
    p = model.log_posterior(torch.ones(1, 1)).exp().flatten().detach()  # states 00, 01, 10, 11
    assert float(p[0] * p[3] - p[1] * p[2]) < -0.05  # independent units would give 0


def test_sums_and_tables_that_are_too_large_are_refused():
    model = SigmoidBeliefNet((4,), 3)
    with pytest.raises(SettingError, match="take fewer draws or states"):
        model.expected(IWAE(64), Batch(model.support()))
    with pytest.raises(SettingError, match="too large a table"):
        SigmoidBeliefNet((6,), 12, exact=True)
    with pytest.raises(SettingError, match="hidden layers with units"):
        SigmoidBeliefNet(())


def test_a_law_over_states_has_the_moments_of_its_draws():
    q = OverStates(every(2, 2), torch.tensor([[0.1, 0.2, 0.3, 0.4]], dtype=torch.float64).log())
    draws = q.sample((20_000,))
    assert_mean(draws, q.mean, resolves=0.05)
    assert_mean((draws - q.mean).square(), q.variance, resolves=0.05)
    assert q.log_prob(torch.full((1, 2), 0.5)).tolist() == [-math.inf]
