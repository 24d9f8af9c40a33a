"""Learned Gaussians, heavy tails and autoregressive priors, against scipy and closed forms."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import MultivariateNormal, Normal

from lowerbound.distributions import Independent, analytic_kl, log_prob, tempered
from lowerbound.errors import SettingError
from lowerbound.priors import AutoregressivePrior, Gaussian, HeavyTailed, StandardNormal
from lowerbound.testing import assert_close_gradient, assert_mean, check_prior

F64 = torch.float64


def full():
    torch.manual_seed(0)
    prior = Gaussian(3, "full").double()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return prior


def test_a_learned_gaussian_is_scipys():
    p, z = full()(), torch.randn(5, 3, dtype=F64)
    law = stats.multivariate_normal(p.loc.detach().numpy(), p.covariance_matrix.detach().numpy())
    assert np.allclose(log_prob(p, z).detach(), law.logpdf(z.numpy()), rtol=1e-10)


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_it_starts_as_the_standard_normal(covariance):
    z = torch.randn(5, 3)
    expected = log_prob(StandardNormal(3)(), z)
    assert torch.allclose(log_prob(Gaussian(3, covariance)(), z), expected, atol=1e-6)


def test_the_divergence_from_a_full_gaussian_is_torchs_value_and_gradient():
    p, root = full()(), torch.randn(4, 3, 3, dtype=F64).tril()
    torch.diagonal(root, dim1=-2, dim2=-1).abs_().add_(0.2)
    mean = torch.randn(4, 3, dtype=F64)
    q = MultivariateNormal(mean, scale_tril=root)
    closed = analytic_kl(q, p)
    assert closed.shape == (4, 1)
    assert torch.allclose(closed.squeeze(-1), torch.distributions.kl_divergence(q, p))
    scale = root.diagonal(dim1=-2, dim2=-1)
    flat = Independent(Normal(mean, scale), 1)
    whole = MultivariateNormal(mean, scale_tril=torch.diag_embed(scale))
    expected = torch.distributions.kl_divergence(whole, p)
    assert torch.allclose(analytic_kl(flat, p).squeeze(-1), expected)
    assert_close_gradient(
        lambda m, s: analytic_kl(Independent(Normal(m, s), 1), full()()), [mean, scale.clone()]
    )


@pytest.mark.parametrize(
    ("prior", "law"),
    [(HeavyTailed(2, "laplace"), stats.laplace()), (HeavyTailed(2, "student", 3.5), stats.t(3.5))],
)
def test_heavy_tails_are_scipys_and_a_temperature_scales_them(prior, law):
    z = 4 * torch.randn(6, 2, dtype=F64)
    p = prior.double()()
    assert np.allclose(log_prob(p, z), law.logpdf(z.numpy()).sum(axis=-1), rtol=1e-10)
    cool = log_prob(tempered(p, 0.5), z)
    assert np.allclose(cool, (law.logpdf(2 * z.numpy()) + np.log(2)).sum(axis=-1), rtol=1e-10)


def test_a_student_law_of_many_degrees_is_the_standard_normal():
    z = torch.randn(6, 2, dtype=F64)
    p, normal = HeavyTailed(2, "student", 9e5).double()(), StandardNormal(2).double()()
    assert torch.allclose(log_prob(p, z), log_prob(normal, z), atol=1e-4)


@pytest.mark.parametrize("tails", ["laplace", "student"])
def test_heavy_tails_climb_the_ladder(tails):
    check_prior(HeavyTailed(2, tails))


def test_a_student_law_without_a_variance_is_refused():
    # under it a Gaussian posterior's rate is finite, but draws have no spread to be scaled by
    with pytest.raises(SettingError, match="more than 2"):
        HeavyTailed(2, "student", 2.0)


def test_an_autoregressive_prior_of_one_layer_is_the_product_of_its_conditionals():
    torch.manual_seed(0)
    prior = AutoregressivePrior(3, layers=1, width=8).double()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    z = torch.randn(4, 3, dtype=F64)
    h = prior.maps.maps[0]._conditioned(z, None)
    shift, log_slope = h[..., 0], 3 * torch.tanh(h[..., 1] / 3)
    # u = exp(s) z + t: z_d given the units before is N(-t exp(-s), exp(-2s))
    each = Normal(-shift * (-log_slope).exp(), (-log_slope).exp())
    assert torch.allclose(log_prob(prior(), z), each.log_prob(z).sum(dim=-1))
    drawn = prior().sample((20_000,))
    first = each.mean[0, 0].detach()
    assert_mean(drawn[:, 0], first, resolves=0.1, name="the mean of the first unit")


def test_an_autoregressive_prior_says_its_size_and_refuses_none():
    assert "layers=2" in repr(AutoregressivePrior(2, layers=2))
    with pytest.raises(SettingError, match="from 1 to 64"):
        AutoregressivePrior(2, layers=0)
