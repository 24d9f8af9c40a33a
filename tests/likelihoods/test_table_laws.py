"""The laws of the columns of tables: against scipy, in the units of the data, held where finite."""

import math
import sys

import mpmath as mp
import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from lowerbound.catalogue.laws import laws_for
from lowerbound.catalogue.slots import Choice
from lowerbound.data import Field, Schema
from lowerbound.distributions import Bins
from lowerbound.distributions.continuous_bernoulli import log_sinhc
from lowerbound.distributions.limited_normal import scaled_mass
from lowerbound.errors import SettingError, SupportError
from lowerbound.likelihoods import (
    BUILDERS,
    Beta,
    Binned,
    CensoredGaussian,
    ContinuousBernoulli,
    CumulativeLogit,
    Fields,
    HurdleLogNormal,
    LogNormal,
    Poisson,
    RoundedLogistic,
    Site,
    StudentT,
    TruncatedGaussian,
    ZeroInflatedNegativeBinomial,
)
from lowerbound.testing import assert_close_gradient

F64 = torch.float64
CUT = Bins((4, 0, 2, 0), (0.0,), (0.0, 4.0), whole=False, low=0.0)


def told(cells, parameters, x):
    law = cells.double().law(torch.tensor(parameters, dtype=F64))
    return law.log_prob(torch.tensor(x, dtype=F64)).tolist()


def test_student_t_is_scipys_in_the_units_of_the_data():
    cells = StudentT((2,), torch.tensor([10.0, 0.0]), torch.tensor([2.0, 1.0]))
    nu = 2 + np.log1p(np.exp(5.0))
    wanted = [stats.t(nu, 11.0, 2 * math.e).logpdf(3.0), stats.t(nu, -1.0, 1.0).logpdf(40.0)]
    assert told(cells, [[0.5, 1.0], [-1.0, 0.0]], [3.0, 40.0]) == pytest.approx(wanted, rel=1e-9)


def test_log_normal_is_scipys_with_the_jacobian():
    cells = LogNormal(torch.tensor(1.0), torch.tensor(2.0))
    wanted = stats.lognorm(2 * math.exp(0.3), scale=math.exp(1.0 + 2 * 0.5)).logpdf(7.0)
    assert told(cells, [[0.5, 0.3]], [7.0]) == pytest.approx([wanted], rel=1e-9)


def test_a_log_normal_starts_at_the_mean_and_spread_of_the_data():
    site = Site("positive", (2,), mean=torch.tensor([5.0, 0.1]), scale=torch.tensor([3.0, 0.01]))
    law = BUILDERS["log-normal"](site).law(torch.zeros(2, 2))
    assert law.mean.tolist() == pytest.approx([5.0, 0.1], rel=1e-5)
    assert law.stddev.tolist() == pytest.approx([3.0, 0.01], rel=1e-4)


def test_beta_is_scipys_between_its_bounds():
    wanted = stats.beta(8 * math.e, 8 * math.exp(-1), scale=100).logpdf(80.0)
    found = told(Beta(torch.tensor(100.0)), [[1.0, -1.0]], [80.0])
    assert found == pytest.approx([wanted], rel=1e-9)


def test_poisson_is_scipys():
    wanted = stats.poisson(3.0 * math.exp(0.4)).logpmf(5)
    assert told(Poisson(3.0), [[0.4]], [5.0]) == pytest.approx([wanted], rel=1e-9)


def exact(share, logit):
    """log p of the continuous Bernoulli law, as the paper writes it."""
    with mp.workdps(150):
        one = 1 / (1 + mp.exp(-mp.mpf(logit)))
        c = 2 if logit == 0 else 2 * mp.atanh(1 - 2 * one) / (1 - 2 * one)
        return float(mp.log(c) + share * mp.log(one) + (1 - mp.mpf(share)) * mp.log(1 - one))


LOGITS = [0.0, 1e-12, -1e-6, 3e-4, -0.1999, 0.2001, 2.0, -37.0, 99.0]


