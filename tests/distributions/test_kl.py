"""Closed forms of the divergence against quadrature, against a formula in numpy, and draws."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch.distributions import Categorical, Laplace, MultivariateNormal, Normal

from lowerbound.distributions import Independent, analytic_kl, log_prob
from lowerbound.testing import assert_close_gradient, assert_mean

F64 = torch.float64


def diagonal(mean, scale) -> Independent:
    mean, scale = (torch.as_tensor(t, dtype=F64) for t in (mean, scale))
    return Independent(Normal(mean, scale), 1)


@pytest.mark.parametrize("q", [(0.0, 1.0), (1.5, 0.3), (-2.0, 2.5)])
@pytest.mark.parametrize("p", [(0.0, 1.0), (0.7, 1.8)])
def test_the_kl_of_two_normals_is_its_integral(q, p):
    one, other = stats.norm(*q), stats.norm(*p)
    expected, _ = integrate.quad(
        lambda z: one.pdf(z) * (one.logpdf(z) - other.logpdf(z)), q[0] - 12 * q[1], q[0] + 12 * q[1]
    )
    got = analytic_kl(diagonal([[q[0]]], [[q[1]]]), diagonal([p[0]], [p[1]]))
    assert got.shape == (1, 1)
    assert got.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_the_kl_is_not_symmetric_and_the_first_argument_is_the_one_averaged_over():
    q, p = diagonal([[0.0]], [[0.5]]), diagonal([[0.0]], [[1.0]])
    assert analytic_kl(q, p).item() == pytest.approx(np.log(2) + 0.125 - 0.5)
    assert analytic_kl(p, q).item() == pytest.approx(-np.log(2) + 2 - 0.5)


def test_independent_units_keep_their_own_kl_and_sum_to_the_whole():
    mean, scale = torch.randn(4, 3, dtype=F64), torch.rand(4, 3, dtype=F64) + 0.2
    units = analytic_kl(diagonal(mean, scale), diagonal(torch.zeros(3), torch.ones(3)))
    expected = 0.5 * (mean**2 + scale**2 - 1) - scale.log()
    assert units.shape == (4, 3)
    assert torch.allclose(units, expected, rtol=1e-12)


def full_formula(mean, factor, centre, spread) -> float:
    covariance, other = factor @ factor.T, np.diag(np.square(spread))
    inverse = np.linalg.inv(other)
    shift = centre - mean
    logdet = np.linalg.slogdet(other)[1] - np.linalg.slogdet(covariance)[1]
    return 0.5 * (np.trace(inverse @ covariance) + shift @ inverse @ shift - len(mean) + logdet)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_kl_of_a_full_normal_is_the_formula_of_numpy(size):
    generator = np.random.default_rng(size)
    mean, centre = generator.normal(size=(2, size))
    factor = np.tril(generator.normal(size=(size, size)), -1) + np.diag(
        generator.random(size) + 0.3
    )
    spread = generator.random(size) + 0.4
    q = MultivariateNormal(torch.tensor(mean)[None], scale_tril=torch.tensor(factor)[None])
    got = analytic_kl(q, diagonal(centre, spread))
    assert got.shape == (1, 1)
    assert got.item() == pytest.approx(full_formula(mean, factor, centre, spread), rel=1e-12)


def test_the_kl_of_a_full_normal_is_taken_row_by_row_under_any_batch_shape():
    mean, centre = torch.randn(2, 3, 2, dtype=F64), torch.randn(2, 3, 2, dtype=F64)
    spread = torch.rand(2, 3, 2, dtype=F64) + 0.4
    factor = torch.randn(2, 3, 2, 2, dtype=F64).tril(-1)
    factor = factor + torch.diag_embed(torch.rand(2, 3, 2, dtype=F64) + 0.3)
    got = analytic_kl(MultivariateNormal(mean, scale_tril=factor), diagonal(centre, spread))
    assert got.shape == (2, 3, 1)
    for row in np.ndindex(2, 3):
        expected = full_formula(*(t[row].numpy() for t in (mean, factor, centre, spread)))
        assert got[row].item() == pytest.approx(expected, rel=1e-12)


def test_the_kl_of_a_full_normal_with_a_diagonal_factor_is_that_of_independent_units():
    mean, scale = torch.randn(3, 2, dtype=F64), torch.rand(3, 2, dtype=F64) + 0.5
    p = diagonal([0.3, -0.4], [0.8, 1.7])
    full = MultivariateNormal(mean, scale_tril=torch.diag_embed(scale))
    units = analytic_kl(diagonal(mean, scale), p)
    assert torch.allclose(analytic_kl(full, p).squeeze(-1), units.sum(dim=-1), rtol=1e-12)


def test_every_kl_is_the_mean_of_its_log_ratio():
    p = diagonal([0.3, -0.4], [0.8, 1.7])
    factor = torch.tensor([[0.7, 0.0], [0.5, 0.4]], dtype=F64)
    mean = torch.tensor([[0.5, -1.0]], dtype=F64)
    for q in (diagonal(mean, [[0.6, 0.9]]), MultivariateNormal(mean, scale_tril=factor[None])):
        z = q.sample(torch.Size([60_000]))
        ratio = log_prob(q, z) - log_prob(p, z)
        assert_mean(ratio, analytic_kl(q, p).sum(dim=-1), resolves=0.05)


def test_every_kl_has_the_gradient_of_its_differences():
    centre, spread = torch.tensor([0.3, -0.4], dtype=F64), torch.tensor([0.8, 1.7], dtype=F64)
    mean, scale = torch.randn(2, 2, dtype=F64), torch.rand(2, 2, dtype=F64) + 0.5

    def independent(m, s, u, t):
        return analytic_kl(diagonal(m, s), diagonal(u, t))

    def full(m, lower, u, t):
        factor = lower.tril(-1) + torch.diag_embed(torch.diagonal(lower, dim1=-2, dim2=-1).exp())
        q = MultivariateNormal(m, scale_tril=factor, validate_args=False)
        return analytic_kl(q, diagonal(u, t))

    assert_close_gradient(independent, [mean, scale, centre, spread])
    assert_close_gradient(full, [mean, torch.randn(2, 2, 2, dtype=F64), centre, spread])


def test_the_gradient_of_the_kl_to_the_prior_is_known():
    mean = torch.randn(3, 2, dtype=F64, requires_grad=True)
    scale = (torch.rand(3, 2, dtype=F64) + 0.5).requires_grad_()
    kl = analytic_kl(diagonal(mean, scale), diagonal(torch.zeros(2), torch.ones(2)))
    by_mean, by_scale = torch.autograd.grad(kl.sum(), [mean, scale])
    assert torch.allclose(by_mean, mean)
    assert torch.allclose(by_scale, scale - 1 / scale)


def test_unknown_pairs_have_no_closed_form():
    normal = diagonal([[0.0]], [[1.0]])
    student = Independent(torch.distributions.StudentT(torch.ones(1)), 1)
    full = MultivariateNormal(torch.zeros(1, 2), torch.eye(2))
    assert analytic_kl(normal, student) is None
    assert analytic_kl(full, Independent(Laplace(torch.zeros(2), torch.ones(2)), 1)) is None
    assert analytic_kl(Categorical(torch.ones(2)), Categorical(torch.ones(2))) is None


def test_a_float32_law_has_a_float64_kl():
    q = Independent(Normal(torch.zeros(2, 3), torch.ones(2, 3)), 1)
    full = MultivariateNormal(torch.zeros(2, 3), torch.eye(3))
    p = Independent(Normal(torch.zeros(3), torch.ones(3)), 1)
    assert analytic_kl(q, p).dtype == analytic_kl(full, p).dtype == F64


def test_a_kl_below_another_group_has_the_axes_of_draws_batch_and_units():
    """With q `(B,)` and p `(K, B)` it once came out as `(K, B D)`."""
    generator = torch.Generator().manual_seed(0)
    mean, centre = (torch.randn(s, generator=generator, dtype=F64) for s in ((3, 2), (5, 3, 2)))
    scale, spread = (
        torch.rand(s, generator=generator, dtype=F64) + 0.3 for s in ((3, 2), (5, 3, 2))
    )

    def by_hand(mean, scale, centre, spread):
        ratio = scale / spread
        return 0.5 * (ratio**2 + ((mean - centre) / spread) ** 2 - 1) - ratio.log()

    got = analytic_kl(diagonal(mean, scale), diagonal(centre, spread))
    assert got.shape == (5, 3, 2)
    assert torch.allclose(got, by_hand(mean, scale, centre, spread), rtol=1e-12)
    other = analytic_kl(diagonal(centre, spread), diagonal(mean, scale))  # q (K, B), p (B,)
    assert torch.allclose(other, by_hand(centre, spread, mean, scale), rtol=1e-12)
    whole = Independent(Normal(mean, scale), 1), Independent(Normal(centre, spread), 1)
    assert torch.allclose(got.sum(dim=-1), _integral(*whole), rtol=1e-9)
    assert_close_gradient(
        lambda *numbers: analytic_kl(*_pair(*numbers)).sum(dim=(1, 2)),
        [mean, scale, centre, spread],
    )
    maps = analytic_kl(  # units of a map of features
        Independent(Normal(mean.view(3, 2, 1), scale.view(3, 2, 1)), 2),
        Independent(Normal(centre.view(5, 3, 2, 1), spread.view(5, 3, 2, 1)), 2),
    )
    assert torch.equal(maps, got)
    full = MultivariateNormal(mean, scale_tril=torch.diag_embed(scale))
    assert analytic_kl(full, diagonal(centre, spread)).shape == (5, 3, 1)
    together = analytic_kl(full, diagonal(centre, spread)).squeeze(-1)
    assert torch.allclose(together, got.sum(dim=-1), rtol=1e-12)


def _pair(mean, scale, centre, spread):
    return Independent(Normal(mean, scale), 1), Independent(Normal(centre, spread), 1)


def _integral(q, p) -> torch.Tensor:
    """E_q[log q - log p] by Gauss-Hermite quadrature, exact for Gaussians, unit by unit."""
    points, weights = np.polynomial.hermite_e.hermegauss(8)
    total = 0.0
    for point, weight in zip(points, weights / weights.sum(), strict=True):
        z = q.base_dist.loc + q.base_dist.scale * point
        total = total + weight * (q.base_dist.log_prob(z) - p.base_dist.log_prob(z))
    return total.sum(dim=-1)
