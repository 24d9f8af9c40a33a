"""Laplace, gamma, Dirichlet and directions: closed forms, and pairs whose evidence is known."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import gammaln
from torch import nn
from torch.distributions import Gamma, Multinomial, Poisson

from lowerbound import posteriors, priors
from lowerbound.catalogue import build
from lowerbound.core import Trace
from lowerbound.core.trace import Latent
from lowerbound.distributions import (
    Independent,
    PowerSpherical,
    UniformSphere,
    analytic_kl,
    centre,
    log_prob,
)
from lowerbound.errors import SettingError
from lowerbound.objectives import IWAE
from lowerbound.posteriors.families import positive
from lowerbound.testing import assert_close_gradient, assert_mean, check_close
from lowerbound.testing.table import SCHEMAS

F64 = torch.float64


def traced(p, q, law, x, samples=3):
    """A trace of q's draws by hand."""
    z = q.rsample((samples,))
    return Trace(law(z).log_prob(x).double().sum(dim=-1), {"z": Latent(z, p, q)})


def test_counts_under_a_gamma_prior_have_the_evidence_of_a_negative_binomial():
    prior, x = priors.Gamma(3, 1.7).double()(), torch.tensor([[0.0, 2, 7], [1, 1, 0]], dtype=F64)
    exact = Independent(Gamma(1.7 + x, torch.full_like(x, 2.0)), 1)
    trace = traced(prior, exact, Poisson, x)
    known = torch.tensor(stats.nbinom.logpmf(x.numpy(), 1.7, 0.5).sum(axis=-1))
    check_close(trace.log_weight, known.expand(3, 2), "every draw", 1e-10)
    check_close(IWAE(3).reduce(trace).value, known, "the bound", 1e-10)


def test_bits_and_counts_under_a_dirichlet_prior_have_the_evidence_of_polya():
    prior, x = priors.Dirichlet(3, 0.6).double()(), torch.tensor([[4.0, 0, 1]], dtype=F64)
    exact = torch.distributions.Dirichlet(0.6 + x)
    z = exact.rsample((3,))
    law = Multinomial(5, probs=z, validate_args=False)
    trace = Trace(law.log_prob(x), {"z": Latent(z, prior, exact)})
    a, n = np.full(3, 0.6), x.numpy()[0]
    known = gammaln(6) - gammaln(n + 1).sum() + gammaln(a.sum()) - gammaln(5 + a.sum())
    known += (gammaln(n + a) - gammaln(a)).sum()
    check_close(trace.log_weight, torch.full((3, 1), known, dtype=F64), "every draw", 1e-10)
    # two shares are a beta law, whose bits have the evidence a / (a + b)
    coin = priors.Dirichlet(2, 1.3).double()()
    after = torch.distributions.Dirichlet(torch.tensor([[2.3, 1.3]], dtype=F64))
    z = after.rsample((3,))
    one = Trace(z[..., 0].log(), {"z": Latent(z, coin, after)})
    check_close(one.log_weight, torch.full((3, 1), math.log(0.5), dtype=F64), "a coin", 1e-10)


def law_of(family, numbers):
    class Given(nn.Module):
        def forward(self, x):
            return x

    return family(Given())(numbers)


PAIRS = [
    (posteriors.LaplacePosterior, priors.HeavyTailed(2, "laplace"), 2),
    (posteriors.GammaPosterior, priors.Gamma(2, 0.7), 2),
    (posteriors.DirichletPosterior, priors.Dirichlet(2, 0.7), 1),
    (posteriors.PowerSphericalPosterior, priors.Sphere(2), 2),
]


@pytest.mark.parametrize(("family", "prior", "rows"), PAIRS)
def test_the_rate_has_a_closed_form_which_is_the_mean_over_draws(family, prior, rows):
    torch.manual_seed(0)
    numbers = 0.3 * torch.randn(1, rows, 2, dtype=F64)
    q, p = law_of(family, numbers), prior.double()()
    closed = analytic_kl(q, p)
    assert closed is not None and closed.dtype == F64
    z = q.sample((20_000,))
    ratio = log_prob(q, z) - log_prob(p, z)
    assert_mean(ratio, closed.sum(dim=-1), resolves=0.1, name="the closed rate")
    assert_close_gradient(lambda n: analytic_kl(law_of(family, n), p), [numbers])


