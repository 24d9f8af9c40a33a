"""Posteriors: what their network's numbers mean, value and gradient."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from lowerbound.distributions import log_prob
from lowerbound.errors import ShapeError
from lowerbound.posteriors import DiagonalGaussian, FullGaussian
from lowerbound.posteriors.scale import positive_scale
from lowerbound.testing import assert_close_gradient, assert_mean, given_noise

F64 = torch.float64


def diagonal(mean, log_scale):
    return DiagonalGaussian(nn.Identity())(torch.stack([mean, log_scale], dim=-2))


def full(mean, square):
    return FullGaussian(nn.Identity())(torch.cat([mean.unsqueeze(-2), square], dim=-2))


def scale_of(h):
    """exp(h) up to 1, 1 + h beyond."""
    return np.where(h > 0, 1 + h, np.exp(np.minimum(h, 0)))


def factor_of(square):
    square = square.numpy()
    return np.tril(square, -1) + np.diag(scale_of(np.diag(square)))


def test_the_second_row_is_the_logarithm_of_the_standard_deviation_up_to_one():
    mean, h = torch.randn(4, 3, dtype=F64), -torch.rand(4, 3, dtype=F64)
    assert torch.allclose(diagonal(mean, h).variance.sqrt(), h.exp())


def test_a_posterior_far_wider_than_its_prior_is_reached_in_a_straight_line():
    # exp(10) is 22,026: one odd image outweighed the bounds of ten thousand others
    mean, h = torch.zeros(1, 3, dtype=F64), torch.tensor([[0.0, 1.0, 10.0]], dtype=F64)
    assert diagonal(mean, h).variance.sqrt().tolist() == [[1.0, 2.0, 11.0]]


def test_the_density_is_scipys():
    mean, h = torch.randn(4, 3, dtype=F64), torch.randn(4, 3, dtype=F64)
    z = torch.randn(4, 3, dtype=F64)
    expected = stats.norm(mean.numpy(), scale_of(h.numpy())).logpdf(z.numpy()).sum(axis=-1)
    assert np.allclose(log_prob(diagonal(mean, h), z), expected, rtol=1e-12)


def test_a_draw_is_the_mean_plus_the_scaled_noise():
    mean, log_scale = torch.randn(4, 3, dtype=F64), torch.randn(4, 3, dtype=F64)
    square, noise = torch.randn(4, 3, 3, dtype=F64), torch.randn(2, 4, 3, dtype=F64)
    with given_noise(noise):
        one, other = diagonal(mean, log_scale).rsample((2,)), full(mean, square).rsample((2,))
    assert np.allclose(one, mean.numpy() + scale_of(log_scale.numpy()) * noise.numpy())
    for row in range(4):
        expected = mean[row].numpy() + noise[:, row].numpy() @ factor_of(square[row]).T
        assert np.allclose(other[:, row], expected)


def test_the_full_gaussian_is_scipys():
    mean, square = torch.randn(4, 3, dtype=F64), torch.randn(4, 3, 3, dtype=F64)
    z = torch.randn(4, 3, dtype=F64)
    got = log_prob(full(mean, square), z)
    for row in range(4):
        factor = factor_of(square[row])
        law = stats.multivariate_normal(mean[row].numpy(), factor @ factor.T)
        assert got[row].item() == pytest.approx(law.logpdf(z[row].numpy()), rel=1e-9)


def test_densities_and_draws_have_the_gradients_of_their_differences():
    mean, square = torch.randn(2, 3, dtype=F64), torch.randn(2, 3, 3, dtype=F64)
    z, noise = torch.randn(2, 3, dtype=F64), torch.randn(4, 2, 3, dtype=F64)
    assert_close_gradient(lambda m, s: log_prob(diagonal(m, s), z), [mean, square[:, 0]])
    assert_close_gradient(lambda m, s: log_prob(full(m, s), z), [mean, square])
    with given_noise(noise):
        assert_close_gradient(lambda m, s: diagonal(m, s).rsample((4,)), [mean, square[:, 0]])
        assert_close_gradient(lambda m, s: full(m, s).rsample((4,)), [mean, square])


def test_the_full_gaussian_draws_with_its_covariance():
    square = torch.tensor([[[0.0, 9.0], [0.8, -0.5]]], dtype=F64)
    q = full(torch.tensor([[1.0, -1.0]], dtype=F64), square)
    centred = q.sample(torch.Size([40_000])) - q.mean
    products = centred.unsqueeze(-1) * centred.unsqueeze(-2)
    factor = torch.tensor(factor_of(square[0]))
    assert_mean(products, factor @ factor.T, resolves=0.12)


@pytest.mark.parametrize("value", [-1e4, 1e4])
def test_an_extreme_network_gives_finite_float32_numbers(value):
    output = torch.full((2, 3), value)
    square = torch.diag_embed(output) + torch.ones(3, 3).tril(-1)
    for q in (diagonal(output, output), full(torch.zeros(2, 3), square)):
        z = q.rsample((5,))
        assert bool(torch.isfinite(log_prob(q, z)).all())
    q = diagonal(torch.zeros(2, 3), output)
    expected = math.exp(-15) if value < 0 else 1 + value
    assert q.variance.sqrt()[0, 0].item() == pytest.approx(expected, 1e-6)


def test_an_ill_conditioned_factor_gives_a_finite_density():
    # solving with such an L in float32 gave a log-density of minus infinity
    value = -1e4
    q = full(torch.full((2, 3), value), torch.full((2, 3, 3), value))
    assert bool(torch.isfinite(log_prob(q, q.rsample((50,)))).all())


def test_a_network_that_puts_out_nan_gets_a_density_of_nan():
    # training reports it with a remedy: an error of torch from inside a law would hide that
    nan = torch.full((2, 3), math.nan)
    for q in (diagonal(nan, nan), full(nan, torch.full((2, 3, 3), math.nan))):
        assert bool(log_prob(q, q.rsample((5,))).isnan().all())


def test_a_network_without_an_axis_of_parameters_is_refused_for_any_number_of_examples():
    # two rows of a network that puts out (batch, latents) were taken for one row's mean and scale
    for build, rows in ((DiagonalGaussian, 2), (FullGaussian, 5)):
        with pytest.raises(ShapeError, match="puts out"):
            build(nn.Identity())(torch.zeros(rows, 4))


def test_an_extreme_network_has_a_finite_gradient():
    # exp(1e4) is infinite, and zero times its slope would be nan where it is not even used
    h = torch.tensor([-1e4, -1.0, 0.0, 1.0, 1e4], requires_grad=True)
    (slope,) = torch.autograd.grad(positive_scale(h).sum(), h)
    assert slope.tolist() == pytest.approx([0.0, math.exp(-1), 1.0, 1.0, 1.0])


def test_a_network_of_another_shape_is_refused_with_the_remedy():
    with pytest.raises(ShapeError, match=r"outputs=\(2, latents\)"):
        DiagonalGaussian(nn.Identity())(torch.zeros(5, 3, 4))
    with pytest.raises(ShapeError, match=r"outputs=\(latents \+ 1, latents\)"):
        FullGaussian(nn.Identity())(torch.zeros(5, 3, 3))
    assert DiagonalGaussian.parameters_shape(7) == (2, 7)
    assert FullGaussian.parameters_shape(7) == (8, 7)
