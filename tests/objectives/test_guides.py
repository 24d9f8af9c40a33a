"""Objectives between and beside the bounds: their limits, closed forms and what they refuse."""

import math
from itertools import pairwise

import pytest
import torch
from torch.distributions import Normal

import lowerbound as lb
from lowerbound.core import Latent, Trace
from lowerbound.distributions import Independent
from lowerbound.errors import SettingError
from lowerbound.models import Constrained
from lowerbound.objectives import (
    CIWAE,
    ELBO,
    GECO,
    IWAE,
    MIWAE,
    PIWAE,
    Capacity,
    Discrepancy,
    Disentangled,
    Renyi,
    TotalCorrelation,
)
from lowerbound.objectives.aggregate import discrepancy, total_correlation
from lowerbound.testing import LinearGaussian, assert_mean, check_close
from lowerbound.training.schedules import Cycles

F64 = torch.float64


def weights(seed=0):
    generator = torch.Generator().manual_seed(seed)
    z, p, q = torch.zeros(4, 3, 1, dtype=F64), None, None
    log_px, log_p, log_q = (torch.randn(4, 3, dtype=F64, generator=generator) for _ in range(3))
    return Trace(log_px, {"z": Latent.known(z, log_p, log_q, p, q)})


def test_the_renyi_bound_runs_from_iwae_to_the_elbo_and_falls():
    trace = weights()
    check_close(Renyi(4, 0.0).reduce(trace).value, IWAE(4).reduce(trace).value, "a = 0")
    drawn = ELBO(4, analytic=False).reduce(trace).value
    check_close(Renyi(4, 1.0).reduce(trace).value, drawn, "a = 1")
    check_close(Renyi(4, 1 - 1e-7).reduce(trace).value, drawn, "a near 1", 1e-6)
    values = [Renyi(4, a).reduce(trace).value for a in (-1.0, 0.0, 0.5, 1.0, 2.0)]
    assert all((more > less).all() for more, less in pairwise(values))
    assert [Renyi(4, a).is_bound for a in (-0.1, 0.0, 2.0)] == [False, True, True]


def test_a_combination_mixes_two_bounds():
    trace = weights()
    tight, loose = IWAE(4).reduce(trace).value, ELBO(4, analytic=False).reduce(trace).value
    for share in (0.0, 0.3, 1.0):
        mixed = (1 - share) * tight + share * loose
        check_close(CIWAE(4, share).reduce(trace).value, mixed, f"a share of {share}")


def test_a_mean_of_bounds_lies_between_the_one_bound_and_the_elbo():
    trace = weights()
    check_close(MIWAE(4, 1).reduce(trace).value, IWAE(4).reduce(trace).value, "one group")
    drawn = ELBO(4, analytic=False).reduce(trace).value
    check_close(MIWAE(4, 4).reduce(trace).value, drawn, "a group a draw")
    log_weight = trace.log_weight
    two = (torch.logaddexp(log_weight[0], log_weight[1])
           + torch.logaddexp(log_weight[2], log_weight[3])) / 2 - math.log(2)  # fmt: skip
    check_close(MIWAE(4, 2).reduce(trace).value, two, "two groups of two")
    assert (MIWAE(4, 2).reduce(trace).value < IWAE(4).reduce(trace).value).all()
    with pytest.raises(SettingError, match="3 groups do not divide 4 samples"):
        MIWAE(4, 3)


def sides(objective, seed=0):
    """Gradients of encoder and decoder, in one row each."""
    torch.manual_seed(1)
    q = lb.posteriors.DiagonalGaussian(lb.networks.MLP((4,), (2, 2), (5,)))
    p = lb.likelihoods.Fields(lb.networks.MLP((2,), (1, 4), (5,)), lb.likelihoods.Bernoulli())
    model = lb.VAE(lb.priors.Mixture(2, 3), q, p).double()
    batch = lb.Batch((torch.arange(12).reshape(3, 4) % 3 == 0).double())
    torch.manual_seed(seed)
    value = objective(model, batch).value
    value.sum().backward()
    own = [model.posterior, model.likelihood, model.prior]
    return value.detach(), [torch.cat([w.grad.flatten() for w in m.parameters()]) for m in own]