@pytest.mark.parametrize("logit", LOGITS)
def test_continuous_bernoulli_is_the_papers_also_near_an_even_law(logit):
    found = told(ContinuousBernoulli(100.0), [[logit]] * 3, [0.0, 30.0, 100.0])
    wanted = [exact(share, logit) - math.log(100) for share in (0.0, 0.3, 1.0)]
    assert found == pytest.approx(wanted, rel=1e-12, abs=1e-13)
    law = ContinuousBernoulli().double().law(torch.tensor([[logit]], dtype=F64))
    mean, variance = 0.5, 1 / 12
    if logit:
        with mp.workdps(150):
            h = mp.mpf(logit)
            share = 1 / (1 - mp.exp(-h))
            mean, variance = float(share - 1 / h), float(1 / h**2 - share**2 * mp.exp(-h))
    assert law.mean.item() == pytest.approx(mean, rel=1e-10)
    assert law.variance.item() == pytest.approx(variance, rel=1e-7)
    u = torch.tensor([0.0, 1e-9, 0.3, 0.9, 1.0], dtype=F64)
    assert law.cdf(law.icdf(u)).tolist() == pytest.approx(u.tolist(), abs=1e-13)
    assert law.log_prob(torch.tensor([-0.01, 1.01])).tolist() == [-math.inf, -math.inf]


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_the_constant_of_a_continuous_bernoulli_is_right_to_the_last_digits_with_its_slope(dtype):
    half = torch.tensor(LOGITS, dtype=dtype).div(2).requires_grad_()
    value = log_sinhc(half)
    (slope,) = torch.autograd.grad(value.sum(), half)
    for at, one, its_slope in zip(half.tolist(), value.tolist(), slope.tolist(), strict=True):
        with mp.workdps(50):
            t = mp.mpf(at)
            wanted = 0.0 if at == 0 else float(mp.log(mp.sinh(t) / t))
            steep = 0.0 if at == 0 else float(mp.coth(t) - 1 / t)
        near = 3e-5 if dtype == torch.float32 else 1e-12
        assert one == pytest.approx(wanted, rel=near, abs=0)
        assert its_slope == pytest.approx(steep, rel=near, abs=0)


