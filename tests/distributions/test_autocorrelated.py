"""A Gaussian over all cells of a series, against torch's own of the same covariance."""

import pytest
import torch
from torch.distributions import MultivariateNormal

from lowerbound.distributions import fill, log_prob
from lowerbound.likelihoods import AutocorrelatedGaussian
from lowerbound.testing import assert_mean

STEPS, CHANNELS = 4, 2
CELLS = STEPS * CHANNELS


class Means(torch.nn.Module):
    def forward(self, z):
        return z.reshape(*z.shape[:-1], 1, STEPS, CHANNELS)


@pytest.fixture(params=["scales of all series alike", "scales that follow z"])
def parts(request):
    torch.manual_seed(0)
    latents = CELLS if "follow" in request.param else 0
    unit = torch.tensor([[2.0, 0.1]], dtype=torch.float64)
    location = torch.tensor([[5.0, -3.0]], dtype=torch.float64)
    law = AutocorrelatedGaussian(Means(), (STEPS, CHANNELS), 2, latents, location, unit).double()
    with torch.no_grad():
        law.weights.normal_(0, 0.05)
        law.scales.normal_(0, 0.05)
        if law.spread is not None:
            law.spread[-1].bias.normal_(0, 0.5)
            law.spread[-1].weight.normal_(0, 0.2)
    z = torch.randn(3, CELLS, dtype=torch.float64)
    made = law(z)
    wide = torch.ones(3, CHANNELS).double()
    if law.spread is not None:
        wide = (1.5 * (law.spread(z) / 1.5).tanh()).exp()
    units = (unit * wide[:, None]).expand(3, STEPS, CHANNELS).flatten(1)
    spread = units[..., None] * torch.linalg.inv(made.whitener.matrix)
    mean = (location + unit * z.reshape(3, STEPS, CHANNELS)).flatten(1)
    return made, MultivariateNormal(mean, spread @ spread.mT), law


def test_the_deviations_are_the_autoregression_that_the_weights_say(parts):
    made, _, law = parts
    torch.manual_seed(1)
    r = torch.randn(STEPS, CHANNELS, dtype=torch.float64)
    assert (law.spread is None) == bool((made.spread == 1).all())
    a = law.weights * 10
    white = (made.whitener.matrix @ r.flatten()).reshape(STEPS, CHANNELS)
    for t in range(STEPS):
        e = r[t] - a[0].tril(-1) @ r[t]
        for k in range(1, min(t, 2) + 1):
            e = e - a[k] @ r[t - k]
        scale = (10 * law.scales[min(t, 2)]).exp()
        torch.testing.assert_close(white[t], e / scale)


def test_densities_are_those_of_the_gaussian_also_of_some_cells(parts):
    made, exact, _ = parts
    x = torch.randn(3, STEPS, CHANNELS, dtype=torch.float64)
    torch.testing.assert_close(log_prob(made, x), exact.log_prob(x.flatten(1)))
    known = torch.rand(3, STEPS, CHANNELS) < 0.6
    known[1] = True
    junk = torch.where(known, x, torch.nan)
    found = log_prob(made, junk, known)
    for row in range(3):
        some = known[row].flatten().nonzero().squeeze(1)
        own = MultivariateNormal(exact.mean[row, some], exact.covariance_matrix[row][some][:, some])
        torch.testing.assert_close(found[row], own.log_prob(x[row].flatten()[some]))
    draws = log_prob(made.expand((2, 3)), junk, known)
    torch.testing.assert_close(draws, found.expand(2, 3))


def test_what_an_unobserved_cell_holds_changes_no_bit_of_the_gradient(parts):
    _, _, law = parts
    known = torch.ones(3, STEPS, CHANNELS, dtype=torch.bool)
    known[0, 1:3] = False
    found = []
    for junk in (0.0, 1e30, float("nan")):
        x = torch.where(known, torch.ones(3, STEPS, CHANNELS, dtype=torch.float64), junk)
        law.zero_grad()
        law(torch.zeros(3, CELLS, dtype=torch.float64)).log_prob(x, known).sum().backward()
        found.append(law.weights.grad.clone())
    assert all(torch.equal(one, found[0]) for one in found)


def test_a_cell_given_the_others_is_the_whole_less_the_others(parts):
    made, _, _ = parts
    x = torch.randn(3, STEPS, CHANNELS, dtype=torch.float64)
    found, whole = made.cells(x), log_prob(made, x)
    for cell in range(CELLS):
        known = torch.ones(CELLS, dtype=torch.bool)
        known[cell] = False
        rest = log_prob(made, x, known.reshape(1, STEPS, CHANNELS).expand(3, -1, -1))
        torch.testing.assert_close(found.flatten(1)[:, cell], whole - rest)


def test_gaps_are_drawn_given_what_was_observed(parts):
    made, exact, _ = parts
    x = torch.randn(3, STEPS, CHANNELS, dtype=torch.float64)
    known = torch.ones(CELLS, dtype=torch.bool)
    known[2:5] = False
    cov = exact.covariance_matrix[0]
    every = exact.covariance_matrix
    left = every[:, ~known][..., known] @ torch.linalg.inv(every[:, known][..., known])
    apart = (x.flatten(1) - exact.mean)[:, known]
    mean = exact.mean[:, ~known] + (left @ apart.unsqueeze(-1)).squeeze(-1)
    left = left[0]
    narrow = cov[~known][:, ~known] - left @ cov[known][:, ~known]
    torch.manual_seed(2)
    many = made.expand((8000, 3))
    drawn, means = fill(many, x, known.reshape(STEPS, CHANNELS).expand_as(x))
    torch.testing.assert_close(means.flatten(2)[0][:, ~known], mean)
    apart = drawn.flatten(2)[:, 0][:, ~known] - mean[0]
    assert_mean(apart / narrow.diagonal().sqrt(), torch.zeros(3).double(), resolves=0.15)
    assert_mean(apart[:, 0] * apart[:, 1] / narrow[0, 1], torch.tensor(1.0).double(), resolves=0.6)
    assert bool((drawn.flatten(2)[0][:, known] - x.flatten(1)[:, known]).abs().max() < 1e-9)


def test_draws_have_the_covariance(parts):
    made, exact, _ = parts
    torch.manual_seed(3)
    apart = (made.sample((20_000,)).flatten(2)[:, 0] - exact.mean[0]) @ torch.linalg.inv(
        torch.linalg.cholesky(exact.covariance_matrix[0])
    ).T
    assert_mean(apart.square(), torch.ones(CELLS).double(), resolves=0.1)
    torch.testing.assert_close(made.stddev.flatten(1), exact.variance.sqrt())