def test_the_decoder_learns_from_one_bound_and_the_encoder_from_the_mean():
    (whole, (_, decoder, prior)), (_, (encoder, *_)) = sides(IWAE(6)), sides(MIWAE(6, 3))
    value, found = sides(PIWAE(6, 3))
    check_close(value, whole, "the value")
    check_close(found[0], encoder, "the encoder's gradient", unit="plain")
    check_close(found[1], decoder, "the decoder's gradient", unit="plain")
    check_close(found[2], prior, "the prior's gradient", unit="plain")
    assert (sides(IWAE(6))[1][0] - encoder).abs().max() > 1e-3  # they are not the same


def gaussian_trace(mean, scale, draws=1, seed=0):
    q = Independent(Normal(mean, scale), 1)
    p = lb.priors.StandardNormal(mean.shape[1]).double()()
    torch.manual_seed(seed)
    z = q.rsample((draws,))
    return Trace(-z.square().sum(dim=-1), {"z": Latent(z, p, q)})


def test_information_correlation_and_divergence_of_units_add_up_to_the_rate():
    torch.manual_seed(0)
    trace = gaussian_trace(torch.randn(6, 3, dtype=F64), torch.rand(6, 3, dtype=F64) + 0.2, 5)
    latent = trace.latents["z"]
    units = latent.q.base_dist.log_prob(latent.z.unsqueeze(2))
    log_q = units.sum(dim=-1).logsumexp(dim=2) - math.log(6)
    each = units.logsumexp(dim=2) - math.log(6)
    information = (latent.log_q - log_q).mean(dim=0)
    apart = (each.sum(dim=-1) - latent.log_p).mean(dim=0)
    rate = (latent.log_q - latent.log_p).mean(dim=0)
    correlation = total_correlation(latent)
    check_close(information + correlation + apart, rate, "the parts of the rate")
    inside = ELBO(5).reduce(trace)
    value = TotalCorrelation(ELBO(5), 4.0).reduce(trace).value
    check_close(value, inside.value - 4.0 * correlation, "the value")


def test_the_total_correlation_of_a_line_is_that_of_its_gaussian():
    # z = (u, u) + noise of 0.3: half of -log(1 - r^2)
    torch.manual_seed(0)
    u = torch.randn(2500, 1, dtype=F64)
    trace = gaussian_trace(u.expand(-1, 2), torch.full((2500, 2), 0.3, dtype=F64))
    correlation = 1 / 1.09
    known = -0.5 * math.log(1 - correlation**2)
    assert_mean(
        total_correlation(trace.latents["z"]), known, resolves=0.15, name="total correlation"
    )


def test_a_covariance_of_the_identity_costs_nothing_and_another_its_squares():
    corners = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]], dtype=F64)
    tight = torch.full_like(corners, 1e-6)
    inside = ELBO().reduce(gaussian_trace(corners, tight)).value
    check_close(
        Disentangled(ELBO()).reduce(gaussian_trace(corners, tight)).value, inside, "I", 1e-6
    )
    line = torch.tensor([[1.0, 1], [-1, -1]], dtype=F64)
    trace = gaussian_trace(line, torch.full_like(line, 0.5))
    inside = ELBO().reduce(trace).value
    # means: variances 1, covariance 1; with the spread of z variances are 1.25
    first = Disentangled(ELBO(), 3.0, 7.0, whole=False).reduce(trace).value
    check_close(first, inside - 3.0 * 2, "DIP-I")
    second = Disentangled(ELBO(), 3.0, 7.0).reduce(trace).value
    check_close(second, inside - 3.0 * 2 - 7.0 * 2 * 0.25**2, "DIP-II")


def test_the_discrepancy_of_one_law_is_zero_on_average_and_of_two_is_not():
    torch.manual_seed(0)
    same = torch.stack([discrepancy(*torch.randn(2, 20, 2, dtype=F64)) for _ in range(800)])
    assert_mean(same, 0.0, resolves=0.05, name="the squared discrepancy of one law")
    assert bool((same < 0).any())  # without bias: it is negative at times
    a, b = torch.randn(2, 200, 2, dtype=F64)
    assert float(discrepancy(a + 1.0, b)) > 0.2
    trace = gaussian_trace(a + 1.0, torch.full_like(a, 0.1))
    torch.manual_seed(1)
    value = Discrepancy(ELBO(), 10.0, 0.0).reduce(trace)
    check_close(value.value - value.value[0], -value.distortion + value.distortion[0], "no rate")
    with pytest.raises(SettingError, match="at least 2 examples"):
        discrepancy(a[:1], b[:1])


