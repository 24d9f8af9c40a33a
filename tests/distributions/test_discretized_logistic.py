"""The discretised logistic where it is easily wrong: bins of no width, other devices, its edges."""

import math

import mpmath
import pytest
import torch

from lowerbound.distributions import DiscretizedLogistic
from lowerbound.distributions.discretized_logistic import log_one_minus_exp, sum_of_wide_steps

F64 = torch.float64


def law(levels=5, dtype=F64) -> DiscretizedLogistic:
    location = torch.tensor([-0.4, 0.0, 0.7], dtype=dtype)
    return DiscretizedLogistic(location, torch.zeros(3, dtype=dtype), levels)


def test_the_mass_of_a_bin_keeps_its_digits_however_narrow_or_wide_the_bin():
    # log1p(-exp(t)) alone is minus infinity at t = -1e-17, log(-expm1(t)) alone is 0 at t = -40
    numbers = [-1e-300, -1e-17, -1e-9, -1e-3, -0.3, -0.69, -0.7, -1.0, -2.0, -40.0, -700.0]
    mpmath.mp.dps = 400
    expected = [float(mpmath.log(-mpmath.expm1(mpmath.mpf(t)))) for t in numbers]
    got = log_one_minus_exp(torch.tensor(numbers, dtype=F64)).tolist()
    assert got == pytest.approx(expected, rel=3e-16, abs=0.0)


def test_a_bin_of_almost_no_width_has_its_density_times_its_width():
    # at a scale of e^40 the difference of two cdf is 0 in float64; the density at 0 is 1 / (4 s)
    p = DiscretizedLogistic(torch.zeros((), dtype=F64), torch.tensor(40.0, dtype=F64))
    expected = math.log(2 / 255 / 4) - 40.0
    assert p.log_prob(torch.tensor(100)).item() == pytest.approx(expected, rel=1e-12)


def test_only_the_levels_are_in_the_support():
    inside = law(5).support.check(torch.tensor([-1.0, 0.0, 4.0, 5.0]))
    assert inside.tolist() == [False, True, True, False]


def test_there_are_256_levels_unless_it_is_told_otherwise():
    p = DiscretizedLogistic(torch.zeros(()), torch.zeros(()))
    assert p.log_prob(torch.arange(256)).exp().sum().item() == pytest.approx(1.0, rel=1e-5)
    assert p.levels == 256


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_draws_mean_and_mode_have_the_number_type_of_the_parameters(dtype):
    p = law(dtype=dtype)
    assert p.sample().dtype == p.mean.dtype == p.mode.dtype == dtype


@pytest.mark.parametrize(("name", "use"), [("rand", "sample"), ("arange", "mode")])
def test_draws_and_levels_are_made_on_the_device_of_the_parameters(monkeypatch, name, use):
    asked = []
    make = getattr(torch, name)
    monkeypatch.setattr(torch, name, lambda *a, **kind: asked.append(kind) or make(*a, **kind))
    p = law()
    p.sample() if use == "sample" else p.mode
    assert [kind["device"] for kind in asked] == [p.location.device]
    if use == "sample":  # a float32 uniform would leave most float64 draws out
        assert [kind["dtype"] for kind in asked] == [F64]


def test_a_draw_has_no_gradient():
    location = torch.zeros(3, dtype=F64, requires_grad=True)
    p = DiscretizedLogistic(location, torch.zeros(3, dtype=F64))
    assert not p.sample().requires_grad
    assert not p.has_rsample


@pytest.mark.parametrize("uniform", [0.0, 1 - 2**-24])
def test_the_ends_of_the_uniform_draw_are_levels_too(monkeypatch, uniform):
    monkeypatch.setattr(torch, "rand", lambda size, **kind: torch.full(size, uniform, **kind))
    p = DiscretizedLogistic(torch.zeros(1), torch.full((1,), -3.0))
    assert 0 <= p.sample().item() <= 255


@pytest.mark.parametrize("levels", [2, 5, 256])
def test_the_mean_in_float32_is_the_sum_in_float64_at_any_scale(levels):
    location = torch.linspace(-1.5, 1.5, 61).unsqueeze(1)
    log_scale = torch.linspace(-9.0, 4.0, 53)
    found, value = [], []
    for dtype in (torch.float32, torch.float64):
        given = [t.to(dtype).requires_grad_() for t in (location, log_scale)]
        value.append(DiscretizedLogistic(*given, levels).mean)
        found.append(torch.autograd.grad(value[-1].sum(), given))
    torch.testing.assert_close(value[0].double(), value[1], atol=1e-3, rtol=0)
    for single, exact in zip(*found, strict=True):
        torch.testing.assert_close(single.double(), exact, atol=1e-3, rtol=1e-3)


def test_an_integral_with_its_ends_gives_the_sum_of_wide_steps():
    above = torch.linspace(-40.0, 300.0, 201, dtype=torch.float64).unsqueeze(1)
    spacing = torch.tensor([1e-3, 0.1, 0.5, 1.0], dtype=torch.float64)
    for count in (1, 3, 255):
        k = torch.arange(1, count + 1).view(-1, 1, 1)
        exact = torch.sigmoid((above - k) * spacing).sum(dim=0)
        torch.testing.assert_close(
            sum_of_wide_steps(above, spacing.expand(201, 4), count), exact, atol=4e-7, rtol=0
        )
