"""Evidence of every example: exact where it is known, and the same in chunks as at once."""

import math
import sys

import pytest
import torch

import lowerbound as lb
from lowerbound.data import Examples
from lowerbound.errors import DataError, SettingError
from lowerbound.evaluation import evidence
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.testing import BernoulliMixture, LinearGaussian, assert_mean_at_most

MODULE = sys.modules[evidence.__module__]  # the function hides its module


def wrong(reference: LinearGaussian, posterior=DiagonalGaussian) -> torch.nn.Module:
    model = reference.vae(posterior)
    with torch.no_grad():
        model.posterior.network.layers[0].bias.add_(0.15)
    return model


def test_the_log_likelihood_of_every_example_is_the_closed_form():
    reference = LinearGaussian.random(3, 5)
    x = reference.simulate(600).x
    found = evidence(reference.vae(), Examples(x), samples=7)
    assert torch.allclose(found.log_likelihood, reference.log_evidence(x), rtol=1e-10)
    assert found.log_likelihood.dtype == torch.float64
    assert torch.allclose(found.means, reference.posterior(x).mean)
    expected = torch.distributions.kl_divergence(
        reference.posterior(x),
        torch.distributions.MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double()),
    )
    assert torch.allclose(found.rate, expected)
    assert torch.allclose(found.elbo, -(found.distortion + found.rate))
    assert found.unit_rate is None  # a full Gaussian has no units of its own


class Bank:
    """Noise that belongs to an example and a draw, in whatever chunks it is asked for."""

    def __init__(self, samples: int, count: int, latents: int) -> None:
        self.noise = torch.randn(samples, count, latents, dtype=torch.float64)
        self.asked, self.row, self.draw = [], 0, 0

    def __call__(self, shape, dtype, device):
        draws, rows, _ = shape
        self.asked.append((draws, rows))
        chunk = self.noise[self.draw : self.draw + draws, self.row : self.row + rows]
        self.draw += draws
        if self.draw == len(self.noise):
            self.draw, self.row = 0, self.row + rows
        assert chunk.shape == shape
        return chunk


def test_chunks_of_draws_and_examples_give_what_one_computation_gives(monkeypatch):
    reference = LinearGaussian.random(2, 5, orthogonal=True)
    model, x = wrong(reference), reference.simulate(23).x
    bank, results = Bank(17, 23, 2), []
    monkeypatch.setattr("torch.distributions.normal._standard_normal", bank)
    monkeypatch.setattr(MODULE, "FEWEST_CELLS", 1)
    for cells, rows in ((10**9, 500), (5 * 17 * 4, 500), (5 * 12, 4), (1, 500), (10**9, 1)):
        monkeypatch.setattr(MODULE, "CELLS_AT_ONCE", cells)
        monkeypatch.setattr(MODULE, "EXAMPLES_AT_ONCE", rows)
        bank.row = bank.draw = 0
        results.append(evidence(model, Examples(x), 17))
    assert (17, 23) in bank.asked
    assert (17, 4) in bank.asked
    assert (17, 3) in bank.asked  # the last examples are fewer
    assert (12, 1) in bank.asked
    assert (5, 1) in bank.asked  # the last draws of an example are fewer
    assert (1, 1) in bank.asked
    for result in results[1:]:
        for name in ("elbo", "log_likelihood", "distortion", "rate", "means", "unit_rate", "tail"):
            assert torch.allclose(
                getattr(result, name), getattr(results[0], name), rtol=1e-11, equal_nan=True
            )
        for k, bound in results[0].ladder.items():
            assert torch.allclose(result.ladder[k], bound, rtol=1e-11)


def test_no_chunk_holds_more_than_it_may(monkeypatch):
    reference = LinearGaussian.random(2, 5, orthogonal=True)
    model, x = reference.vae(DiagonalGaussian), reference.simulate(50).x
    decoded = []
    model.likelihood.network.register_forward_hook(lambda m, i, o: decoded.append(o.numel()))
    monkeypatch.setattr(MODULE, "CELLS_AT_ONCE", 200)
    monkeypatch.setattr(MODULE, "FEWEST_CELLS", 1)
    evidence(model, Examples(x), 40)
    assert max(decoded) <= 200
    assert sum(decoded[1:]) == 50 * 40 * 5  # one row was decoded to see how large a law is


