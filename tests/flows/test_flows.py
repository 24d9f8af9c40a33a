"""Invertible maps: back and forth, their volume against the Jacobian, and what sees what."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from lowerbound.errors import SettingError
from lowerbound.flows import Affine, Chain, Coupling, Masked, Spline, Triangular, unit_map
from lowerbound.testing import assert_close_gradient, check_close

F64 = torch.float64


def moved(module, amount=0.4, seed=0):
    """The module in float64, away from the identity it starts as."""
    torch.manual_seed(seed)
    module = module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(amount * torch.randn_like(parameter))
    return module


def chain(kind, units, name, context=0, layers=4):
    maps = [kind(units, unit_map(name), turn, (16, 16), context) for turn in range(layers)]
    return moved(Chain([Triangular(units), *maps]), 0.25)


def jacobian(maps, x, context=None):
    rows = []
    for place, one in enumerate(x):
        told = None if context is None else context[place]
        rows.append(torch.autograd.functional.jacobian(lambda v, c=told: maps(v, c)[0], one))
    return torch.stack(rows)


@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("name", ["affine", "spline"])
@pytest.mark.parametrize("kind", [Coupling, Masked])
@pytest.mark.parametrize("units", [1, 2, 5])
def test_a_chain_goes_back_and_knows_its_volume(kind, units, name, context):
    maps = chain(kind, units, name, context)
    x = 2 * torch.randn(4, units, dtype=F64)
    told = torch.randn(4, context, dtype=F64) if context else None
    y, log_det = maps(x, told)
    back, minus = maps(y, told, True)
    check_close(back, x, "there and back", 1e-3, "plain")
    check_close(minus, -log_det, "the volume back", 1e-3)
    # at the point itself, not at where going back led
    check_close(log_det, torch.linalg.slogdet(jacobian(maps, x, told))[1], "log |det|", 1e-6)


@pytest.mark.parametrize("kind", [Coupling, Masked])
@pytest.mark.parametrize("name", ["affine", "spline"])
def test_maps_start_as_the_identity(kind, name):
    maps = Chain([Triangular(3), *[kind(3, unit_map(name), turn) for turn in range(3)]])
    x = torch.randn(5, 3)
    for inverse in (False, True):
        y, log_det = maps(x, inverse=inverse)
        assert torch.allclose(y, x, atol=1e-6)
        assert torch.allclose(log_det, torch.zeros(5, dtype=F64), atol=1e-5)


@pytest.mark.parametrize("turn", [0, 1])
def test_a_masked_map_has_a_triangular_jacobian(turn):
    maps = moved(Masked(5, Affine(), turn, (24, 24)))
    j = jacobian(maps, torch.randn(3, 5, dtype=F64))
    before = torch.ones(5, 5, dtype=torch.bool)
    unseen = before.triu(1) if turn == 0 else before.tril(-1)
    assert bool((j[:, unseen] == 0).all())
    # and everything that may be seen is seen
    assert bool((j[:, unseen.mT] != 0).all())


def test_a_coupling_passes_half_of_its_units_and_every_unit_moves_in_two():
    last: list[bool] = []
    for turn in range(4):
        j = jacobian(moved(Coupling(5, Affine(), turn, (8,))), torch.randn(2, 5, dtype=F64))
        rows = [bool((j[:, d] == torch.eye(5, dtype=F64)[d]).all()) for d in range(5)]
        assert sum(rows) in (2, 3)
        if turn % 2:
            assert [a != b for a, b in zip(rows, last, strict=True)] == [True] * 5
        last = rows


def test_a_triangular_map_makes_scipys_gaussian_of_the_standard_normal():
    torch.manual_seed(0)
    root = torch.randn(3, 3, dtype=F64)
    covariance, mean = root @ root.mT + torch.eye(3, dtype=F64), torch.randn(3, dtype=F64)
    maps = Triangular(3).double()
    maps.put(mean, covariance)
    x = 2 * torch.randn(6, 3, dtype=F64)
    u, log_det = maps(x)
    got = stats.norm.logpdf(u.detach().numpy()).sum(axis=-1) + log_det.detach().numpy()
    law = stats.multivariate_normal(mean.numpy(), covariance.numpy())
    assert np.allclose(got, law.logpdf(x.numpy()), rtol=1e-10)
    assert torch.allclose(maps(u, inverse=True)[0], x)


def test_a_spline_is_the_identity_outside_its_box_and_continuous_at_its_edge():
    spline, h = Spline(bins=8, bound=3.0), torch.randn(23, dtype=F64)
    for inverse in (False, True):
        x = torch.tensor([-100.0, -3.0 - 1e-9, 3.0 + 1e-9, math.inf], dtype=F64)
        y, log_slope = spline(x, h.expand(4, 23), inverse)
        assert torch.equal(y, x)
        assert bool((log_slope == 0).all())
        edge = torch.tensor([-3.0 + 1e-9, 3.0 - 1e-9], dtype=F64)
        assert torch.allclose(spline(edge, h.expand(2, 23), inverse)[0], edge, atol=1e-6)


@pytest.mark.parametrize("size", [1.0, 3.0, 10.0, 1000.0])
def test_a_spline_goes_back_in_float32_however_large_its_parameters(size):
    # in float32 throughout, parameters of size 10 lose whole units, and some draws are nan
    torch.manual_seed(0)
    x, h = 4 * torch.randn(4000), size * torch.randn(4000, 23)
    y, log_slope = Spline()(x, h)
    back, minus = Spline()(y, h, True)
    assert bool(torch.isfinite(back).all() and torch.isfinite(minus).all())
    # an input is known to a digit of y, which a flat piece spreads over many of x
    assert bool(((back - x).abs() <= 1e-5 + 4e-6 * (-log_slope).exp()).all())
    inside = x.abs() < 5
    assert bool((log_slope[~inside] == 0).all())


def test_maps_of_units_have_the_gradients_of_their_differences():
    torch.manual_seed(1)
    x = torch.tensor([-7.0, -1.3, 0.2, 2.9], dtype=F64)
    for move in (Affine(), Spline(bins=4)):
        h = torch.randn(4, move.parameters, dtype=F64)
        for inverse in (False, True):
            assert_close_gradient(
                lambda x, h, m=move, i=inverse: torch.stack(m(x, h, i)), [x, h], tolerance=1e-5
            )


def test_a_stack_of_random_maps_stays_finite_in_float32():
    # with unbounded scales a round trip through eight random maps of 32 units reaches 3e16
    torch.manual_seed(0)
    maps = Chain([Coupling(32, Affine(), turn, (64, 64)) for turn in range(8)])
    with torch.no_grad():
        for parameter in maps.parameters():
            parameter.copy_(2 * torch.randn_like(parameter) / 8)
    y, log_det = maps(1e4 * torch.randn(10, 32))
    assert bool(torch.isfinite(y.square()).all() and torch.isfinite(log_det).all())
    assert log_det.dtype == F64


def test_one_row_does_not_see_another_and_axes_broadcast():
    maps = chain(Coupling, 4, "affine", 2)
    x, told = torch.randn(3, 5, 4, dtype=F64), torch.randn(5, 2, dtype=F64)
    y, log_det = maps(x, told)
    assert y.shape == (3, 5, 4)
    assert log_det.shape == (3, 5)
    alone, _ = maps(x[1, 2], told[2])
    assert torch.allclose(alone, y[1, 2])


@pytest.mark.parametrize("wrong", [{"bins": 1}, {"bound": 0.0}])
def test_an_impossible_spline_is_refused(wrong):
    with pytest.raises(SettingError, match="spline must be"):
        Spline(**wrong)
