"""Continuous reference models: against scipy, quadrature and finite differences."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import beta, betabinom, multivariate_normal

from lowerbound.data import Batch
from lowerbound.errors import SettingError
from lowerbound.objectives import ELBO, IWAE
from lowerbound.testing import (
    BetaBernoulli,
    LinearGaussian,
    LinearGaussianChain,
    Reference,
    assert_close_gradient,
    assert_mean,
    check_calibration,
    check_close,
    check_known_answer,
    check_model,
    cubature,
    given_noise,
)
from lowerbound.testing.bounds import check_bounds
from lowerbound.testing.references.enumerable import every

CHAINS = {
    "top-down": lambda **k: LinearGaussianChain((3, 2), 4, **k),
    "bottom-up": lambda **k: LinearGaussianChain((3, 2), 4, order="bottom-up", **k),
    "three groups": lambda **k: LinearGaussianChain((2, 1, 3), 2, **k),
    "three groups bottom-up": lambda **k: LinearGaussianChain((2, 1, 3), 2, order="bottom-up", **k),
}
MODELS = {**CHAINS, "beta-Bernoulli": lambda **k: BetaBernoulli(2, 5, **k)}


def covariance_of(model: LinearGaussianChain) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of x, group by group from the top."""
    mean, covariance = np.zeros(model.sizes[-1]), np.eye(model.sizes[-1])
    for weight, bias, log_scale in reversed(
        list(zip(model.weights, model.biases, model.log_scales, strict=True))
    ):
        w, noise = weight.detach().numpy(), math.exp(2 * float(log_scale.detach()))
        mean = w @ mean + bias.detach().numpy()
        covariance = w @ covariance @ w.T + noise * np.eye(len(w))
    return mean, covariance


@pytest.mark.parametrize("name", CHAINS)
def test_the_evidence_of_a_chain_is_its_marginal_gaussian(name):
    model = CHAINS[name](seed=2)
    x = model.simulate(6).x
    expected = multivariate_normal(*covariance_of(model)).logpdf(x.numpy())
    assert np.allclose(model.log_evidence(x).detach(), expected, rtol=1e-12)


def test_the_evidence_of_a_beta_bernoulli_model_is_that_of_quadrature_and_of_scipy():
    model = BetaBernoulli(units=1, repeats=4)
    a, b = model.factors.prior.log_concentrations.exp().flatten().tolist()
    for x in (torch.tensor([[[1.0, 1.0, 0.0, 1.0]]]), torch.zeros(1, 1, 4)):
        s = int(x.sum())
        integral, _ = quad(lambda z, s=s: beta.pdf(z, a, b) * z**s * (1 - z) ** (4 - s), 0, 1)
        value = math.exp(float(model.log_evidence(x).detach()))
        assert value == pytest.approx(integral, rel=1e-9)
        assert value == pytest.approx(betabinom.pmf(s, 4, a, b) / math.comb(4, s), rel=1e-9)


def test_the_evidence_of_a_beta_bernoulli_model_sums_to_one_over_all_data():
    model = BetaBernoulli(units=2, repeats=3)
    x = every(2, 6).reshape(-1, 2, 3)
    assert float(model.log_evidence(x).detach().exp().sum()) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_the_exact_posterior_makes_every_draw_the_evidence(name):
    model = MODELS[name]()
    assert isinstance(model, Reference)
    check_known_answer(model, model)
    wrong = MODELS[name](exact=False)
    with pytest.raises(AssertionError, match="it should be"):
        check_known_answer(model, wrong)


@pytest.mark.parametrize(("latents", "dimensions"), [(1, 4), (4, 4), (6, 3)])
def test_any_number_of_latents_makes_every_draw_the_evidence(latents, dimensions):
    reference = LinearGaussian.random(latents, dimensions)
    check_known_answer(reference, reference.vae())


