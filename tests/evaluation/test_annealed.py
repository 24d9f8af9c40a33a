"""Annealed importance sampling: unbiased in both directions, whatever the encoder."""

import math
import sys

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from lowerbound.data import Batch, Examples
from lowerbound.distributions import log_prob
from lowerbound.errors import DataError, SettingError
from lowerbound.evaluation import Annealing, annealed, evidence
from lowerbound.evaluation.annealed import ACCEPTANCE, FIRST_STEP, Annealed
from lowerbound.evaluation.hmc import Moved, hamiltonian
from lowerbound.evaluation.ladder import log_mean_variance
from lowerbound.seeding import seeded
from lowerbound.testing import BernoulliMixture, LinearGaussian, assert_mean

REFERENCE = LinearGaussian.random(2, 4)


def shifted(reference: LinearGaussian, by: float = 0.4) -> nn.Module:
    model = reference.vae()
    with torch.no_grad():
        model.posterior.network.layers[0].bias[: reference.latents] += by
    return model


def test_with_an_exact_encoder_every_way_weighs_the_evidence_in_both_directions():
    x = REFERENCE.simulate(5).x
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
    x = REFERENCE.simulate(1, seed=3).x.expand(2000, -1)
    truth = REFERENCE.posterior(x).sample() if reverse else None
    ways = Annealing(temperatures=4, chains=10, leapfrog=3)
    found = annealed(shifted(REFERENCE, 0.25), Examples(x), ways, truth=truth, seed=5)
    ratio = (found.log_weight - REFERENCE.log_evidence(x)).T
    if reverse:  # chains of one example share the exact draw they start from
        assert_mean((-ratio).exp().mean(dim=1), 1.0, resolves=0.15, name="p(x) / w")
    else:
        assert_mean(ratio.exp().flatten(), 1.0, resolves=0.1, name="w / p(x)")


def test_transitions_without_their_correction_bias_the_weights(monkeypatch):
    """With steps so long that a third of the proposals are refused, the check sees it."""
    module = sys.modules[annealed.__module__]
    monkeypatch.setattr(module, "FIRST_STEP", 1.4)
    x = REFERENCE.simulate(1, seed=3).x.expand(1500, -1)
    way = Annealing(temperatures=6, chains=10, leapfrog=3)

    def check() -> None:
        found = annealed(shifted(REFERENCE, 0.25), Examples(x), way, seed=5)
        assert 0.3 < float(found.acceptance.mean()) < 0.95
        ratio = (found.log_weight - REFERENCE.log_evidence(x)).exp().flatten()
        assert_mean(ratio, 1.0, resolves=0.2, name="w / p(x)")

    check()
    monkeypatch.setattr("lowerbound.evaluation.hmc.torch.rand_like", lambda x: x.new_zeros(x.shape))
    with pytest.raises(AssertionError, match=r"w / p\(x\) is"):
        check()


def test_more_temperatures_tighten_the_bound_beyond_plain_weighting():
    x = REFERENCE.simulate(100).x
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
    annealed(model, Examples(REFERENCE.simulate(2).x), Annealing(2, 2))
    assert [p.requires_grad for p in model.parameters()] == wanted
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)


def test_what_cannot_be_annealed_is_refused():
    x = Examples(REFERENCE.simulate(2).x)
    with pytest.raises(DataError, match="no examples"):
        annealed(REFERENCE.vae(), x.select(slice(0, 0)))
    for wrong in ({"temperatures": 0}, {"chains": 1}, {"leapfrog": 0}, {"chains": 2.5}):
        with pytest.raises(SettingError, match=next(iter(wrong))):
            Annealing(**wrong)


def test_an_example_beyond_numbers_is_named():
    x = REFERENCE.simulate(3).x.clone()
    x[1] = math.inf
    with pytest.raises(DataError, match="example 1"):
        annealed(REFERENCE.vae(), Examples(x), Annealing(2, 2))


class Walk:
    """A transition that moves every chain by a tenth and writes down what it was asked."""

    def __init__(self, acceptance: Tensor) -> None:
        self.acceptance, self.densities, self.starts = acceptance, [], []
        self.scales, self.steps, self.leaps = [], [], []

    def __call__(self, log_density, z, scale, step, leapfrog):
        self.densities.append(log_density(z).detach())
        self.starts.append(z)
        self.scales.append(scale.detach())
        self.steps.append(step.detach())
        self.leaps.append(leapfrog)
        return Moved(z + 0.1, self.acceptance.expand(z.shape[:2]))