def test_capacity_asks_for_its_nats_and_rises_to_them():
    torch.manual_seed(0)
    trace = gaussian_trace(torch.randn(6, 3, dtype=F64), torch.full((6, 3), 0.5, dtype=F64))
    inside = ELBO().reduce(trace)
    mean = float(inside.rate.mean())
    met = Capacity(ELBO(), mean, 100.0).reduce(trace)
    check_close(met.value, -inside.distortion, "the value where the rate is met")
    for nats in (mean - 0.5, mean + 0.5):
        missed = Capacity(ELBO(), nats, 100.0).reduce(trace)
        check_close(missed.value, -inside.distortion - 50.0, "half a nat away")
    assert Capacity(ELBO(), 20.0, over=0.5).at(0.25).nats == 10.0
    assert Capacity(ELBO(), 20.0, over=0.5).at(1.0).nats == 20.0


def test_what_guides_judges_no_model():
    for guide in (TotalCorrelation(ELBO()), Disentangled(ELBO()), Discrepancy(ELBO()), Capacity()):
        assert not guide.is_bound
        assert isinstance(guide.criterion, ELBO)
        assert guide.at(1.0).criterion == guide.criterion
    full = lb.posteriors.FullGaussian(lb.networks.MLP((2,), (4, 3)))
    latent = Latent(torch.zeros(1, 5, 3), lb.priors.StandardNormal(3)(), full(torch.zeros(5, 2)))
    with pytest.raises(SettingError, match="independent units; use posterior=diagonal"):
        total_correlation(latent)


def test_cycles_rise_from_zero_and_end_at_one():
    rise = Cycles(2, 0.5)
    assert [rise(at) for at in (0.0, 0.125, 0.25, 0.4, 0.5, 0.625, 0.999, 1.0)] == [
        0.0, 0.5, 1.0, 1.0, 0.0, 0.5, 1.0, 1.0,
    ]  # fmt: skip


def constrained(seed=0):
    torch.manual_seed(seed)
    reference = LinearGaussian.random(2, 6)
    q = lb.posteriors.DiagonalGaussian(lb.networks.MLP((6,), (2, 2), ()))
    p = lb.likelihoods.Fields(
        lb.networks.MLP((2,), (1, 6), ()), reference.vae().likelihood.parts[0]
    )
    model = Constrained(lb.VAE(lb.priors.StandardNormal(2), q, p)).double()
    return model, lb.Batch(reference.simulate(64).x)


def test_a_multiplier_weighs_the_distance_from_the_tolerance_and_climbs_by_it():
    model, batch = constrained()
    with torch.no_grad():
        model.log_multiplier.fill_(0.7)
    torch.manual_seed(0)
    elbo = ELBO()(model, batch)
    torch.manual_seed(0)
    found = GECO(5.0)(model, batch)
    multiplier = torch.tensor(0.7, dtype=F64).exp()
    check_close(found.value, -elbo.rate - multiplier * (elbo.distortion - 5.0), "the value")
    (climb,) = torch.autograd.grad(found.value.mean(), model.log_multiplier)
    check_close(climb, (elbo.distortion - 5.0).mean(), "the slope of u", unit="plain")
    assert GECO(5.0).criterion == ELBO()
    with pytest.raises(SettingError, match="use recipe geco"):
        GECO(5.0)(model.model, batch)


def test_the_constraint_is_met_in_the_end():
    model, batch = constrained()
    learned = list(model.parameters())
    best = float(ELBO()(model, batch).distortion.mean().detach())
    for step in range(200):
        value = GECO(0.6 * best)(model, batch).value.mean()
        slopes = torch.autograd.grad(value, learned)
        with torch.no_grad():  # as long as Adam's steps
            for weight, slope in zip(learned, slopes, strict=True):
                size = 0.1 if weight is model.log_multiplier else 0.03
                weight += size * (1 - step / 200) * slope.sign()
    apart = torch.stack([ELBO()(model, batch).distortion.mean().detach() for _ in range(20)])
    assert abs(float(apart.mean()) / (0.6 * best) - 1) < 0.05
