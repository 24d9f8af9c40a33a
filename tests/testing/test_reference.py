"""The reference models know their answers: against scipy, quadrature and sums."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from lowerbound.data import Batch
from lowerbound.testing import (
    BernoulliMixture,
    LinearGaussian,
    assert_frequencies,
    assert_mean,
    cubature,
    given_noise,
)


@pytest.mark.parametrize(("latents", "dimensions"), [(1, 1), (2, 5), (4, 3)])
def test_the_evidence_of_the_linear_gaussian_is_that_of_its_marginal(latents, dimensions):
    reference = LinearGaussian.random(latents, dimensions, seed=3)
    x = reference.simulate(7).x
    covariance = reference.weight @ reference.weight.T + 0.49 * torch.eye(dimensions).double()
    expected = multivariate_normal(reference.bias.numpy(), covariance.numpy()).logpdf(x.numpy())
    assert np.allclose(reference.log_evidence(x), expected, rtol=1e-12)


def test_the_posterior_of_the_linear_gaussian_is_the_conditional_of_the_joint():
    reference = LinearGaussian.random(2, 4)
    w, x = reference.weight.numpy(), reference.simulate(3).x
    marginal = w @ w.T + 0.49 * np.eye(4)
    gain = w.T @ np.linalg.inv(marginal)
    posterior = reference.posterior(x)
    assert np.allclose(posterior.mean, (x - reference.bias).numpy() @ gain.T)
    assert np.allclose(posterior.covariance_matrix[0], np.eye(2) - gain @ w)


def test_draws_of_the_linear_gaussian_have_its_moments():
    reference = LinearGaussian.random(2, 3)
    joint = reference.simulate(40_000)
    assert_mean(joint.x - reference.bias, 0.0, resolves=0.2)
    covariance = reference.weight @ reference.weight.T + 0.49 * torch.eye(3).double()
    centred = joint.x - reference.bias
    products = centred.unsqueeze(-1) * centred.unsqueeze(-2)
    assert_mean(products, covariance, resolves=0.8)
    assert_mean(centred.unsqueeze(-1) * joint.z.unsqueeze(-2), reference.weight, resolves=0.3)


@pytest.mark.parametrize("exact", [True, False])
def test_the_evidence_of_the_mixture_sums_to_one_over_all_data(exact):
    model = BernoulliMixture(cells=3, exact=exact)
    every = torch.tensor(np.indices((2, 2, 2)).reshape(3, -1).T.copy(), dtype=torch.float64)
    assert model.log_evidence(every).exp().sum().item() == pytest.approx(1.0, rel=1e-12)
    log_px, log_pz, log_q = model.joint(Batch(every))
    assert torch.allclose(log_q.exp().sum(dim=0), torch.ones(8).double())
    assert torch.allclose(log_px.exp().sum(dim=1), torch.ones(3).double())
    assert log_pz.exp().sum().item() == pytest.approx(1.0)
    assert torch.allclose(model.log_posterior(every), log_q) == exact


def test_the_trace_of_the_mixture_draws_from_its_posterior():
    model = BernoulliMixture()
    batch = Batch(torch.ones(1, 4, dtype=torch.float64))
    trace = model.trace(batch, 30_000)
    q = model.joint(batch)[2].exp().flatten().detach()
    z = trace.latents["z"].z
    assert_frequencies(z.flatten(), q, resolves=0.03)
    values = {state: model.joint(batch)[0][state, 0] for state in range(3)}
    for state, value in values.items():
        assert bool((trace.log_px[z[..., 0] == state] == value).all())


def test_unobserved_cells_of_the_mixture_are_summed_out():
    model = BernoulliMixture(cells=3)
    x = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 1.0]], dtype=torch.float64)
    known = torch.tensor([[True, True, False]])
    log_px, log_pz, _ = model.joint(Batch(x[:1], known))
    expected = torch.logaddexp(*model.log_evidence(x))
    assert torch.allclose((log_px + log_pz).logsumexp(dim=0), expected)


@pytest.mark.parametrize("latents", [1, 2, 5])
def test_cubature_has_the_moments_of_the_standard_normal(latents):
    points = cubature(latents).squeeze(1)
    assert torch.allclose(points.mean(dim=0), torch.zeros(latents).double())
    assert torch.allclose(points.T @ points / len(points), torch.eye(latents).double())


def test_given_noise_is_used_and_then_given_back():
    q = torch.distributions.Normal(torch.ones(2), torch.full((2,), 3.0))
    full = torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))
    noise = torch.tensor([[1.0, -1.0]])
    with given_noise(noise):
        assert q.rsample((1,)).tolist() == [[4.0, -2.0]]
        assert full.rsample((1,)).tolist() == [[1.0, -1.0]]
    assert q.rsample((1,)).tolist() != [[4.0, -2.0]]
