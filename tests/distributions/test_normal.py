"""Gaussian cells in few passes: equal to torch's, value and gradient."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from lowerbound.distributions import CellNormal, SharedScaleNormal, UnitNormal

F64 = torch.float64


def unit(*shape: int) -> UnitNormal:
    return UnitNormal(torch.zeros(shape, dtype=F64), torch.ones(shape, dtype=F64))


def test_unit_cells_have_the_density_of_a_standard_gaussian():
    value = torch.tensor([-3.0, 0.0, 2.0], dtype=F64)
    known = -0.5 * value**2 - 0.5 * math.log(2 * math.pi)
    assert torch.allclose(unit(3).log_prob(value), known, rtol=0, atol=1e-14)
    assert unit(3).expand((4, 3)).log_prob(value).shape == (3,)
    assert isinstance(unit(3).expand((4, 3)), UnitNormal)
    assert unit(3).expand((4, 3)).batch_shape == (4, 3)


@pytest.mark.parametrize("sample_shape", [(), (7,), (2, 3)])
def test_cells_are_drawn_as_torch_draws_them_in_value_and_gradient(sample_shape):
    mean = torch.randn(4, 3, dtype=F64, requires_grad=True)
    scale = (torch.rand(4, 3, dtype=F64) + 0.2).requires_grad_()
    made = []
    for kind in (CellNormal, Normal):
        torch.manual_seed(1)
        q = kind(mean, scale)
        draws = q.rsample(torch.Size(sample_shape))
        weights = torch.linspace(-1.0, 2.0, draws.numel(), dtype=F64).reshape(draws.shape)
        made.append((draws, *torch.autograd.grad((draws * weights).sum(), (mean, scale))))
    assert made[0][0].shape == (*sample_shape, 4, 3)
    for ours, theirs in zip(*made, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-14, atol=1e-14)
    value = torch.randn(4, 3, dtype=F64)
    assert torch.equal(CellNormal(mean, scale).log_prob(value), Normal(mean, scale).log_prob(value))


def test_cells_under_a_larger_batch_are_of_their_own_kind():
    cells = CellNormal(torch.zeros(3), torch.ones(3)).expand((4, 3))
    assert type(cells) is CellNormal
    assert cells.batch_shape == cells.loc.shape == cells.scale.shape == (4, 3)
    assert cells.expand((2, 4, 3)).rsample().dtype == torch.float32


@pytest.mark.parametrize("p", [unit(2), unit(2).expand((5, 2))], ids=["shared", "each"])
def test_the_divergence_from_unit_cells_is_torchs_in_value_and_gradient(p):
    mean = torch.randn(5, 2, dtype=F64, requires_grad=True)
    scale = (torch.rand(5, 2, dtype=F64) + 0.2).requires_grad_()
    ours = kl_divergence(Normal(mean, scale), p)
    theirs = kl_divergence(Normal(mean, scale), Normal(p.loc, p.scale))
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-14)
    weights = torch.randn(5, 2, dtype=F64)
    for a, b in zip(
        torch.autograd.grad((ours * weights).sum(), (mean, scale)),
        torch.autograd.grad((theirs * weights).sum(), (mean, scale)),
        strict=True,
    ):
        assert torch.allclose(a, b, rtol=0, atol=1e-13)


def test_unit_cells_do_not_diverge_from_themselves():
    assert torch.equal(kl_divergence(unit(3), unit(3)), torch.zeros(3, dtype=F64))


@pytest.mark.parametrize("shape", [(), (3,), (4, 3)], ids=["one", "a column", "a cell"])
def test_cells_of_one_scale_are_torchs_in_value_and_gradient(shape):
    mean = torch.randn(4, 3, dtype=F64, requires_grad=True)
    scale = (torch.rand(shape, dtype=F64) + 0.2).requires_grad_()
    value = torch.randn(4, 3, dtype=F64)
    p = SharedScaleNormal(mean, scale)
    ours = p.log_prob(value)
    theirs = Normal(mean, scale.expand(4, 3)).log_prob(value)
    assert torch.allclose(ours, theirs, rtol=1e-13)
    for a, b in zip(
        torch.autograd.grad(ours.sum(), (mean, scale)),
        torch.autograd.grad(theirs.sum(), (mean, scale)),
        strict=True,
    ):
        assert torch.allclose(a, b, rtol=1e-12)
    assert torch.equal(p.mean, mean)
    assert torch.equal(p.stddev, scale.expand(4, 3))
    wider = p.expand((2, 4, 3))
    assert wider.batch_shape == (2, 4, 3)
    assert torch.equal(wider.log_prob(value), ours.expand(2, 4, 3))


def test_a_scale_of_fewer_digits_does_not_cost_the_density_its_own():
    """log s in float32 would be off by about 1e-8, log s + c by more."""
    p = SharedScaleNormal(torch.zeros(3, dtype=F64), torch.tensor(0.7))
    exact = -math.log(float(torch.tensor(0.7))) - 0.5 * math.log(2 * math.pi)
    assert p.log_prob(torch.zeros(3, dtype=F64))[0].item() == pytest.approx(exact, abs=1e-14)


def test_cells_take_what_a_network_gives_so_that_the_bound_can_say_what_was_not_finite():
    nan = torch.full((2,), math.nan)
    assert UnitNormal(nan, torch.ones(2)).batch_shape == (2,)
    assert SharedScaleNormal(nan, torch.tensor(-1.0)).batch_shape == (2,)