def test_a_posterior_of_the_priors_own_numbers_costs_nothing():
    assert torch.allclose(positive(torch.zeros(1, dtype=F64)), torch.ones(1, dtype=F64), atol=1e-5)
    zero = torch.zeros(1, 2, 3, dtype=F64)
    for family, prior in (
        (posteriors.GammaPosterior, priors.Gamma(3)),
        (posteriors.LaplacePosterior, priors.HeavyTailed(3, "laplace")),
    ):
        rate = analytic_kl(law_of(family, zero), prior.double()())
        assert torch.allclose(rate, torch.zeros(1, 3, dtype=F64), atol=1e-9)
    even = analytic_kl(
        PowerSpherical(torch.eye(3)[:1], torch.zeros(1)), UniformSphere(torch.eye(3)[0])
    )
    assert torch.allclose(even, torch.zeros(1, 1, dtype=F64), atol=1e-12)


def test_no_draw_of_the_least_concentration_is_zero():
    # at a concentration of 0.01 four of ten float32 draws are
    a = positive(torch.full((1, 2, 20_000), -1e4))
    assert float(a.min()) == pytest.approx(0.1, abs=1e-5)
    z = law_of(posteriors.GammaPosterior, torch.full((1, 2, 20_000), -1e4)).rsample()
    assert float(z.min()) > 0 and torch.isfinite(Gamma(a, a).log_prob(z[0])).all()


def test_the_density_on_the_circle_is_that_of_a_beta_cosine():
    m, k = torch.tensor([[0.6, 0.8]], dtype=F64), torch.tensor([3.5], dtype=F64)
    q = PowerSpherical(m, k)
    angle = torch.linspace(0, 2 * math.pi, 2001, dtype=F64)[:-1]
    z = torch.stack([angle.cos(), angle.sin()], dim=-1).unsqueeze(1)
    density = log_prob(q, z).exp()
    assert float(density.sum()) * 2 * math.pi / 2000 == pytest.approx(1.0, abs=1e-9)
    # the cosine t = m . z has the density of 2 Beta(k + 1/2, 1/2) - 1
    drawn = (q.sample((20_000,)) * m).sum(dim=-1)
    beta = stats.beta(4.0, 0.5)
    assert_mean(drawn, torch.tensor(2 * beta.mean() - 1), resolves=0.03, name="the cosine")
    assert float(q.entropy()) == pytest.approx(
        -float((density * density.log()).sum()) * 2 * math.pi / 2000, abs=1e-9
    )


@pytest.mark.parametrize("angle", [0.0, 1e-4, 1.5, math.pi - 1e-4, math.pi])
@pytest.mark.parametrize("k", [0.0, 3.0, 1e6])
def test_draws_stay_on_the_sphere_and_about_their_direction(angle, k):
    # a reflection that divides by |u| + 1e-5 leaves the sphere by a quarter near the first axis
    m = torch.tensor([[math.cos(angle), math.sin(angle), 0.0, 0.0]])
    z = PowerSpherical(m, torch.tensor([k])).rsample((5000,))
    assert torch.allclose(z.norm(dim=-1), torch.ones(5000, 1), atol=1e-5)
    assert torch.isfinite(log_prob(PowerSpherical(m, torch.tensor([k])), z)).all()
    cosine = (z * m).sum(dim=-1).mean()
    assert float(cosine) == pytest.approx(k / (k + 3), abs=0.05)


def test_opposite_the_direction_the_density_and_its_gradient_are_numbers():
    m = torch.tensor([[1.0, 0.0, 0.0]], requires_grad=True)
    value = log_prob(PowerSpherical(m, torch.tensor([5.0])), -m.detach())
    value.sum().backward()
    assert torch.isfinite(value).all() and torch.isfinite(m.grad).all()


def test_a_network_that_puts_out_nothing_points_somewhere():
    q = law_of(posteriors.PowerSphericalPosterior, torch.zeros(2, 2, 3))
    assert torch.equal(centre(q), torch.eye(3)[:1].expand(2, 3))


def test_parts_of_other_values_are_refused_with_the_prior_that_fits():
    schema = SCHEMAS["binary 5"]
    for settings, words in (
        ({"posterior": "gamma"}, "gives positive numbers.*law of reals; use prior=gamma"),
        ({"prior": "sphere"}, "gives reals.*law of directions; use prior=standard-normal"),
        ({"posterior": "categorical"}, "use prior=categorical"),
        ({"prior": "dirichlet", "posterior": "bernoulli"}, "use prior=bernoulli"),
    ):
        with pytest.raises(SettingError, match=words):
            build("vae", schema, latents=2, hidden=(4,), **settings)
    for name in ("sphere", "dirichlet"):
        with pytest.raises(SettingError, match="at least 2 latents"):
            build("vae", schema, latents=1, hidden=(4,), prior=name)


@pytest.mark.parametrize("wrong", [0.01, 2000.0])
@pytest.mark.parametrize("prior", [priors.Gamma, priors.Dirichlet])
def test_a_concentration_whose_draws_would_vanish_is_refused(prior, wrong):
    with pytest.raises(SettingError, match=r"from 0\.05 to 1000"):
        prior(2, wrong)