def test_a_cell_of_many_parameters_counts_as_many(monkeypatch):
    """Twenty levels: as cells alone, a categorical of 256 levels took 128 times the memory."""
    posterior = lb.posteriors.DiagonalGaussian(lb.networks.MLP((4,), (2, 2)))
    likelihood = lb.likelihoods.Fields(
        lb.networks.MLP((2,), (20, 4)), lb.likelihoods.Categorical(levels=20)
    )
    model = lb.VAE(lb.priors.StandardNormal(2), posterior, likelihood)
    decoded = []
    likelihood.network.register_forward_hook(lambda m, i, o: decoded.append(o.numel()))
    monkeypatch.setattr(MODULE, "CELLS_AT_ONCE", 200)
    monkeypatch.setattr(MODULE, "FEWEST_CELLS", 1)
    evidence(model, Examples(torch.zeros(10, 4)), 10)
    assert max(decoded) <= 2 * 200
    assert sum(decoded[1:]) == 10 * 10 * 4 * 20


def test_the_importance_weighted_bound_is_no_worse_than_the_elbo_and_below_the_evidence():
    reference = LinearGaussian.random(2, 5, orthogonal=True)
    x = reference.simulate(2000).x
    found = evidence(wrong(reference), Examples(x), 50)
    exact = reference.log_evidence(x)
    assert_mean_at_most(found.elbo - found.log_likelihood, 0.0, resolves=0.05)
    assert_mean_at_most(found.log_likelihood - exact, 0.0, resolves=0.05)
    assert float((exact - found.log_likelihood).mean()) < 0.02
    assert float((exact - found.elbo).mean()) > 0.05


def test_the_rate_of_each_unit_is_its_mean_over_examples():
    reference = LinearGaussian.random(3, 5, orthogonal=True)
    x = reference.simulate(700).x
    found = evidence(reference.vae(DiagonalGaussian), Examples(x), 2)
    q = reference.posterior(x)
    variance = torch.diagonal(q.covariance_matrix, dim1=-2, dim2=-1)
    expected = 0.5 * (q.mean**2 + variance - 1 - variance.log())
    assert torch.allclose(found.unit_rate, expected.mean(dim=0))
    assert float(found.unit_rate.sum()) == pytest.approx(float(found.rate.mean()))


def test_a_model_that_is_no_vae_is_evaluated():
    model = BernoulliMixture(exact=True)
    x = torch.bernoulli(torch.full((9, 4), 0.5).double())
    found = evidence(model, Examples(x), 3)
    assert torch.allclose(found.log_likelihood, model.log_evidence(x))
    best = model.log_posterior(x).argmax(dim=0)
    assert torch.equal(found.means, model.states[best])  # the mode stands for a law of codes


def test_the_model_and_the_random_state_are_left_as_they_were():
    reference = LinearGaussian.random(2, 3)
    model, part = reference.vae().train(), Examples(reference.simulate(5).x)
    before, told = torch.get_rng_state(), []
    one = evidence(model, part, 3, seed=4, progress=lambda done, of: told.append((done, of)))
    other = evidence(model, part, 3, seed=4)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training
    assert torch.equal(one.elbo, other.elbo)
    assert not torch.equal(one.distortion, evidence(model, part, 3, seed=5).distortion)
    assert told == [(5, 5)]
    assert not one.elbo.requires_grad


def test_weights_that_no_float_holds_are_summed_as_logarithms():
    reference = LinearGaussian(
        torch.eye(3, 1, dtype=torch.float64), torch.zeros(3).double(), torch.tensor(1e-3).double()
    )
    far = torch.full((2, 3), 50.0, dtype=torch.float64)  # log p(x) is about -2.5e9
    found = evidence(reference.vae(), Examples(far), 5)
    assert torch.allclose(found.log_likelihood, reference.log_evidence(far), rtol=1e-9)
    assert math.exp(float(found.log_likelihood[0])) == 0.0


@pytest.mark.parametrize("samples", [0, -1, 1.5, True])
def test_impossible_numbers_of_draws_and_nothing_to_evaluate_are_refused(samples):
    model = LinearGaussian.random(2, 3).vae()
    with pytest.raises(SettingError, match="at least 1"):
        evidence(model, Examples(torch.zeros(2, 3)), samples)
    with pytest.raises(DataError, match="no examples"):
        evidence(model, Examples(torch.zeros(0, 3)), 3)
