"""Priors against scipy, and what a mixture of posteriors is made of."""

import numpy as np
import pytest
import torch
from scipy import stats

from lowerbound.data import Batch
from lowerbound.errors import SettingError
from lowerbound.likelihoods import Bernoulli, Fields
from lowerbound.models import VAE
from lowerbound.networks import MLP
from lowerbound.objectives import ELBO
from lowerbound.posteriors import DiagonalGaussian, FullGaussian
from lowerbound.priors import Mixture, StandardNormal, VampPrior
from lowerbound.testing import assert_close_gradient, assert_mean


@pytest.mark.parametrize("latents", [1, 2, 7])
def test_the_standard_normal_is_scipys(latents):
    z = torch.randn(5, latents, dtype=torch.float64) * 3
    p = StandardNormal(latents).double()()
    expected = stats.multivariate_normal(np.zeros(latents), np.eye(latents)).logpdf(z.numpy())
    assert np.allclose(p.log_prob(z), expected, rtol=1e-12)


def test_its_score_is_minus_z():
    z = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    (score,) = torch.autograd.grad(StandardNormal(3).double()().log_prob(z).sum(), z)
    assert torch.allclose(score, -z)


def test_its_draws_are_centred_with_unit_covariance():
    z = StandardNormal(3)().sample(torch.Size([40_000]))
    assert_mean(z, 0.0, resolves=0.05)
    assert_mean(z.unsqueeze(-1) * z.unsqueeze(-2), torch.eye(3), resolves=0.08)


def test_a_point_that_is_nan_has_a_density_of_nan():
    # training reports it with a remedy: an error of torch from inside the prior would hide that
    assert bool(StandardNormal(2)().log_prob(torch.tensor([0.0, float("nan")])).isnan())


def test_it_holds_nothing_that_is_saved():
    prior = StandardNormal(3)
    assert not prior.state_dict()
    assert "latents=3" in repr(prior)


@pytest.mark.parametrize("latents", [0, -1, 2.0, True])
def test_an_impossible_number_of_latents_is_refused(latents):
    with pytest.raises(SettingError, match="at least 1"):
        StandardNormal(latents)


# --- mixtures


def test_a_mixture_is_scipys():
    prior = Mixture(2, components=3).double()
    with torch.no_grad():
        prior.log_weights.copy_(torch.tensor([0.3, -1.0, 2.0]))
        prior.log_scales.copy_(torch.randn(3, 2) * 0.3)
    z = torch.randn(6, 2, dtype=torch.float64) * 2
    weights = torch.softmax(prior.log_weights, 0).detach().numpy()
    each = [
        stats.multivariate_normal(m, np.diag(np.exp(2 * s))).pdf(z.numpy())
        for m, s in zip(
            prior.means.detach().numpy(), prior.log_scales.detach().numpy(), strict=True
        )
    ]
    assert np.allclose(prior().log_prob(z).exp().detach(), weights @ np.array(each), rtol=1e-10)


def test_a_mixture_of_one_unit_gaussian_is_the_standard_normal():
    prior = Mixture(3, components=1).double()
    with torch.no_grad():
        prior.means.zero_()
    z = torch.randn(5, 3, dtype=torch.float64)
    assert torch.allclose(prior().log_prob(z), StandardNormal(3).double()().log_prob(z))


def vamp(posterior=DiagonalGaussian, components=4) -> VampPrior:
    q = posterior(MLP((3,), posterior.parameters_shape(2), (5,)))
    return VampPrior(q, (3,), components).double()


@pytest.mark.parametrize("posterior", [DiagonalGaussian, FullGaussian])
def test_a_vamp_prior_is_the_mean_of_the_posteriors_of_its_pseudo_inputs(posterior):
    prior = vamp(posterior)
    z = torch.randn(6, 2, dtype=torch.float64)
    q = prior.posterior(prior.pseudo_inputs)
    each = torch.stack([q.log_prob(one) for one in z])  # (6, components)
    assert torch.allclose(prior().log_prob(z), each.logsumexp(1) - np.log(4), rtol=1e-12)


def test_a_vamp_prior_teaches_its_pseudo_inputs_and_the_posterior():
    prior = vamp()
    z = torch.randn(6, 2, dtype=torch.float64)
    inputs = prior.pseudo_inputs.detach()

    def value(inputs):
        return torch.func.functional_call(prior, {"pseudo_inputs": inputs}, ()).log_prob(z)

    assert_close_gradient(value, [inputs])
    gradients = torch.autograd.grad(prior().log_prob(z).sum(), list(prior.parameters()))
    assert all(bool((gradient != 0).any()) for gradient in gradients)


def test_the_best_vamp_prior_is_the_aggregate_posterior():
    # with every example for a pseudo-input p(z) is the mean of q(z|x) over the data: no other
    # prior makes the mean rate smaller, and that rate is at most log N
    x = (torch.rand(6, 3) < 0.5).double()
    prior = vamp(components=6)
    with torch.no_grad():
        prior.pseudo_inputs.copy_(x)
        prior.posterior.network.linear[-1].weight.mul_(8.0)
    decoder = Fields(MLP((2,), (1, 3), (4,)), Bernoulli()).double()
    rates = {}
    for name, p in (("vamp", prior), ("normal", StandardNormal(2).double())):
        bound = ELBO(4000)(VAE(p, prior.posterior, decoder), Batch(x))
        rates[name] = bound.rate.mean().item()
    assert 0.1 < rates["vamp"] < min(np.log(6) + 1e-9, rates["normal"])


@pytest.mark.parametrize("components", [0, -1, 70_000])
def test_an_impossible_number_of_components_is_refused(components):
    for build in (lambda: Mixture(2, components), lambda: vamp(components=components)):
        with pytest.raises(SettingError, match="components must be from 1 to 65536"):
            build()


def test_mixtures_say_how_large_they_are():
    assert "latents=2, components=3" in repr(Mixture(2, 3))
    assert "components=4" in repr(vamp())
