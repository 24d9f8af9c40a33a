"""Annealed importance sampling: unbiased in both directions, whatever the encoder."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal

from lowerbound.data import Examples
from lowerbound.errors import DataError, SettingError
from lowerbound.evaluation import Annealing, annealed, evidence
from lowerbound.evaluation.hmc import hamiltonian
from lowerbound.testing import LinearGaussian, assert_mean
from lowerbound.trace import Trace

REFERENCE = LinearGaussian.random(2, 4)


def shifted(reference: LinearGaussian, by: float = 0.4) -> nn.Module:
    model = reference.vae()
    with torch.no_grad():
        model.posterior.network.layers[0].bias[: reference.latents] += by
    return model


def test_with_an_exact_encoder_every_way_weighs_the_evidence_in_both_directions():
    x = REFERENCE.sample(5).x
    exact, z = REFERENCE.log_evidence(x), REFERENCE.posterior(x).sample()
    few = Annealing(temperatures=3, chains=4)
    for truth in (None, z):
        found = annealed(REFERENCE.vae(), Examples(x), few, truth=truth)
        assert torch.allclose(found.log_weight, exact.expand(4, 5), rtol=1e-10)
        assert torch.allclose(found.bound, exact, rtol=1e-10)
        assert float(found.draw_variance.max()) < 1e-12


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])
def test_weights_are_unbiased_for_the_evidence_and_its_inverse(reverse):
    # E[w] = p(x) forward, E[1/w] = 1/p(x) backward; a tenth of it would be seen
    x = REFERENCE.sample(1, seed=3).x.expand(2000, -1)
    truth = REFERENCE.posterior(x).sample() if reverse else None
    ways = Annealing(temperatures=4, chains=10, leapfrog=3)
    found = annealed(shifted(REFERENCE, 0.25), Examples(x), ways, truth=truth, seed=5)
    ratio = (found.log_weight - REFERENCE.log_evidence(x)).T
    if reverse:  # chains of one example share the exact draw they start from
        assert_mean((-ratio).exp().mean(dim=1), 1.0, resolves=0.15, name="p(x) / w")
    else:
        assert_mean(ratio.exp().flatten(), 1.0, resolves=0.1, name="w / p(x)")


def test_transitions_without_their_correction_bias_the_weights(monkeypatch):
    """The check above sees this error, which a step too long makes large."""
    import lowerbound.evaluation.hmc as module

    monkeypatch.setattr(module.torch, "rand_like", lambda x: torch.full_like(x, 1e-300))
    x = REFERENCE.sample(1, seed=3).x.expand(400, -1)
    way = Annealing(temperatures=8, chains=25, leapfrog=3)
    monkeypatch.setattr("lowerbound.evaluation.annealed.FIRST_STEP", 1.6, raising=False)
    monkeypatch.setattr("lowerbound.evaluation.annealed.ACCEPTANCE", 0.0, raising=False)
    found = annealed(shifted(REFERENCE), Examples(x), way, seed=5)
    ratio = (found.log_weight - REFERENCE.log_evidence(x)).exp().flatten()
    with pytest.raises(AssertionError):
        assert_mean(ratio, 1.0, resolves=0.1, name="w / p(x)")


def test_more_temperatures_tighten_the_bound_beyond_plain_weighting():
    x = REFERENCE.sample(100).x
    exact, model = REFERENCE.log_evidence(x), shifted(REFERENCE, 0.8)
    gap = [
        float((exact - annealed(model, Examples(x), Annealing(t, 4)).bound).mean())
        for t in (1, 8, 40)
    ]
    assert gap[0] > gap[1] > gap[2] > -0.05
    plain = evidence(model, Examples(x), 4).log_likelihood
    assert gap[2] < float((exact - plain).mean())


def test_a_transition_leaves_its_law_unchanged():
    covariance = torch.tensor([[1.0, 0.6], [0.6, 2.0]], dtype=torch.float64)
    law = MultivariateNormal(torch.tensor([1.0, -1.0]).double(), covariance)
    z = law.sample((20_000, 1))
    scale = covariance.diagonal().sqrt().unsqueeze(0)
    step = torch.tensor([1.1], dtype=torch.float64)
    moved = hamiltonian(law.log_prob, z, scale, step, 3)
    assert 0.3 < float(moved.acceptance.mean()) < 0.95  # the correction has work to do
    assert_mean(moved.z[:, 0], law.mean, resolves=0.1)
    outer = moved.z[:, 0] - law.mean
    products = outer.unsqueeze(-1) * outer.unsqueeze(-2)
    assert_mean(products, covariance, resolves=0.2)
    assert not torch.equal(moved.z, z)


def test_the_way_begins_at_0_and_ends_at_1_in_growing_then_shrinking_steps():
    weights = Annealing(10).weights()
    assert (float(weights[0]), float(weights[-1]), len(weights)) == (0.0, 1.0, 11)
    steps = weights.diff()
    assert bool((steps > 0).all())
    assert torch.allclose(steps, steps.flip(0))
    assert int(steps.argmax()) in (4, 5)


def test_the_model_is_left_as_it_was():
    model = shifted(REFERENCE).train()
    next(model.parameters()).requires_grad_(False)
    wanted = [p.requires_grad for p in model.parameters()]
    state = torch.get_rng_state()
    annealed(model, Examples(REFERENCE.sample(2).x), Annealing(2, 2))
    assert [p.requires_grad for p in model.parameters()] == wanted
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)


def test_what_cannot_be_annealed_is_refused():
    class OnlyTraces(nn.Module):
        def trace(self, batch, samples=1, gradient="total") -> Trace: ...

    x = Examples(REFERENCE.sample(2).x)
    with pytest.raises(SettingError, match="OnlyTraces has no log_joint"):
        annealed(OnlyTraces(), x)
    with pytest.raises(DataError, match="no examples"):
        annealed(REFERENCE.vae(), x.select(slice(0, 0)))
    for wrong in ({"temperatures": 0}, {"chains": 1}, {"leapfrog": 0}, {"chains": 2.5}):
        with pytest.raises(SettingError, match=next(iter(wrong))):
            Annealing(**wrong)


def test_an_example_beyond_numbers_is_named():
    x = REFERENCE.sample(3).x.clone()
    x[1] = math.inf
    with pytest.raises(DataError, match="example 1"):
        annealed(REFERENCE.vae(), Examples(x), Annealing(2, 2))