def test_a_continuous_bernoulli_starts_at_the_mean_of_the_data():
    mean = torch.tensor([0.5, 0.1, 0.93, 0.0], dtype=F64)
    cells = ContinuousBernoulli().double()
    law = cells.law(cells.start(mean).movedim(0, -1))
    assert law.mean.tolist() == pytest.approx([0.5, 0.1, 0.93, 0.01], abs=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "m", "s", "x"),
    [
        (0.0, 1.0, 0.3, 0.2, 0.9),
        (0.0, 1.0, -3.0, 0.2, 0.1),
        (0.0, 100.0, 130.0, 4.0, 99.0),
        (-math.inf, 1.0, 9.0, 0.5, 0.7),
        (0.0, math.inf, 1.0, 2.0, 3.0),
        (-math.inf, math.inf, 1.0, 2.0, 3.0),
    ],
)
def test_truncated_gaussian_is_scipys(low, high, m, s, x):
    law = TruncatedGaussian(low, high).double().law(torch.tensor([[m, math.log(s)]], dtype=F64))
    known = stats.truncnorm((low - m) / s, (high - m) / s, m, s)
    assert law.log_prob(torch.tensor([x], dtype=F64)).item() == pytest.approx(known.logpdf(x))
    assert law.mean.item() == pytest.approx(known.mean(), rel=1e-8)
    assert law.variance.item() == pytest.approx(known.var(), rel=1e-6)
    assert law.cdf(torch.tensor([x], dtype=F64)).item() == pytest.approx(known.cdf(x), rel=1e-9)
    u = torch.tensor([1e-9, 0.3, 0.9999], dtype=F64)
    assert law.icdf(u).tolist() == pytest.approx(known.ppf(u.numpy()).tolist(), rel=1e-6)
    beyond = [end for end in (low - 0.1, high + 0.1) if math.isfinite(end)]
    assert all(law.log_prob(torch.tensor([end])).item() == -math.inf for end in beyond)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize(
    ("a", "b"), [(-1.0, 2.0), (0.01, 0.02), (3.0, 4.0), (-41.0, -40.0), (90.0, 1e3), (5e3, 6e3)]
)
def test_the_mass_between_limits_keeps_its_digits_in_a_tail(a, b, dtype):
    ends = [torch.tensor(end, dtype=dtype, requires_grad=True) for end in (a, b)]
    c, value = scaled_mass(*ends)
    slopes = torch.autograd.grad(value, ends)
    with mp.workdps(50):
        at = mp.mpf(a) if a > 0 else mp.mpf(b) if b < 0 else mp.mpf(0)
        ends = [mp.mpf(float(end)) for end in (e.detach() for e in ends)]
        low, high = (
            mp.erfc(-end / mp.sqrt(2)) / 2 for end in (ends if b < 0 else [-e for e in ends])
        )
        mass = abs(high - low) * mp.exp(at**2 / 2)
        wanted = float(mp.log(mass))
        p = [mp.exp(-(end**2 - at**2) / 2) / mp.sqrt(2 * mp.pi) / mass for end in ends]
        # d log Z is p of the ends; that of c^2 / 2 is c
        steep = [float(-p[0] + (at if a > 0 else 0)), float(p[1] + (at if b < 0 else 0))]
    eps = 1e-3 if dtype == torch.float32 else 1e-9
    assert float(c.detach()) == pytest.approx(float(at), rel=1e-6)
    assert float(value.detach()) == pytest.approx(wanted, abs=0.1 * eps)
    scale = max(abs(one) for one in steep)
    if dtype == F64:
        assert [float(one) for one in slopes] == pytest.approx(steep, abs=1e-6 * scale + 1e-9)


def test_truncated_draws_far_from_the_mean_of_their_gaussian_are_exponential():
    cells = TruncatedGaussian(0.0, torch.inf).double()
    law = cells.law(torch.tensor([[-500.0, 0.0]], dtype=F64))
    torch.manual_seed(0)
    drawn = law.sample((20_000,)).flatten().numpy()
    assert stats.kstest(drawn, stats.expon(scale=1 / 500).cdf).pvalue > 1e-6
    assert law.mean.item() == pytest.approx(1 / 500, rel=1e-4)


def test_censored_gaussian_has_scipys_masses_at_its_limits_and_its_density_between():
    cells = CensoredGaussian(torch.tensor(0.0), 10.0, location=4.0, unit=2.0)
    known = stats.norm(5.0, 2 * math.e)
    wanted = [known.logcdf(0.0), known.logpdf(3.0), known.logsf(10.0)]
    assert told(cells, [[0.5, 1.0]] * 3, [0.0, 3.0, 10.0]) == pytest.approx(wanted, rel=1e-9)
    law = cells.double().law(torch.tensor([[0.5, 1.0]], dtype=F64))
    x = np.clip(known.ppf((np.arange(200_000) + 0.5) / 200_000), 0, 10)
    assert law.mean.item() == pytest.approx(x.mean(), rel=1e-6)
    assert law.variance.item() == pytest.approx(x.var(), rel=1e-5)
    torch.manual_seed(0)
    at_low = float((law.sample((20_000,)) == 0).double().mean())
    assert at_low == pytest.approx(known.cdf(0), abs=4.9 * 0.5 / 20_000**0.5)


def test_a_limit_that_float32_rounds_is_a_limit_of_the_data():
    for cells in (CensoredGaussian(0.1, 0.7), TruncatedGaussian(0.1, 0.7)):
        x = torch.tensor([0.1, 0.7])
        cells.check(x)
        assert torch.isfinite(cells.law(torch.zeros(2, 2)).log_prob(x)).all()
    mass = CensoredGaussian(0.1, 0.7).law(torch.zeros(2, 2)).log_prob(torch.tensor([0.1, 0.7]))
    assert mass.exp().tolist() == pytest.approx([stats.norm.cdf(0.1), stats.norm.sf(0.7)])


