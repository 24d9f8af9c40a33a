"""The mixture against a direct sum, far components included, and its draws against its law."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import MultivariateNormal, Normal

from lowerbound.distributions import Independent, Mixture, tempered
from lowerbound.testing import assert_close_gradient, assert_mean

F64 = torch.float64
WEIGHTS = torch.tensor([0.2, 0.5, 0.3], dtype=F64)
MEANS = torch.tensor([[-2.0, 1.0], [0.5, 0.0], [3.0, -4.0]], dtype=F64)
SCALES = torch.tensor([[0.5, 1.0], [1.0, 2.0], [0.1, 0.3]], dtype=F64)


def mixture(weights=WEIGHTS, means=MEANS, scales=SCALES) -> Mixture:
    return Mixture(weights.log(), Independent(Normal(means, scales), 1))


def direct(z):
    densities = [
        stats.multivariate_normal(m, np.diag(s**2)).pdf(z)
        for m, s in zip(MEANS.numpy(), SCALES.numpy(), strict=True)
    ]
    return np.log(np.tensordot(WEIGHTS.numpy(), np.array(densities), 1))


def test_it_is_the_sum_of_its_components():
    z = torch.randn(4, 5, 2, dtype=F64) * 2
    assert np.allclose(mixture().log_prob(z), direct(z.numpy()), rtol=1e-12)


def test_weights_are_normalised():
    z = torch.randn(5, 2, dtype=F64)
    assert torch.allclose(mixture(7 * WEIGHTS).log_prob(z), mixture().log_prob(z))


def test_the_shares_of_components_add_up_to_the_density():
    z = torch.randn(5, 2, dtype=F64)
    shares = mixture().log_shares(z)
    assert shares.shape == (5, 3)
    assert torch.allclose(shares.logsumexp(-1), mixture().log_prob(z))


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_far_components_keep_their_digits(dtype):
    # components a thousand deviations away from each other, and a point a million away from all
    means = torch.tensor([[-1000.0], [0.0], [1000.0]], dtype=dtype)
    p = mixture(WEIGHTS.to(dtype), means, torch.ones(3, 1, dtype=dtype))
    near = p.log_prob(torch.tensor([[-1000.0], [0.0], [1000.0]], dtype=dtype))
    expected = WEIGHTS.log() - 0.5 * math.log(2 * math.pi)
    assert near.dtype == F64
    assert torch.allclose(near, expected, rtol=1e-6)
    far = p.log_prob(torch.tensor([[1e6]], dtype=dtype))
    wanted = -0.5 * (1e6 - 1000.0) ** 2 + expected[2].item()
    assert far.item() == pytest.approx(wanted, rel=1e-7)


def test_narrow_components_far_from_zero_keep_the_digits_of_their_cells():
    # by products of matrices terms of 1e10 cancel; cell by cell none do
    means = 50 + torch.randn(5, 3, dtype=F64)
    parts = [means, torch.full((5, 3), 5e-4, dtype=F64), means[:, None] + 1e-3]
    parts = [part.requires_grad_() for part in parts]
    law = Independent(Normal(parts[0], parts[1]), 1)
    direct = law.log_prob(parts[2].unsqueeze(-2)) - math.log(5)
    found = Mixture(torch.zeros(5, dtype=F64), law).log_shares(parts[2])
    assert torch.allclose(found, direct, rtol=1e-12, atol=1e-5)
    gradients = (torch.autograd.grad(x.logsumexp(-1).sum(), parts) for x in (found, direct))
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, rtol=1e-6, atol=1e-6 * float(other.abs().max()))


def test_its_gradient_is_that_of_its_differences_for_value_and_parameters():
    z = torch.randn(4, 2, dtype=F64)
    assert_close_gradient(
        lambda z, w, m, s: Mixture(w, Independent(Normal(m, s.exp()), 1)).log_prob(z),
        [z, WEIGHTS.log(), MEANS, SCALES.log()],
    )


def test_the_score_is_that_of_the_nearest_component_where_the_others_are_far():
    means = 20 * MEANS
    z = (means[2:] + 0.1).requires_grad_()
    (score,) = torch.autograd.grad(mixture(means=means).log_prob(z).sum(), z)
    assert torch.allclose(score, -0.1 / SCALES[2].square(), rtol=1e-9)


def test_mean_and_variance_are_those_of_its_draws():
    p = mixture()
    draws = p.sample((30_000,))
    assert draws.shape == (30_000, 2)
    assert_mean(draws, p.mean, resolves=0.06 * p.stddev)
    assert_mean((draws - p.mean).square(), p.variance, resolves=0.1 * p.variance)
    # a component of its own for each draw: neighbours do not depend on each other
    pairs = (draws[:-1] - p.mean) * (draws[1:] - p.mean)
    assert_mean(pairs[::2], 0.0, resolves=0.1 * p.variance)


def test_components_are_drawn_as_often_as_their_weights_say():
    means = torch.tensor([[-100.0], [0.0], [100.0]], dtype=F64)
    draws = mixture(means=means, scales=torch.ones(3, 1, dtype=F64)).sample((4, 5000))
    assert draws.shape == (4, 5000, 1)
    hits = torch.stack([draws < -50, draws.abs() < 50, draws > 50]).double()
    assert_mean(hits.reshape(3, -1).T, WEIGHTS, resolves=0.03)
    # within a component all draws differ
    assert len(draws.flatten().unique()) == draws.numel()
    assert mixture().sample().shape == (2,)


def test_components_may_have_correlated_units():
    factor = torch.tensor([[[1.0, 0.0], [0.8, 0.6]]] * 3, dtype=F64)
    p = Mixture(WEIGHTS.log(), MultivariateNormal(MEANS, scale_tril=factor))
    z = torch.randn(5, 2, dtype=F64)
    expected = [
        stats.multivariate_normal(m, (f @ f.T).numpy()).pdf(z.numpy())
        for m, f in zip(MEANS, factor, strict=True)
    ]
    assert np.allclose(p.log_prob(z).exp(), WEIGHTS.numpy() @ np.array(expected), rtol=1e-10)


def test_a_temperature_narrows_each_component_about_its_mean():
    cool = tempered(mixture(), 0.5)
    z = torch.randn(5, 2, dtype=F64)
    assert torch.allclose(cool.log_prob(z), mixture(scales=0.5 * SCALES).log_prob(z))


def test_a_draw_has_no_gradient():
    means = MEANS.clone().requires_grad_()
    p = mixture(means=means)
    assert not p.sample((3,)).requires_grad and not p.has_rsample
    assert p.support is not None and not p.support.is_discrete