def walk(monkeypatch, acceptance: float | list[float] = 0.8) -> Walk:
    made = Walk(torch.tensor(acceptance, dtype=torch.float64))
    monkeypatch.setattr(sys.modules[annealed.__module__], "hamiltonian", made)
    return made


def test_the_schedule_is_the_sigmoid_of_the_paper():
    def bend(t: float) -> float:  # Wu et al. (2017): sigmoid(4 (2t / T - 1)), from 0 to 1
        return 1 / (1 + math.exp(-4 * (2 * t - 1)))

    for steps in (1, 2, 5):
        expected = [(bend(t / steps) - bend(0)) / (bend(1) - bend(0)) for t in range(steps + 1)]
        weights = Annealing(steps).weights()
        assert weights.tolist() == pytest.approx(expected, abs=1e-15)
        assert weights.dtype == torch.float64


@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])
def test_the_weight_of_a_way_is_the_sum_of_its_ratios_by_hand(steps, reverse, monkeypatch):
    model, moved = shifted(REFERENCE), walk(monkeypatch, [0.9, 0.2, 0.65])
    joint = REFERENCE.simulate(3)
    batch, way = Batch(joint.x), Annealing(steps, 2, 3)
    truth = joint.z.float() if reverse else None  # as a file may hold it
    found = annealed(model, Examples(joint.x), way, truth=truth, seed=6)
    b = way.weights().tolist()
    accepted = torch.tensor([0.9, 0.2, 0.65], dtype=torch.float64)
    with torch.no_grad():
        q = model.posterior(joint.x)
        log_q = lambda z: log_prob(q, z)  # noqa: E731
        log_p = lambda z: sum(model.log_joint(batch, {"z": z}))  # noqa: E731
        with seeded(6, stream="annealing"):
            model.trace(batch, 1)
            pilots = q.sample((2,))
            z = truth.double().expand(2, 3, 2) if reverse else q.sample((2,))
        # the pilot run: every weight but the first, its step after each told by the acceptance
        expected, lengths = [], []
        for i, weight in enumerate(b[1:]):
            at = pilots + 0.1 * i
            expected.append((at, weight))
            lengths.append(math.log(0.3) + 0.1 * (i + 1) * (accepted - 0.65))
        asked = [(math.log(0.3) + 0 * accepted), *lengths[:-1]]
        # the way itself
        total, order = torch.zeros(2, 3).double(), list(range(steps))
        for i in reversed(order) if reverse else order:
            total += (b[i + 1] - b[i]) * (log_p(z) - log_q(z))
            last = i == 0 if reverse else i == steps - 1
            if not last:
                expected.append((z, b[i] if reverse else b[i + 1]))
                asked.append(lengths[i - 1] if reverse else lengths[i])
                z = z + 0.1
        assert len(moved.densities) == len(expected) == 2 * steps - 1
        for (at, weight), start, density in zip(
            expected, moved.starts, moved.densities, strict=True
        ):
            assert torch.allclose(start, at, rtol=1e-12)
            value = (1 - weight) * log_q(at) + weight * log_p(at)
            assert torch.allclose(density, value, rtol=1e-10)
        for step, length in zip(moved.steps, asked, strict=True):
            assert torch.allclose(step.log(), length, rtol=1e-10)
        assert all(torch.allclose(scale, q.variance.sqrt()) for scale in moved.scales)
    assert set(moved.leaps) == {3}
    assert torch.allclose(found.log_weight, total, rtol=1e-10)
    assert found.reverse is reverse
    share = accepted if steps > 1 else 0 * accepted  # one step has no transition
    assert torch.allclose(found.acceptance, share, rtol=1e-10)