def test_limits_come_from_the_kind_of_a_column_and_from_settings():
    fields = [
        Field("share", "bounded", bounds=(0.0, 100.0), mean=(0.5,), scale=(0.1,)),
        Field("price", "positive", mean=(3.0,), scale=(1.0,)),
        Field("rain", "real", bounds=(0.0, sys.float_info.max), mean=(1.0,), scale=(2.0,)),
        Field("change", "real", mean=(0.0,), scale=(2.0,)),
    ]
    schema = Schema(tuple(fields), (4,))
    for name in ("truncated-gaussian", "censored-gaussian"):
        laws = laws_for(schema, Choice(name))
        found = {p: (law.low.tolist(), law.high.tolist()) for p, law in laws.items()}
        inf = math.inf
        assert found == {
            (0,): ([0.0], [100.0]), (1,): ([0.0], [inf]), (2, 3): ([0.0, -inf], [inf, inf])
        }  # fmt: skip
    (law,) = laws_for(
        Schema((fields[2],), (1,)), Choice("censored-gaussian", {"high": 9.0})
    ).values()
    assert (float(law.low), float(law.high), law.filler) == (0.0, 9.0, 0.0)
    # a column of percentages that are all small is still one of percentages
    (law,) = laws_for(Schema((fields[0],), (1,)), Choice("beta")).values()
    assert law.upper.tolist() == [100.0]


def test_limits_without_numbers_between_them_are_refused():
    with pytest.raises(SettingError, match="got low 2 and high 1"):
        TruncatedGaussian(2.0, 1.0)
    with pytest.raises(SettingError, match="got low 5 and high 3"):
        CensoredGaussian(torch.tensor([0.0, 5.0]), torch.tensor([3.0, 9.0]))
    assert (
        TruncatedGaussian(5.0, 9.0).filler == 5.0 and TruncatedGaussian(-9.0, -5.0).filler == -5.0
    )


@pytest.mark.parametrize("k", [0, 3])
def test_more_zeros_are_a_mixture_with_scipys_negative_binomial(k):
    mean, size, share = 2.0 * math.exp(0.5), math.exp(1.2), 1 / (1 + math.exp(0.7))
    counted = (1 - share) * stats.nbinom(size, size / (size + mean)).pmf(k)
    wanted = math.log(counted + share * (k == 0))
    found = told(ZeroInflatedNegativeBinomial(2.0), [[0.5, 1.2, -0.7]], [float(k)])
    assert found == pytest.approx([wanted], rel=1e-9)


def test_whole_numbers_without_limits_are_differences_of_scipys_logistic():
    cells = RoundedLogistic(torch.tensor(-40.0), torch.tensor(2.0))
    law = stats.logistic(-39.0, 2 * math.exp(0.3))
    x = np.array([-41.0, -39.0, 7.0])
    wanted = np.log(law.cdf(x + 0.5) - law.cdf(x - 0.5))
    found = told(cells, [[0.5, 0.3]] * 3, x.tolist())
    assert found == pytest.approx(wanted.tolist(), rel=1e-9)


@pytest.mark.parametrize("scale", [0.05, 1.0, 3e6])
def test_the_tails_of_a_rounded_logistic_fall_by_one_over_its_scale(scale):
    # far out F(k + 1/2) - F(k - 1/2) -> exp(-(|k| - 1/2) / s) - exp(-(|k| + 1/2) / s)
    law = RoundedLogistic(0.0, scale).law(torch.zeros(2, 2))
    far = math.ceil(50 * scale) + 50
    wanted = -(far - 0.5) / scale + math.log(-math.expm1(-1 / scale))
    found = law.log_prob(torch.tensor([far, -far])).tolist()
    assert found == pytest.approx([wanted] * 2, rel=1e-12)


