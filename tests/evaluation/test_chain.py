"""Every figure of an evaluation of two groups of latents, against closed forms."""

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from lowerbound.data import Examples
from lowerbound.errors import SettingError
from lowerbound.evaluation import Annealing, annealed, evaluate, evidence, gaps, information
from lowerbound.evaluation.sandwich import sandwich, simulated
from lowerbound.testing import (
    BernoulliMixture,
    LinearGaussianChain,
    assert_mean,
    cubature,
    given_noise,
)

EXACT = LinearGaussianChain((3, 2), 4)


def loosened(shift: float = 0.2, wider: float = 0.1) -> LinearGaussianChain:
    """The same p, and a q of both groups that lies beside the posterior and is wider."""
    model = LinearGaussianChain((3, 2), 4)
    with torch.no_grad():
        for offset, factor in zip(model.offsets, model.factors, strict=True):
            offset += shift
            factor.diagonal().add_(wider)
    return model


LOOSE = loosened()


def prior() -> MultivariateNormal:
    """p(z1, z2)."""
    mean, covariance = EXACT._moments()
    return MultivariateNormal(mean[4:].detach(), covariance[4:, 4:].detach())


@pytest.mark.parametrize("model", [EXACT, LOOSE], ids=["exact", "loose"])
def test_bound_rate_and_distortion_are_the_closed_forms(model):
    x = EXACT.simulate(5).x
    with given_noise(cubature(5)), torch.no_grad():  # 10 draws under which they are exact
        found = evidence(model, Examples(x), 10)
        q, log_px = model.approximate(x), model.log_evidence(x)
        posterior = model.posterior(x)
    rate = kl_divergence(q, prior())
    assert torch.allclose(found.elbo, log_px - kl_divergence(q, posterior))
    assert torch.allclose(found.rate, rate)
    assert torch.allclose(found.distortion, -found.elbo - rate)
    assert torch.allclose(found.means, torch.cat([q.mean[:, 3:], q.mean[:, :3]], dim=1))
    if model is EXACT:
        assert torch.allclose(found.log_likelihood, log_px)
    assert found.unit_rate is None  # these q correlate the units of a group


def test_a_loose_posterior_climbs_to_the_evidence_with_more_draws():
    x = EXACT.simulate(200).x
    found = evidence(LOOSE, Examples(x), 1000)
    with torch.no_grad():
        gap = [float((LOOSE.log_evidence(x) - found.ladder[k]).mean()) for k in (1, 10, 1000)]
        expected = kl_divergence(LOOSE.approximate(x), LOOSE.posterior(x))
    assert gap[0] == pytest.approx(float(expected.mean()), abs=0.05)
    assert gap[0] > gap[1] > gap[2] > -0.01
    assert gap[2] < 0.02


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])
def test_annealing_moves_both_groups_at_once(reverse):
    x = EXACT.simulate(4).x
    with torch.no_grad():
        z = EXACT.posterior(x).sample()
        log_px = EXACT.log_evidence(x)
    truth = torch.cat([z[:, 3:], z[:, :3]], dim=1) if reverse else None
    found = annealed(EXACT, Examples(x), Annealing(3, 4), truth=truth)
    assert torch.allclose(found.log_weight, log_px.expand(4, 4), rtol=1e-9)
    # and without bias where q is another law
    x = EXACT.simulate(1, seed=3).x.expand(1000, -1)
    with torch.no_grad():
        log_px = LOOSE.log_evidence(x)
        z = LOOSE.posterior(x).sample()
    truth = torch.cat([z[:, 3:], z[:, :3]], dim=1) if reverse else None
    found = annealed(loosened(0.1), Examples(x), Annealing(4, 10, 3), truth=truth, seed=5)
    ratio = (found.log_weight - log_px).T
    assert float(ratio.std()) > 0.01
    assert 0.3 < float(found.acceptance.mean()) < 0.999
    weights = (-ratio).exp().mean(dim=1) if reverse else ratio.exp().flatten()
    assert_mean(weights, 1.0, resolves=0.15)


