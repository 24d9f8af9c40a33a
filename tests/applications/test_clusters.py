"""Components of a mixture prior as clusters: shares that are known in closed form."""

import pytest
import torch
from torch.distributions import MultivariateNormal

import lowerbound as lb
from lowerbound.applications import clusters
from lowerbound.errors import SettingError
from lowerbound.likelihoods import Fields, Gaussian
from lowerbound.networks import MLP
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.priors import Mixture, StandardNormal
from lowerbound.testing import check_close

F64 = torch.float64


def model_with(prior, log_scale=-12.0):
    """q(z|x) = N(x, s^2), nearly a point."""
    encoder, decoder = MLP((2,), (2, 2), ()), MLP((2,), (1, 2), ())
    with torch.no_grad():
        encoder.linear[0].weight.copy_(torch.cat([torch.eye(2), torch.zeros(2, 2)]))
        encoder.linear[0].bias.copy_(torch.tensor([0.0, 0.0, log_scale, log_scale]))
    return lb.VAE(prior, DiagonalGaussian(encoder), Fields(decoder, Gaussian())).double()


def test_at_a_point_they_are_the_shares_of_bayes_rule():
    torch.manual_seed(0)
    prior = Mixture(2, 3, "full")
    weights = torch.tensor([0.2, 0.5, 0.3], dtype=F64)
    means, factor = torch.randn(3, 2, dtype=F64), torch.randn(3, 2, 2, dtype=F64)
    covariances = factor @ factor.mT + 0.1 * torch.eye(2, dtype=F64)
    prior.double().put(weights, means, covariances)
    x = torch.randn(40, 2, dtype=F64)
    logs = MultivariateNormal(means, covariances).log_prob(x.unsqueeze(1)) + weights.log()
    found = clusters(model_with(prior), x)
    check_close(found.chances, logs.softmax(dim=1), "q(c|x)", 1e-3, unit="plain")
    assert torch.equal(found.component, logs.argmax(dim=1))


def test_effective_components_are_those_in_use():
    prior = Mixture(2, 4)
    with torch.no_grad():
        prior.means.copy_(torch.tensor([[-50.0, 0], [50, 0], [0, 900], [0, -900]]))
    ends = torch.tensor([[-50.0, 0.0], [50.0, 0.0]], dtype=F64)
    model = model_with(prior)
    assert clusters(model, ends).effective == pytest.approx(2.0)
    assert clusters(model, ends[:1]).effective == pytest.approx(1.0)
    with torch.no_grad():
        prior.means.zero_()
    assert clusters(model, ends).effective == pytest.approx(4.0)


def test_a_wide_posterior_spreads_over_components():
    prior = Mixture(2, 2)
    with torch.no_grad():
        prior.means.copy_(torch.tensor([[-3.0, 0.0], [3.0, 0.0]]))
    x = torch.tensor([[3.0, 0.0]], dtype=F64)
    sharp = clusters(model_with(prior), x, samples=200).chances[0, 1]
    wide = clusters(model_with(prior, 1.5), x, samples=200).chances[0, 1]
    assert 0.6 < float(wide) < 0.99 < float(sharp)


def test_a_model_without_components_says_how_to_get_some():
    with pytest.raises(SettingError, match="lowerbound refit RUN --prior mixture"):
        clusters(model_with(StandardNormal(2)), torch.zeros(1, 2, dtype=F64))