@pytest.mark.parametrize("scale", [0.05, 0.3, 0.99, 1.01, 40.0])
def test_moments_of_a_rounded_logistic_are_sums_over_whole_numbers(scale):
    law = RoundedLogistic(10.3, scale).double().law(torch.zeros(1, 2, dtype=F64))
    k = torch.arange(-2000, 2000, dtype=F64).unsqueeze(1)
    mass = law.log_prob(k).exp()
    mean = (k * mass).sum().item()
    assert mass.sum().item() == pytest.approx(1, abs=1e-12)
    assert law.mean.item() == pytest.approx(mean, abs=1e-6)
    assert law.variance.item() == pytest.approx(((k - mean) ** 2 * mass).sum().item(), rel=1e-5)
    reached = law.cdf(torch.tensor([11.0])).item()
    assert reached == pytest.approx(mass[k <= 11].sum().item(), rel=1e-9)
    assert law.icdf(torch.tensor([reached - 1e-6, reached + 1e-6])).tolist() == [11.0, 12.0]


def test_seconds_since_1970_are_told_apart():
    law = RoundedLogistic(1.7e9, 1e4).law(torch.tensor([[0.0, -7.0]]))
    assert law.log_prob(torch.tensor([1.7e9], dtype=F64)) > law.log_prob(
        torch.tensor([1.7e9 + 20], dtype=F64)
    )


def test_zeros_beside_a_log_normal_are_a_point_mass():
    wanted = [math.log(0.8), math.log(0.2) + stats.lognorm(2.0, scale=math.e).logpdf(3.0)]
    parameters = [[0.5, math.log(2.0), math.log(4.0)]] * 2
    found = told(HurdleLogNormal(LogNormal(0.5, 1.0)), parameters, [0.0, 3.0])
    assert found == pytest.approx(wanted, rel=1e-9)


def test_levels_in_order_are_differences_of_scipys_logistic():
    cells = CumulativeLogit(4).double()
    with torch.no_grad():
        cells.first.fill_(-1.0)
        cells.steps.copy_(torch.tensor([0.5, 2.0]))
    gaps = np.log1p(np.exp([0.5, 2.0])) + 1e-6
    cuts = np.array([-np.inf, -1.0, -1.0 + gaps[0], -1.0 + gaps.sum(), np.inf])
    wanted = np.log(np.diff(stats.logistic.cdf(cuts - 0.3)))
    found = told(cells, [[0.3]] * 4, [0.0, 1.0, 2.0, 3.0])
    assert found == pytest.approx(wanted.tolist(), rel=1e-9)


def test_levels_in_order_start_as_likely_as_each_other():
    law = CumulativeLogit(5, (3,)).law(torch.zeros(3, 1))
    assert law.probs.detach().flatten().tolist() == pytest.approx([0.2] * 15, rel=1e-4)


@pytest.mark.parametrize(
    ("cells", "x"),
    [
        (StudentT((3,), 1.0, 2.0), [0.3, 5.0, -9.0]),
        (LogNormal(0.5, 2.0), [0.3, 5.0, 9.0]),
        (Beta(), [0.3, 0.5, 0.9]),
        (Poisson(7.0), [0.0, 5.0, 9.0]),
        (RoundedLogistic(7.0, 2.0), [-30.0, 5.0, 9.0]),
        (HurdleLogNormal(), [0.0, 5.0, 0.0]),
        (ZeroInflatedNegativeBinomial(7.0), [0.0, 5.0, 9.0]),
        (CumulativeLogit(5, (3,)), [0.0, 4.0, 2.0]),
        (ContinuousBernoulli(), [0.0, 0.3, 1.0]),
        (TruncatedGaussian(0.0, 10.0, 5.0, 2.0), [0.0, 5.0, 10.0]),
        (TruncatedGaussian(0.0), [0.0, 5.0, 0.1]),
        (CensoredGaussian(0.0, 10.0, 5.0, 2.0), [0.0, 5.0, 10.0]),
        (CensoredGaussian(high=7.0), [-9.0, 7.0, 0.1]),
    ],
)
def test_each_law_has_the_gradient_of_its_differences(cells, x):
    cells = cells.double()
    parameters = torch.randn(3, cells.parameters_per_cell, dtype=F64)
    x = torch.tensor(x, dtype=F64)
    assert_close_gradient(lambda p: cells.law(p).log_prob(x).sum(), [parameters])
    for far in (-1e4, 1e4):
        output = torch.full_like(parameters, far).requires_grad_()
        value = cells.law(output).log_prob(x)
        (gradient,) = torch.autograd.grad(value.sum(), output)
        assert bool(torch.isfinite(value).all() & torch.isfinite(gradient).all())