def test_unobserved_cells_of_a_gaussian_are_integrated_out():
    known = torch.tensor([[True, False, True, True], [False, True, False, True], [False] * 4])
    for model in (CHAINS["top-down"](), LinearGaussian.random(2, 4)):
        x = model.simulate(3).x
        if isinstance(model, LinearGaussian):
            w = model.weight.numpy()
            mean, covariance = model.bias.numpy(), w @ w.T + 0.49 * np.eye(4)
        else:
            mean, covariance = covariance_of(model)
        expected = [
            multivariate_normal(mean[k], covariance[np.ix_(k, k)]).logpdf(row[k]) if k.any() else 0
            for row, k in zip(x.numpy(), known.numpy(), strict=True)
        ]
        junk = torch.where(known, x, math.nan)
        assert np.allclose(model.log_evidence(junk, known).detach(), expected)


def test_unobserved_cells_of_a_beta_bernoulli_model_are_summed_out():
    model = BetaBernoulli(1, 3)
    x = torch.tensor([[[1.0, 0.0, 0.0]], [[1.0, 0.0, 1.0]]])
    expected = model.log_evidence(x).logsumexp(dim=0)
    gap = torch.tensor([[[1.0, 0.0, math.nan]]])
    known = torch.tensor([True, True, False])
    assert torch.allclose(model.log_evidence(gap, known), expected)


@pytest.mark.parametrize("name", MODELS)
def test_weights_estimate_the_evidence_of_what_was_observed(name):
    model = MODELS[name]()  # the encoder takes a gap for 0: it is not exact there
    x = model.simulate(2).x
    known = torch.ones_like(x, dtype=torch.bool)
    known[0].flatten()[0] = False
    with torch.no_grad():
        evidence = model.log_evidence(x, known)
        weights = (model.trace(Batch(x, known), 20_000).log_weight - evidence).exp()
    resolves = 0.1 + 9 * weights.std(dim=0) / 20_000**0.5
    assert_mean(weights, 1.0, resolves=resolves)
    assert float(weights[:, 0].std()) > 1e-3


@pytest.mark.parametrize("name", MODELS)
def test_bounds_of_an_inexact_posterior_grow_up_to_the_evidence(name):
    model = MODELS[name](exact=False)
    check_bounds(model, Batch(model.simulate(3).x))
    with torch.no_grad():
        x = model.simulate(3).x
        elbo = model.trace(Batch(x), 4000).log_weight.mean(dim=0)
    assert bool((elbo < model.log_evidence(x) - 0.002).all())  # so that there was a gap to see


@pytest.mark.parametrize("name", MODELS)
def test_a_continuous_reference_climbs_the_ladder(name):
    model = MODELS[name](exact=False)
    x = model.simulate(5).x
    check_model(model, Batch(x.to(torch.uint8) if name == "beta-Bernoulli" else x))


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("analytic", [False, True])
def test_the_gradient_of_a_chains_bound_is_that_of_its_evidence(name, analytic):
    model = CHAINS[name]()
    x, size = model.simulate(5).x, sum(model.sizes)
    with given_noise(cubature(size)):
        value = ELBO(2 * size, analytic)(model, Batch(x)).value.sum()
    parameters = list(model.parameters())
    got = torch.autograd.grad(value, parameters)
    should = torch.autograd.grad(model.log_evidence(x).sum(), parameters, allow_unused=True)
    for one, other in zip(got, should, strict=True):
        check_close(one, torch.zeros_like(one) if other is None else other, "a gradient", 1e-8)


def test_the_gradient_of_a_beta_bernoulli_bound_is_that_of_its_evidence():
    model = BetaBernoulli(2, 5)
    batch = Batch(model.simulate(3).x)
    parameters = list(model.parameters())
    evidence = model.log_evidence(batch.x).sum()
    should = torch.autograd.grad(evidence, parameters, allow_unused=True)
    for objective in (ELBO(64), ELBO(64, analytic=False), IWAE(64)):
        draws = []
        for _ in range(60):
            value = objective(model, batch).value.sum()
            draws.append(torch.autograd.grad(value, parameters))
        for got, expected in zip(zip(*draws, strict=True), should, strict=True):
            assert_mean(torch.stack(got), 0.0 if expected is None else expected, resolves=0.3)


