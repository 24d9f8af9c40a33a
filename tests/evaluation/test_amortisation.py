"""What the encoder misses and what its family cannot say, against closed forms."""

import pytest
import torch
from torch.distributions import Laplace

from lowerbound.data import Examples
from lowerbound.distributions import Independent
from lowerbound.errors import SettingError
from lowerbound.evaluation import gaps
from lowerbound.evaluation.amortisation import free
from lowerbound.posteriors import DiagonalGaussian, FullGaussian
from lowerbound.testing import LinearGaussian, assert_close_gradient


@pytest.mark.parametrize("family", [DiagonalGaussian, FullGaussian])
def test_an_encoder_that_is_off_loses_what_the_search_finds_again(family):
    # the family holds the posterior: the approximation gap is 0, the amortisation gap the whole KL
    reference = LinearGaussian.random(2, 4, orthogonal=True)
    x = reference.sample(40).x
    model = reference.vae(family)
    with torch.no_grad():
        model.posterior.network.layers[0].bias[:2] += 0.5
    covariance = reference.posterior(x).covariance_matrix[0]
    shift = torch.full((2,), 0.5).double()
    kl = 0.5 * float(shift @ torch.linalg.inv(covariance) @ shift)
    found = gaps(model, Examples(x), updates=200, samples=200)
    assert found.amortisation.mean == pytest.approx(kl, abs=0.08)
    assert found.approximation.mean == pytest.approx(0.0, abs=0.05)
    assert found.optimised.mean == pytest.approx(float(reference.log_evidence(x).mean()), abs=0.05)
    assert found.encoder.mean + kl == pytest.approx(found.optimised.mean, abs=0.08)
    assert found.examples == 40


def test_a_family_without_correlation_has_its_gap():
    # the best diagonal q has the diagonal of the precision: KL = (sum log L_dd - log det L) / 2
    reference = LinearGaussian.random(3, 5)
    x = reference.sample(40).x
    precision = torch.linalg.inv(reference.posterior(x).covariance_matrix[0])
    exact = 0.5 * float(precision.diagonal().log().sum() - torch.logdet(precision))
    found = gaps(reference.vae(DiagonalGaussian), Examples(x), updates=200, samples=500)
    assert exact > 0.2
    assert found.approximation.mean == pytest.approx(exact, abs=0.05)


@pytest.mark.parametrize("family", [DiagonalGaussian, FullGaussian])
def test_the_search_begins_where_the_encoder_is_and_reaches_every_parameter(family):
    reference = LinearGaussian.random(2, 4)
    with torch.no_grad():
        q = reference.vae(family).posterior(reference.sample(3).x)
    leaves, build = free(q)
    same = build(*leaves)
    assert torch.allclose(same.mean, q.mean)
    assert torch.allclose(same.variance, q.variance)
    point = torch.randn(3, 2, dtype=torch.float64)
    assert_close_gradient(lambda *free: build(*free).log_prob(point), leaves)


def test_a_family_nobody_registered_is_refused():
    with pytest.raises(SettingError, match="independent Laplace"):
        free(Independent(Laplace(torch.zeros(3, 2), torch.ones(3, 2)), 1))
    with pytest.raises(SettingError, match=r"free\.register"):
        free(Laplace(torch.zeros(3), torch.ones(3)))
    with pytest.raises(SettingError, match="no log_joint"):
        gaps(torch.nn.Linear(1, 1), Examples(torch.zeros(2, 1)))