@pytest.mark.parametrize(
    ("cells", "right", "wrong"),
    [
        (StudentT((2,)), [0.0, -3.0], [0.0, math.inf]),
        (LogNormal(), [0.1, 3.0], [0.0, 3.0]),
        (Beta(), [0.1, 0.9], [0.1, 1.0]),
        (Poisson(), [0.0, 3.0], [0.5, 3.0]),
        (RoundedLogistic(), [-2.0, 3.0], [0.5, 3.0]),
        (RoundedLogistic(), [-2.0, 3.0], [math.inf, 3.0]),
        (HurdleLogNormal(), [0.0, 3.0], [-0.5, 3.0]),
        (ZeroInflatedNegativeBinomial(), [0.0, 3.0], [-1.0, 3.0]),
        (CumulativeLogit(3, (2,)), [0.0, 2.0], [0.0, 3.0]),
        (ContinuousBernoulli(), [0.0, 1.0], [0.0, 1.1]),
        (TruncatedGaussian(0.0, 2.0), [0.0, 2.0], [-0.1, 2.0]),
        (TruncatedGaussian(0.0), [0.0, 2.0], [0.0, math.inf]),
        (CensoredGaussian(0.0, 2.0), [0.0, 2.0], [0.0, 2.1]),
        (Binned([CUT, Bins((1, 1))]), [7.5, 1.0], [-0.5, 1.0]),
        (Binned([CUT, Bins((1, 1))]), [7.5, 1.0], [7.5, 2.0]),
        (Binned([Bins((4, 0, 2, 0), (0.0,), (-0.5, 4.5), whole=True)]), [3.0], [2.5]),
    ],
)
def test_impossible_values_are_refused(cells, right, wrong):
    cells.check(torch.tensor([right]))
    with pytest.raises(SupportError, match=f"'{cells.name}'.*in 'price'"):
        cells.check(torch.tensor([wrong]), "price")


def test_a_gap_in_one_column_is_no_reason_to_refuse_another():
    law = Fields(nn.Identity(), {(1, 0): Binned([CUT, Bins((1, 1))])})
    x, observed = torch.tensor([[9.0, -5.0]]), torch.tensor([[False, False]])
    law.check(x, observed)
    with pytest.raises(SupportError):
        law.check(x, torch.tensor([[False, True]]))


def test_columns_of_bins_stand_one_after_the_other_in_what_a_network_puts_out():
    three = Bins((2, 1, 1))
    law = Fields(nn.Identity(), {(2, 0): Binned([three, CUT]), (1,): Poisson()})
    output = torch.tensor([[0.0, 1.0, 2.0, 0.5, -0.5, 0.0]], dtype=F64)
    p = law.double()(output).cells(torch.tensor([[0.0, 2.0, 2.0]]))[0]
    assert p[2].item() == pytest.approx(output[0, :3].log_softmax(0)[2].item())
    share = output[0, 3:5].log_softmax(0)[0].item()
    assert p[0].item() == pytest.approx(share + math.log(6 / 7))
    assert p[1].item() == pytest.approx(stats.poisson(1.0).logpmf(2))