class Evidence(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model.log_evidence(x)


GENERATIVE = [
    ("three groups", "weights.1"),
    ("three groups", "biases.0"),
    ("three groups", "log_scales.2"),
    ("beta-Bernoulli", "factors.prior.log_concentrations"),
]


@pytest.mark.parametrize(("name", "key"), GENERATIVE)
def test_the_evidence_has_the_gradient_of_its_differences(name, key):
    model = MODELS[name]()
    x, evidence = model.simulate(2).x, Evidence(model)
    assert_close_gradient(
        lambda value: torch.func.functional_call(evidence, {f"model.{key}": value}, x),
        [model.get_parameter(key).detach()],
    )


def test_the_groups_of_a_chain_have_closed_rates_top_down_and_none_bottom_up():
    batch = Batch(CHAINS["top-down"]().simulate(3).x)
    trace = CHAINS["top-down"](exact=False).trace(batch, 6)
    assert {key: tuple(kl.shape) for key, kl in trace.kl.items()} == {
        "z2": (1, 3, 1),  # no group is above it
        "z1": (6, 3, 1),
    }
    assert CHAINS["bottom-up"]().trace(batch).kl == {}


@pytest.mark.parametrize("name", CHAINS)
def test_the_joint_of_a_chains_encoder_has_the_density_of_its_draws(name):
    model = CHAINS[name](exact=False)
    x = model.simulate(3).x
    trace = model.trace(Batch(x), 5)
    z = torch.cat([trace.latents[name].z for name in reversed(model.latents)], dim=-1)
    assert torch.allclose(model.approximate(x).log_prob(z), trace.log_qz)
    exact = CHAINS[name]()
    assert torch.allclose(exact.approximate(x).mean, exact.posterior(x).mean)
    one, other = (law.covariance_matrix for law in (exact.approximate(x), exact.posterior(x)))
    assert torch.allclose(one, other)


@pytest.mark.parametrize("name", MODELS)
def test_path_gradients_vanish_at_the_exact_posterior(name):
    model = MODELS[name]()
    encoder = [
        p
        for key, p in model.named_parameters()
        if key.startswith(("gains", "offsets", "factors.0", "factors.1", "factors.posterior"))
    ]
    value = ELBO(2, False, "path")(model, Batch(model.simulate(3).x)).value.sum()
    for gradient in torch.autograd.grad(value, encoder):
        assert torch.allclose(gradient, torch.zeros_like(gradient), atol=1e-7)


@pytest.mark.parametrize("name", ["top-down", "bottom-up", "beta-Bernoulli"])
def test_ranks_are_uniform_under_the_exact_posterior_and_not_under_a_wrong_one(name):
    model, wrong = MODELS[name](), MODELS[name](exact=False)
    check_calibration(model, model.posterior)
    encoder = wrong.approximate if name != "beta-Bernoulli" else wrong.factors.posterior
    with pytest.raises(AssertionError, match="ranks"):
        check_calibration(model, encoder)


def test_draws_of_a_chain_have_its_moments():
    model = CHAINS["three groups"]()
    joint = model.simulate(40_000)
    mean, covariance = (torch.as_tensor(part) for part in covariance_of(model))
    spread = covariance.diagonal().sqrt()
    centred = (joint.x - mean) / spread
    assert_mean(centred, 0.0, resolves=0.1)
    products = centred.unsqueeze(-1) * centred.unsqueeze(-2)
    assert_mean(products, covariance / (spread * spread.unsqueeze(-1)), resolves=0.15)


def test_impossible_references_are_refused():
    with pytest.raises(SettingError, match="at least two groups"):
        LinearGaussianChain((3,))
    with pytest.raises(SettingError, match="top-down"):
        LinearGaussianChain((3, 2), order="sideways")
    with pytest.raises(SettingError, match="samples must be at least 1"):
        LinearGaussianChain().trace(Batch(torch.zeros(2, 4)), 0)
    with pytest.raises(SettingError, match="units and repeats"):
        BetaBernoulli(0, 3)
