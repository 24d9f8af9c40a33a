"""The flow as a prior: its density integrates to one, and its Gaussian is scipy's."""

import numpy as np
import pytest
import torch
from scipy import stats

from lowerbound.distributions import centre, detached, log_prob, spread, tempered
from lowerbound.errors import SettingError
from lowerbound.likelihoods import Bernoulli, Fields
from lowerbound.models import VAE
from lowerbound.networks import MLP
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.priors import FlowPrior, StandardNormal
from lowerbound.testing import assert_close_gradient, check_prior
from lowerbound.training.forward import networks_of

F64 = torch.float64


def moved(latents=2, layers=3, units="affine", amount=0.4):
    torch.manual_seed(0)
    prior = FlowPrior(latents, layers, units, width=8).double()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.add_(amount * torch.randn_like(parameter))
    return prior


# a spline's density has corners, which a sum over a grid sees
@pytest.mark.parametrize(("units", "tolerance"), [("affine", 1e-6), ("spline", 1e-3)])
def test_its_density_integrates_to_one_over_the_plane(units, tolerance):
    p = moved(units=units, amount=0.15)()
    axis = torch.linspace(-14.0, 14.0, 281, dtype=F64)
    with torch.no_grad():
        density = log_prob(p, torch.cartesian_prod(axis, axis)).exp()
    assert float(density.sum()) * 0.1**2 == pytest.approx(1.0, abs=tolerance)


def test_without_layers_it_is_scipys_gaussian():
    prior = FlowPrior(3, layers=0).double()
    root = torch.randn(3, 3, dtype=F64)
    covariance = root @ root.mT + torch.eye(3, dtype=F64)
    prior.put(torch.ones(3, dtype=F64), covariance)
    z = torch.randn(5, 3, dtype=F64)
    expected = stats.multivariate_normal(np.ones(3), covariance.numpy()).logpdf(z.numpy())
    assert np.allclose(log_prob(prior(), z).detach(), expected, rtol=1e-10)
    assert torch.allclose(centre(prior()), torch.ones(3, dtype=F64))
    assert torch.allclose(spread(prior()).square(), torch.diagonal(covariance))


def test_it_starts_as_the_standard_normal():
    z = torch.randn(5, 3)
    assert torch.allclose(log_prob(FlowPrior(3)(), z), log_prob(StandardNormal(3)(), z), atol=1e-5)


def test_its_density_at_a_draw_needs_no_way_back_and_is_the_same():
    p = moved()()
    z = p.rsample((7,))
    assert torch.allclose(log_prob(p, z), log_prob(p, z.clone()), atol=1e-9)


def test_held_constant_it_has_no_gradient_but_through_the_value():
    prior = moved()
    z = torch.randn(4, 2, dtype=F64)
    p, still = prior(), detached(prior())
    assert torch.equal(log_prob(still, z), log_prob(p, z))
    assert not log_prob(still, z).requires_grad
    assert_close_gradient(lambda z: log_prob(still, z), [z])


def test_a_temperature_narrows_its_base():
    p = moved()()
    u = torch.randn(6, 2, dtype=F64)
    cool = tempered(p, 0.5)
    # the density of half of u under half of the scale is that of u, and 2 log 2
    assert torch.allclose(log_prob(cool.base, u / 2), log_prob(p.base, u) + 2 * np.log(2))
    assert torch.allclose(tempered(p, 0.0).sample((3,)), centre(p).detach().expand(3, 2))


@pytest.mark.parametrize("units", ["affine", "spline"])
def test_it_climbs_the_ladder_far_from_its_start(units):
    check_prior(moved(units=units, amount=0.15).float())


@pytest.mark.parametrize("wrong", [{"layers": -1}, {"layers": 65}, {"width": 0}])
def test_an_impossible_size_is_refused(wrong):
    with pytest.raises(SettingError, match="must be from"):
        FlowPrior(2, **wrong)


def test_it_says_how_large_it_is():
    assert "layers=3" in repr(FlowPrior(2, 3))


def test_maps_of_a_flow_are_no_networks_that_a_lower_precision_may_touch():
    # log-determinants in bfloat16 would be off by whole nats
    model = VAE(
        FlowPrior(2, width=8),
        DiagonalGaussian(MLP((4,), (2, 2), (8,))),
        Fields(MLP((2,), (1, 4), (8,)), Bernoulli()),
    )
    assert networks_of(model) == [model.posterior.network, model.likelihood.network]