@pytest.mark.parametrize("group", [0, 1], ids=["top", "below"])
def test_the_search_moves_the_q_of_each_group(group):
    model = LinearGaussianChain((3, 2), 4)
    shift = torch.full((model.offsets[group].numel(),), 0.5, dtype=torch.float64)
    with torch.no_grad():
        model.offsets[group] += shift
        factor = model.factors[group]
        lower = factor.tril(-1) + factor.diagonal().exp().diag()
        # KL of a Gaussian from itself, shifted; the other group is as it should be
        whitened = torch.linalg.solve_triangular(lower, shift[:, None], upper=False)
        kl = 0.5 * float(whitened.square().sum())
    x = model.simulate(30).x
    found = gaps(model, Examples(x), updates=100, samples=48)
    assert kl > 0.2
    assert found.amortisation.mean == pytest.approx(kl, abs=0.12)
    assert found.approximation.mean == pytest.approx(0.0, abs=0.05)
    exact = model.log_evidence(x).mean().item()
    assert found.log_likelihood.mean == pytest.approx(exact, abs=0.05)


def shared(places: slice) -> float:
    """I(x; z) of some cells of (x, z1, z2), nats."""
    with torch.no_grad():
        _, covariance = EXACT._moments()
    z = list(range(*places.indices(9)))
    x, both = list(range(4)), [*range(4), *z]
    logdet = [torch.logdet(covariance[part][:, part]) for part in (x, z, both)]
    return 0.5 * float(logdet[0] + logdet[1] - logdet[2])


def test_what_each_group_and_those_above_tell_lies_between_its_estimates():
    found = information(EXACT, Examples(EXACT.simulate(500).x))
    truths = {"z2": shared(slice(7, 9)), "z1": shared(slice(4, 9))}
    assert list(found.groups) == ["z2", "z1"]
    assert found.groups["z1"].mutual_information == found.mutual_information
    for name, truth in truths.items():
        one = found.groups[name]
        low, high = one.mutual_information.lower, one.mutual_information.upper
        assert low.mean - 4.9 * low.standard_error < truth < high.mean + 4.9 * high.standard_error
        assert high.mean - low.mean < 0.5
        apart = one.mismatch  # q(z) = p(z)
        assert apart.lower.mean >= 0.0
        assert apart.upper.mean < 0.5
    rates = {name: one.rate for name, one in found.groups.items()}
    alone = {"z2": truths["z2"], "z1": truths["z1"] - truths["z2"]}
    for name, truth in alone.items():
        error = 4.9 * rates[name].standard_error
        assert rates[name].mean - error < truth < rates[name].mean + error
        assert error < 0.5


def test_the_truth_of_simulated_examples_lies_between_both_bounds():
    z, x = simulated(LOOSE, 40, seed=2)
    found = sandwich(LOOSE, 40, Annealing(10, 8), joint=(z, x), samples=50)
    truth = LOOSE.log_evidence(x).mean().item()
    low, high = found.interval
    assert low <= truth <= high
    assert found.gap < 0.2
    assert found.importance_weighted.mean == pytest.approx(truth, abs=0.1)


def test_an_evaluation_of_two_groups_has_every_part():
    x = EXACT.simulate(30).x
    found = evaluate(LOOSE, x, samples=30, ais=3, gaps=2, simulated=3, annealing=Annealing(3, 2, 1))
    truth = LOOSE.log_evidence(x).mean().item()
    assert found.latents == 5
    assert found.log_likelihood.mean == pytest.approx(truth, abs=0.2)
    assert set(found.information.groups) == {"z2", "z1"}
    for part in (found.tightened, found.gaps, found.simulated):
        assert part is not None
    assert found.to_json()["information"]["groups"]["z2"]["rate"]["unit"] == "nats per example"


def test_the_use_that_codes_do_not_have_is_named():
    model = BernoulliMixture()
    x = model.simulate(10).x
    assert evaluate(model, x, samples=3).information is not None
    with pytest.raises(SettingError, match=r"annealing \(ais\) .* group 'z' .* discrete"):
        evaluate(model, x, samples=3, ais=2)
    with pytest.raises(SettingError, match="group 'z' of the latents: no search"):
        evaluate(model, x, samples=3, gaps=2)


def test_a_bottom_up_chain_has_its_bounds_and_says_why_it_has_no_more():
    model = LinearGaussianChain((3, 2), 4, order="bottom-up")
    x = model.simulate(5).x
    found = evidence(model, Examples(x), 3)
    assert torch.allclose(found.log_likelihood, model.log_evidence(x))
    with torch.no_grad():
        q = model.posterior(x)
    assert torch.allclose(found.means, torch.cat([q.mean[:, 3:], q.mean[:, :3]], dim=1))
    with pytest.raises(SettingError, match="bottom-up"):
        information(model, Examples(x))
    with pytest.raises(SettingError, match="bottom-up"):
        annealed(model, Examples(x), Annealing(2, 2))
    with pytest.raises(SettingError, match="bottom-up"):
        gaps(model, Examples(x))