@pytest.mark.parametrize(("acceptance", "last"), [(0.0, -10.0), (1.0, 1.0)])
def test_steps_neither_vanish_nor_leap_away(acceptance, last, monkeypatch):
    moved = walk(monkeypatch, acceptance)
    annealed(REFERENCE.vae(), Examples(REFERENCE.simulate(1).x), Annealing(200, 2, 1))
    lengths = [float(step.log()) for step in moved.steps[:200]]
    drift = 0.1 * (acceptance - ACCEPTANCE)
    expected = [math.log(FIRST_STEP) + drift * i for i in range(200)]
    expected = [min(max(length, -10.0), 1.0) for length in expected]
    assert lengths == pytest.approx(expected, abs=1e-9)
    assert lengths[-1] == pytest.approx(last)
    assert (ACCEPTANCE, FIRST_STEP) == (0.65, 0.3)


def test_one_latent_is_enough():
    reference = LinearGaussian.random(1, 2)
    x = reference.simulate(3).x
    found = annealed(reference.vae(), Examples(x), Annealing(3, 2))
    assert torch.allclose(found.bound, reference.log_evidence(x), rtol=1e-10)


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])
def test_ways_of_float32_models_are_weighed_in_float64(reverse, monkeypatch):
    moved, joint = walk(monkeypatch), REFERENCE.simulate(2)
    found = annealed(
        REFERENCE.vae().float(), Examples(joint.x.float()), Annealing(3, 2),
        truth=joint.z if reverse else None,
    )  # fmt: skip
    assert (found.log_weight.dtype, found.acceptance.dtype) == (torch.float64, torch.float64)
    assert {step.dtype for step in moved.steps} == {torch.float32}  # z stays what it is


def test_truths_stay_with_their_examples_in_whatever_chunks(monkeypatch):
    from lowerbound.evaluation import evidence as function

    monkeypatch.setattr(sys.modules[function.__module__], "EXAMPLES_AT_ONCE", 2)
    moved, joint = walk(monkeypatch), REFERENCE.simulate(5)
    annealed(REFERENCE.vae(), Examples(joint.x), Annealing(2, 3), truth=joint.z)
    starts = [z for z in moved.starts if len(z) == 3]  # a pilot has two chains
    assert [z.shape[1] for z in starts] == [2, 2, 1]
    assert torch.equal(torch.cat(starts, dim=1), joint.z.expand(3, 5, 2))


def test_no_gradient_is_kept_for_the_model_meanwhile(monkeypatch):
    model, wanted = shifted(REFERENCE), []
    model.likelihood.register_forward_hook(
        lambda m, i, o: wanted.append(any(p.requires_grad for p in model.parameters()))
    )
    annealed(model, Examples(REFERENCE.simulate(2).x), Annealing(2, 2))
    assert not any(wanted)
    assert wanted
    assert all(p.requires_grad for p in model.parameters())


def test_both_bounds_are_log_means_of_their_weights():
    weights = torch.tensor([[1.0, 2.0], [4.0, 2.0], [1.0, 5.0]], dtype=torch.float64)
    for reverse, means in ((False, [2.0, 3.0]), (True, [1 / 0.75, 1 / 0.4])):
        found = Annealed(weights.log(), reverse, torch.ones(2))
        assert found.bound.exp().tolist() == pytest.approx(means)
        sign = -1 if reverse else 1
        assert torch.equal(found.draw_variance, log_mean_variance(sign * weights.log()))
    assert not torch.allclose(
        Annealed(weights.log(), True, torch.ones(2)).draw_variance,
        Annealed(weights.log(), False, torch.ones(2)).draw_variance,
    )


def test_the_fewest_of_everything_are_one_two_and_one():
    assert Annealing(1, 2, 1).chains == 2
    for wrong, least in (({"temperatures": True}, 1), ({"chains": "2"}, 2), ({"leapfrog": 1.0}, 1)):
        ((name, value),) = wrong.items()
        with pytest.raises(SettingError) as refused:
            Annealing(**wrong)
        assert str(refused.value) == (
            f"{name} must be a whole number of at least {least}, got {value!r}"
        )


def test_a_refusal_to_anneal_says_what_to_do():
    with pytest.raises(SettingError) as refused:
        annealed(BernoulliMixture(), Examples(BernoulliMixture().simulate(2).x))
    assert str(refused.value) == (
        "annealing (ais) follows gradients with respect to z, and group 'z' of the latents is "
        "discrete; evaluate without it"
    )
    x = REFERENCE.simulate(4).x.clone()
    x[2:] = math.inf
    with pytest.raises(DataError, match=r"^example 2 has no finite weight"):
        annealed(REFERENCE.vae(), Examples(x), Annealing(2, 2))
