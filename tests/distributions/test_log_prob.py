"""Log-densities against scipy, their gradients against differences, their draws against both."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Categorical, MultivariateNormal, Normal

from lowerbound.distributions import (
    DiscretizedLogistic,
    Independent,
    accumulate,
    detached,
    log_prob,
)
from lowerbound.distributions.independent import RUN, _run
from lowerbound.errors import SettingError, SupportError
from lowerbound.testing import assert_close_gradient, assert_frequencies, assert_mean

F64 = torch.float64


def masses(location: float, scale: float, levels: int) -> np.ndarray:
    """Bin masses by scipy: differences of cdf below the centre, of survival above it."""
    edges = (np.arange(1, levels) - 0.5) * 2 / (levels - 1) - 1
    law = stats.logistic(location, scale)
    lower = np.concatenate([[0.0], law.cdf(edges), [1.0]])
    upper = np.concatenate([[1.0], law.sf(edges), [0.0]])
    return np.where(upper[:-1] < 0.5, upper[:-1] - upper[1:], lower[1:] - lower[:-1])


@pytest.mark.parametrize("levels", [2, 3, 9, 256])
@pytest.mark.parametrize("scale", [1e-3, 0.02, 0.3, 1.0, 20.0, 148.0])
@pytest.mark.parametrize("location", [-3.0, -1.0, -0.2, 0.0, 0.7, 1.0])
def test_discretized_logistic_is_the_difference_of_scipys_cdf(location, scale, levels):
    expected = masses(location, scale, levels)
    p = DiscretizedLogistic(
        torch.tensor(location, dtype=F64), torch.tensor(math.log(scale), dtype=F64), levels
    )
    got = p.log_prob(torch.arange(levels)).exp().numpy()
    assert np.allclose(got, expected, rtol=1e-9, atol=1e-13)
    assert got.sum() == pytest.approx(1.0, rel=1e-11)


@pytest.mark.parametrize("log_scale", [-9.0, -4.0, 0.0, 5.0])
@pytest.mark.parametrize("location", [-40.0, -1.0, 0.31, 40.0])
def test_discretized_logistic_has_finite_values_and_gradients_in_float32(location, log_scale):
    location = torch.tensor(location, requires_grad=True)
    log_scale = torch.tensor(log_scale, requires_grad=True)
    value = DiscretizedLogistic(location, log_scale).log_prob(torch.arange(256))
    assert bool(torch.isfinite(value).all())
    assert bool((value <= 0).all())
    for gradient in torch.autograd.grad(value.sum(), [location, log_scale]):
        assert bool(torch.isfinite(gradient).all())


def test_discretized_logistic_agrees_with_mpmath_far_in_the_tails():
    import mpmath

    mpmath.mp.dps = 60
    location, log_scale = 0.9, -6.0
    scale = mpmath.exp(log_scale)
    p = DiscretizedLogistic(torch.tensor(location, dtype=F64), torch.tensor(log_scale, dtype=F64))
    for level in (0, 1, 100, 200, 254, 255):
        low, high = ((level + half) * mpmath.mpf(2) / 255 - 1 for half in (-0.5, 0.5))
        cdf = [1 / (1 + mpmath.exp(-(edge - mpmath.mpf(location)) / scale)) for edge in (low, high)]
        below = 0 if level == 0 else cdf[0]
        above = 1 if level == 255 else cdf[1]
        expected = float(mpmath.log(above - below))
        assert float(p.log_prob(torch.tensor(level))) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("level", [0, 1, 100, 254, 255])
def test_discretized_logistic_has_the_gradient_of_its_differences(level):
    location = torch.tensor([-1.2, -0.2, 0.0, 0.8], dtype=F64)
    log_scale = torch.tensor([-4.0, -3.0, 0.0, 2.0], dtype=F64)
    assert_close_gradient(
        lambda m, s: DiscretizedLogistic(m, s).log_prob(torch.tensor(level)),
        [location, log_scale],
    )


@pytest.mark.parametrize(("location", "log_scale"), [(0.0, -1.0), (-1.4, 0.5), (0.8, -4.0)])
def test_discretized_logistic_draws_levels_as_often_as_it_says(location, log_scale):
    p = DiscretizedLogistic(torch.tensor(location), torch.tensor(log_scale), levels=9)
    probabilities = p.log_prob(torch.arange(9)).exp()
    assert_frequencies(p.sample(torch.Size([40_000])), probabilities, resolves=0.03)


@pytest.mark.parametrize("levels", [2, 9, 256])
def test_mean_and_mode_of_discretized_logistic_are_those_of_its_masses(levels):
    location = torch.linspace(-1.5, 1.5, 7, dtype=F64).view(-1, 1)
    log_scale = torch.tensor([-5.0, -1.0, 1.0], dtype=F64)
    p = DiscretizedLogistic(location, log_scale, levels)
    each = torch.arange(levels, dtype=F64)
    mass = p.log_prob(each.view(-1, 1, 1)).exp()
    assert torch.allclose(p.mean, torch.einsum("l,lab->ab", each, mass), rtol=1e-10)
    best = mass.gather(0, p.mode.long().unsqueeze(0)).squeeze(0)
    assert torch.allclose(best, mass.amax(dim=0), rtol=1e-12)


def test_discretized_logistic_expands_without_changing_its_law():
    p = DiscretizedLogistic(torch.zeros(3), torch.zeros(3), 5)
    wide = p.expand(torch.Size([2, 3]))
    assert wide.batch_shape == (2, 3)
    assert torch.equal(wide.log_prob(torch.ones(2, 3)), p.log_prob(torch.ones(3)).expand(2, 3))
    assert wide.support.check(torch.tensor([0.0, 4.0])).all()
    assert set(wide.arg_constraints) == {"location", "log_scale"}


def test_independent_normal_is_scipys_normal_summed_in_float64():
    mean, scale = torch.randn(3, 4), torch.rand(3, 4) + 0.5
    x = torch.randn(3, 4)
    p = Independent(Normal(mean, scale), 1)
    expected = stats.norm(mean.numpy(), scale.numpy()).logpdf(x.numpy()).sum(axis=-1)
    assert p.log_prob(x).dtype == F64
    assert np.allclose(p.log_prob(x), expected, rtol=1e-6)


def test_a_million_small_terms_are_not_lost_in_float32():
    # 2^24 + 1 is no float32: one after another, 100,000 ones would be lost beside 2^24. Here those
    # of one run may be, at most
    cells = torch.cat([torch.tensor([2.0**24]), torch.ones(99_999)]).expand(2, -1)
    total = 2.0**24 + 99_999
    assert accumulate(cells, 1).tolist() == pytest.approx([total] * 2, rel=0, abs=RUN)
    assert accumulate(cells.double(), 1).tolist() == [total] * 2
    assert accumulate(cells, 0).dtype == F64


@pytest.mark.parametrize(
    ("cells", "run"),
    [
        (784, 112),
        (12288, 128),
        (256, 128),
        (129, 43),
        (130, 65),
        (254, 127),
        (262, 2),
        (128, 1),
        (14, 1),
        (1009, 1),
    ],
)
def test_a_run_is_the_largest_divisor_up_to_128_of_more_cells_than_that(cells, run):
    assert _run(cells) == run


@pytest.mark.parametrize("shape", [(64, 784), (32, 2, 3, 64, 64), (64, 1009), (64, 14)])
def test_sums_over_runs_are_nearer_than_those_in_float32(shape):
    torch.manual_seed(0)
    cells = torch.rand(shape).add_(1.0).requires_grad_()
    axes = max(len(shape) - 2, 1)
    flat = cells.flatten(start_dim=len(shape) - axes)
    whole = flat.double().sum(dim=-1)
    found = accumulate(cells, axes)
    assert found.dtype == F64
    assert found.shape == shape[: len(shape) - axes]
    ours, theirs = (
        float((value.detach().double() / whole.detach() - 1).square().mean().sqrt())
        for value in (found, flat.sum(dim=-1))
    )
    assert ours < 3e-8 < theirs  # about 2e-8 or less, and 4e-8 or more, under six seeds
    weight = torch.arange(1.0, found.numel() + 1, dtype=F64).reshape(found.shape)
    (gradient,) = torch.autograd.grad(found, cells, weight)
    expected = weight.reshape(*found.shape, *[1] * axes).expand(shape)
    assert torch.equal(gradient, expected.float())


def test_expanded_independent_keeps_its_cells():
    p = Independent(Normal(torch.zeros(2, 3), torch.ones(2, 3)), 1).expand(torch.Size([5, 2]))
    assert p.batch_shape == (5, 2)
    assert p.event_shape == (3,)
    assert isinstance(p, Independent)


def test_multivariate_normal_is_scipys():
    factor = torch.tensor([[1.0, 0.0], [0.6, 0.5]], dtype=F64)
    mean = torch.tensor([0.3, -0.7], dtype=F64)
    x = torch.randn(5, 2, dtype=F64)
    q = MultivariateNormal(mean, scale_tril=factor)
    expected = stats.multivariate_normal(mean, (factor @ factor.T).numpy()).logpdf(x)
    assert np.allclose(log_prob(q, x), expected, rtol=1e-12)


def test_an_observed_mask_leaves_out_whole_terms():
    p = Independent(Normal(torch.zeros(3), torch.ones(3)), 1)
    x = torch.tensor([[0.0, 5.0, 0.0]])
    observed = torch.tensor([[True, False, True]])
    assert log_prob(p, x, observed).item() == pytest.approx(-math.log(2 * math.pi), rel=1e-6)
    assert log_prob(p, x, torch.zeros_like(observed)).item() == 0.0


def test_a_term_that_overflows_is_dropped_too_where_nothing_was_observed():
    # the filler 0 may be impossibly far from the mean: minus infinity times zero would be nan
    p = Independent(Normal(torch.tensor([0.0, 1e30]), torch.ones(2)), 1)
    value = log_prob(p, torch.zeros(1, 2), torch.tensor([[True, False]]))
    assert value.item() == pytest.approx(-0.5 * math.log(2 * math.pi), rel=1e-6)


def test_dependent_cells_cannot_be_left_out():
    q = MultivariateNormal(torch.zeros(2), torch.eye(2))
    with pytest.raises(SupportError, match="dependent cells"):
        log_prob(q, torch.zeros(2), torch.tensor([True, False]))


def test_a_detached_law_has_the_same_density_and_a_gradient_through_the_value_alone():
    mean = torch.randn(4, 2, dtype=F64, requires_grad=True)
    factor = torch.eye(2, dtype=F64) + torch.tensor([[0.0, 0.0], [0.3, 0.0]], dtype=F64)
    for q in (
        Independent(Normal(mean, torch.ones(4, 2, dtype=F64)), 1),
        MultivariateNormal(mean, scale_tril=factor),
    ):
        z = q.rsample()
        assert torch.equal(log_prob(detached(q), z), log_prob(q, z))
        total, path = (
            torch.autograd.grad(log_prob(law, z).sum(), mean, retain_graph=True)[0]
            for law in (q, detached(q))
        )
        # log q(m + e | m) does not depend on m: through z alone it is minus the score
        assert torch.allclose(total, torch.zeros(4, 2, dtype=F64), atol=1e-12)
        (score,) = torch.autograd.grad(log_prob(q, z.detach()).sum(), mean)
        assert torch.allclose(path, -score)


def test_a_network_that_puts_out_nan_gets_a_density_of_nan():
    # training reports it with a remedy: an error of torch from inside a law would hide that
    nan = torch.full((2, 3), math.nan)
    cases = [
        Independent(Normal(nan, nan, validate_args=False), 1),
        MultivariateNormal(nan, scale_tril=nan.new_full((2, 3, 3), math.nan), validate_args=False),
    ]
    for q in cases:
        assert bool(log_prob(q, torch.zeros(2, 3)).isnan().all())
        assert bool(log_prob(detached(q), torch.full((2, 3), math.nan)).isnan().all())
    p = DiscretizedLogistic(nan, nan)
    assert bool(p.log_prob(torch.ones(2, 3)).isnan().all())


class OnMPS(torch.Tensor):
    """Stands in for a tensor on a device without float64, which most machines lack."""

    device = torch.device("mps")

    def double(self):
        raise TypeError("MPS has no float64")


def test_what_has_no_float64_is_summed_in_float32():
    plain = torch.randn(4, 2)
    x = plain.as_subclass(OnMPS)
    assert accumulate(x, 0).dtype == accumulate(x, 1).dtype == torch.float32
    q = MultivariateNormal(torch.zeros(2), torch.eye(2))
    assert log_prob(q, x).dtype == torch.float32
    assert torch.allclose(log_prob(q, x).as_subclass(torch.Tensor), q.log_prob(plain))


def test_a_family_without_path_is_refused_with_the_remedy():
    with pytest.raises(SettingError, match=r"Categorical.*gradient='total'.*register"):
        detached(Categorical(torch.ones(3)))


def test_draws_of_the_normal_have_its_moments():
    q = Independent(Normal(torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0])), 1)
    z = q.sample(torch.Size([40_000]))
    assert_mean(z, torch.tensor([1.0, -2.0]), resolves=0.13)
    assert_mean(
        (z - q.mean).square(), torch.tensor([0.25, 9.0]), resolves=torch.tensor([0.02, 0.6])
    )
