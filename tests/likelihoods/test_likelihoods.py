"""Likelihoods against scipy, value and gradient, in the units of the data."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats
from torch import nn

from lowerbound.distributions import expected as expectation
from lowerbound.errors import SettingError, ShapeError, SupportError
from lowerbound.likelihoods import (
    Bernoulli,
    Categorical,
    Cells,
    DiscretizedLogistic,
    Fields,
    FixedScale,
    Gaussian,
    NegativeBinomial,
    PerDimensionScale,
    SharedScale,
)
from lowerbound.likelihoods.gaussian import SMALLEST_SCALE
from lowerbound.testing import assert_close_gradient, assert_mean

F64 = torch.float64


class Puts(nn.Module):
    """A decoder that puts out what it is told, `(parameters, *event)`, for every z."""

    def __init__(self, output) -> None:
        super().__init__()
        self.output = nn.Parameter(torch.as_tensor(output, dtype=F64))

    def forward(self, z):
        return self.output.expand(*z.shape[:-1], *self.output.shape)


Z = torch.zeros(1, 2, dtype=F64)


def test_bernoulli_is_scipys():
    logits = torch.tensor([[-3.0, -0.5, 0.0, 1.2, 40.0]], dtype=F64)
    x = torch.tensor([[0, 1, 1, 0, 1]], dtype=torch.uint8)
    expected = stats.bernoulli(special.expit(logits[0].numpy())).logpmf(x[0].numpy()).sum()
    got = Fields(Puts(logits), Bernoulli())(Z).log_prob(x)
    assert got.shape == (1,)
    assert got.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("logit", [-500.0, -30.0, 30.0, 500.0])
def test_bernoulli_is_linear_in_an_extreme_logit(logit):
    law = Fields(Puts([[logit]]), Bernoulli())(Z)
    against = torch.tensor([[0.0 if logit > 0 else 1.0]])
    assert law.log_prob(against).item() == pytest.approx(-abs(logit), rel=1e-12)


def test_categorical_is_the_log_softmax_of_scipy():
    logits = torch.randn(7, 3, dtype=F64) * 3
    x = torch.tensor([[0, 6, 2]])
    expected = special.log_softmax(logits.numpy(), axis=0)[[0, 6, 2], [0, 1, 2]].sum()
    assert Fields(Puts(logits), Categorical(7))(Z).log_prob(x).item() == pytest.approx(
        expected, rel=1e-12
    )


def test_discretized_logistic_takes_location_then_log_scale():
    location, log_scale = torch.tensor([0.2, -0.4], dtype=F64), torch.tensor([-2.0, 0.3], dtype=F64)
    law = Fields(Puts(torch.stack([location, log_scale])), DiscretizedLogistic(9))(Z)
    got = law.log_prob(torch.tensor([[3, 8]])).item()
    edges = (np.array([[2.5, 3.5], [7.5, np.inf]])) * 2 / 8 - 1
    p = stats.logistic(location.numpy()[:, None], np.exp(log_scale.numpy())[:, None]).cdf(edges)
    assert got == pytest.approx(np.log(p[:, 1] - p[:, 0]).sum(), rel=1e-9)


@pytest.mark.parametrize("location", [0.0, torch.tensor([1.0, -50.0, 3.0], dtype=F64)])
@pytest.mark.parametrize("unit", [1.0, torch.tensor([0.1, 20.0, 1000.0], dtype=F64)])
def test_gaussian_is_scipys_in_the_units_of_the_data(location, unit):
    mean = torch.tensor([[0.3, -1.0, 2.0]], dtype=F64)
    x = torch.tensor([[0.5, 7.0, -300.0]], dtype=F64)
    cells = Gaussian(PerDimensionScale((3,), 0.5), location, unit)
    p = Fields(Puts(mean), cells).double()
    scale = cells.scale().detach().numpy() * np.asarray(unit)
    centre = np.asarray(location) + np.asarray(unit) * mean[0].numpy()
    expected = stats.norm(centre, scale).logpdf(x[0].numpy()).sum()
    assert p(Z).log_prob(x).item() == pytest.approx(expected, rel=1e-9)


def test_gaussian_is_the_change_of_variables_of_standardised_data():
    unit, location = torch.tensor([0.1, 20.0], dtype=F64), torch.tensor([1.0, -50.0], dtype=F64)
    mean, x = torch.randn(1, 2, dtype=F64), torch.randn(5, 2, dtype=F64) * 3
    stored = Fields(Puts(mean), Gaussian(FixedScale(0.5), location, unit))(Z).log_prob(x)
    standard = Fields(Puts(mean), Gaussian(FixedScale(0.5)))(Z).log_prob((x - location) / unit)
    assert torch.allclose(stored, standard - unit.log().sum(), rtol=1e-12)


@pytest.mark.parametrize("factor", [1000.0, 1e-3])
def test_rescaling_the_data_shifts_its_log_density_by_the_logarithm_of_the_factor(factor):
    mean, x = torch.randn(1, 4, dtype=F64), torch.randn(5, 4, dtype=F64)
    one = Gaussian(FixedScale(0.5), 0.2, 1.5).double()
    scaled = Gaussian(FixedScale(0.5), one.location * factor, one.unit * factor).double()
    shift = Fields(Puts(mean), scaled)(Z).log_prob(x * factor)
    shift = shift - Fields(Puts(mean), one)(Z).log_prob(x)
    assert torch.allclose(shift, torch.full((5,), -4 * math.log(factor), dtype=F64), rtol=1e-9)


def test_a_gaussian_integrates_to_one():
    p = Fields(Puts([[0.4]]), Gaussian(FixedScale(0.5), 3.0, 2.0)).double()(Z)
    total, _ = integrate.quad(
        lambda x: p.log_prob(torch.tensor([[x]], dtype=F64)).exp().item(), -12, 20, points=[3.8]
    )
    assert total == pytest.approx(1.0, rel=1e-8)


@pytest.mark.parametrize(("size", "levels"), [(2, 2), (1, 9)])
def test_discrete_likelihoods_sum_to_one_over_all_data(size, levels):
    every = torch.cartesian_prod(*[torch.arange(levels)] * size).reshape(-1, size)
    laws: list[Cells] = [DiscretizedLogistic(levels), Categorical(levels)]
    laws += [Bernoulli()] if levels == 2 else []
    for cells in laws:
        law = Fields(Puts(torch.randn(cells.parameters_per_cell, size)), cells)
        assert law(Z).log_prob(every).exp().sum().item() == pytest.approx(1.0, rel=1e-10)


def test_every_likelihood_has_the_gradient_of_its_differences():
    x = torch.tensor([[0.0, 1.0, 1.0]], dtype=F64)
    for cells in (Bernoulli(), DiscretizedLogistic(3), Categorical(5), NegativeBinomial(7.0)):
        parameters = torch.randn(3, cells.parameters_per_cell, dtype=F64)
        assert_close_gradient(lambda p, cells=cells: cells.law(p).log_prob(x).sum(), [parameters])

    def gaussian(mean, scale, location, unit):
        cells = Gaussian(FixedScale())
        cells.scale.value, cells.location, cells.unit = scale, location, unit
        return cells.law(mean.unsqueeze(-1)).log_prob(x).sum()

    numbers = [torch.rand(3, dtype=F64) + 0.5 for _ in range(4)]
    assert_close_gradient(gaussian, numbers)


def test_the_gradient_of_a_gaussian_is_the_residual_over_the_variance():
    network, scale = Puts([[0.4, -1.0]]), SharedScale(1.0)
    p = Fields(network, Gaussian(scale)).double()
    with torch.no_grad():
        scale.log_scale.fill_(math.log(0.5))
    x = torch.tensor([[1.0, 2.0]], dtype=F64)
    by_mean, by_scale = torch.autograd.grad(
        p(Z).log_prob(x).sum(), [network.output, scale.log_scale]
    )
    residual = (x - network.output).detach()
    assert torch.allclose(by_mean, residual / 0.25)
    assert torch.allclose(by_scale, (residual.square() / 0.25 - 1).sum())


@pytest.mark.parametrize("value", [-1e4, 1e4])
def test_a_discretized_logistic_holds_an_extreme_log_scale(value):
    network = Puts([[0.3], [value]]).float()
    log_p = Fields(network, DiscretizedLogistic())(Z.float()).log_prob(
        torch.arange(256).view(-1, 1)
    )
    assert bool(torch.isfinite(log_p).all())
    (gradient,) = torch.autograd.grad(log_p.sum(), network.output)
    assert bool(torch.isfinite(gradient).all())


def test_a_learned_scale_never_falls_below_its_floor():
    for scale in (SharedScale(1e-9), PerDimensionScale((3,), 1e-9)):
        assert torch.allclose(scale().detach(), torch.tensor(SMALLEST_SCALE))


def test_draws_have_the_mean_that_is_stated():
    cases = [
        Fields(Puts([[-1.0, 2.0]]), Bernoulli()),
        Fields(Puts(torch.randn(5, 2)), Categorical(5)),
        Fields(Puts([[0.2, -0.9], [-1.0, 0.0]]), DiscretizedLogistic(9)),
        Fields(Puts([[0.2, -0.9]]), Gaussian(FixedScale(0.5), 3.0, 2.0)),
        Fields(Puts([[0.2, -0.9], [0.0, 3.0]]), NegativeBinomial(2.0)),
    ]
    for law in (case(Z) for case in cases):
        draws = law.sample(torch.Size([30_000])).squeeze(1)
        assert_mean(draws, expectation(law).squeeze(0), resolves=0.15)


COUNTS = "whole numbers of at least 0, got"
REFUSED = [
    (Bernoulli(), torch.tensor([0.0, 255.0]), "values 0 or 1, got min 0, max 255"),
    (Bernoulli(), torch.tensor([0.0, 0.5]), "fractions between"),
    (Categorical(5), torch.tensor([5]), "whole numbers from 0 to 4"),
    (DiscretizedLogistic(), torch.tensor([-1]), "whole numbers from 0 to 255"),
    (Gaussian(), torch.tensor([math.nan, 1.0]), "finite values, got 1"),
    (NegativeBinomial(), torch.tensor([3, -1]), f"{COUNTS} min -1"),
    (NegativeBinomial(), torch.tensor([3.0, 0.5]), f"{COUNTS} fractions between"),
    (NegativeBinomial(), torch.tensor([math.inf, 1.0]), COUNTS),
    (NegativeBinomial(), torch.tensor([math.nan, 1.0]), COUNTS),
]


@pytest.mark.parametrize(("law", "x", "words"), REFUSED, ids=lambda v: str(v)[:12])
def test_impossible_values_are_refused_with_both_sides_and_the_remedy(law, x, words):
    with pytest.raises(SupportError, match=words) as caught:
        law.check(x, "image")
    assert "'image'" in str(caught.value)
    law.check(torch.tensor([1]))
    law.check(torch.zeros(0))


def test_only_observed_cells_are_looked_at_and_each_by_its_own_law():
    x = torch.tensor([[0.5, 7.0, 1.0], [-3.0, 0.0, 0.0]])
    known = torch.tensor([[True, True, True], [True, True, True]])
    p = Fields(nn.Identity(), {(2,): Bernoulli(), (0,): Gaussian(), (1,): NegativeBinomial()})
    p.check(x)
    for row, column, value, law in (
        (0, 2, 2.0, "bernoulli"), (1, 0, math.inf, "gaussian"), (1, 1, -1.0, "negative-binomial"),
    ):  # fmt: skip
        wrong, hidden = x.clone(), known.clone()
        wrong[row, column], hidden[row, column] = value, False
        with pytest.raises(SupportError, match=f"likelihood '{law}' needs .* in 'mine'"):
            p.check(wrong, known, "mine")
        p.check(wrong, hidden)
    uniform = Fields(nn.Identity(), Bernoulli())
    with pytest.raises(SupportError, match="fractions"):
        uniform.check(x, known)
    uniform.check(x, torch.tensor([[False, False, True], [False, True, True]]))


def test_impossible_sizes_are_refused():
    for build in (Categorical, DiscretizedLogistic):
        with pytest.raises(SettingError, match="at least 2 levels"):
            build(1)
    for scale in (FixedScale, SharedScale):
        for value in (0.0, -1.0, math.nan, math.inf):
            with pytest.raises(SettingError, match="must be positive"):
                scale(value)
    with pytest.raises(SettingError, match="unit"):
        Gaussian(unit=torch.tensor([1.0, 0.0]))


def test_a_decoder_of_another_shape_is_refused():
    with pytest.raises(ShapeError, match="2 parameters a cell"):
        Fields(Puts([[0.0]]), DiscretizedLogistic())(Z)
    with pytest.raises(ShapeError, match="needs a latent z"):
        Fields(Puts([[0.0]]), Bernoulli())()
    with pytest.raises(ShapeError, match="puts out 4 numbers, got"):
        Fields(Puts([0.0]), {(1,): Categorical(3), (0,): Gaussian()})(Z)


@pytest.mark.parametrize("places", [[], [(0,), (0, 1)], [(0,), (2,)], [(1, 2)]])
def test_every_column_has_exactly_one_law(places):
    with pytest.raises(SettingError, match="exactly one law"):
        Fields(nn.Identity(), {own: Gaussian() for own in places})


def test_log_densities_are_reduced_over_the_event_only():
    law = Fields(Puts(torch.randn(4, 2, 3)), Categorical(4))(torch.zeros(5, 6, 2, dtype=F64))
    assert law.batch_shape == (5, 6)
    assert law.event_shape == (2, 3)
    assert law.log_prob(torch.zeros(6, 2, 3)).shape == (5, 6)
