"""The prior against scipy."""

import numpy as np
import pytest
import torch
from scipy import stats

from lowerbound.errors import SettingError
from lowerbound.priors import StandardNormal
from lowerbound.testing import assert_mean


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
