"""The product of a prior, a posterior and a likelihood."""

import pytest
import torch

from lowerbound.core import Traceable
from lowerbound.data import Batch
from lowerbound.errors import SettingError, ShapeError
from lowerbound.likelihoods import Bernoulli, Fields, Gaussian
from lowerbound.models import VAE
from lowerbound.networks import MLP
from lowerbound.posteriors import BernoulliPosterior, DiagonalGaussian
from lowerbound.priors import StandardNormal
from lowerbound.testing import LinearGaussian, given_noise


def model_of(prior=2, posterior=2, likelihood=2, cells=3) -> VAE:
    return VAE(
        StandardNormal(prior),
        DiagonalGaussian(MLP((3,), (2, posterior), (4,))),
        Fields(MLP((likelihood,), (1, cells), (4,)), Bernoulli()),
    )


def test_parts_that_disagree_on_a_shape_are_refused_with_both_sides():
    batch = Batch(torch.zeros(2, 3))
    with pytest.raises(ShapeError, match="posterior has 2 latent units, the prior 4"):
        model_of(prior=4).trace(batch)
    with pytest.raises(ShapeError, match="likelihood is over 5, the data is 3"):
        model_of(cells=5).trace(batch)
    with pytest.raises(ShapeError, match="takes"):
        model_of(likelihood=3).trace(batch)
    with pytest.raises(SettingError, match="at least 1"):
        model_of().trace(batch, 0)


def test_a_prior_of_other_values_than_the_posterior_is_refused():
    # tunes were trained with bits under a Gaussian prior: a bound of nothing
    law = Fields(MLP((2,), (1, 3), (4,)), Bernoulli())
    with pytest.raises(SettingError, match="gives bits, and the prior is a law of reals"):
        VAE(StandardNormal(2), BernoulliPosterior(MLP((3,), (2,), (4,))), law)


def test_a_vae_is_a_latent_variable_model_and_says_what_it_is():
    model = model_of()
    assert isinstance(model, Traceable)
    text = str(model)
    for words in ("p(x, z) = p(z) p(x|z)", "N(0, I)", "Bernoulli(x; sigmoid f(z))", "MLP 3-4-4"):
        assert words in text
    assert f"{sum(p.numel() for p in model.parameters()):,} parameters" in text


def test_the_rows_of_a_batch_can_be_traced_one_by_one():
    reference = LinearGaussian.random(2, 4)
    model, x = reference.vae(), reference.simulate(6).x
    noise = torch.randn(3, 6, 2, dtype=torch.float64)
    with torch.no_grad():
        with given_noise(noise):
            together = model.trace(Batch(x), 3)
        for row in range(6):
            with given_noise(noise[:, row : row + 1]):
                alone = model.trace(Batch(x[row : row + 1]), 3)
            pairs = [(alone.latents["z"].z, together.latents["z"].z)]
            for name in ("log_px", "log_pz", "log_qz"):
                pairs.append((getattr(alone, name), getattr(together, name)))
            for one, other in pairs:
                assert torch.allclose(one, other[:, row : row + 1], rtol=1e-12)


def test_permuted_rows_with_permuted_noise_give_a_permuted_trace():
    reference = LinearGaussian.random(2, 4)
    model, x = reference.vae(), reference.simulate(6).x
    noise, order = torch.randn(3, 6, 2, dtype=torch.float64), torch.randperm(6)
    with torch.no_grad():
        with given_noise(noise):
            one = model.trace(Batch(x), 3)
        with given_noise(noise[:, order]):
            other = model.trace(Batch(x[order]), 3)
    assert torch.allclose(one.log_weight[:, order], other.log_weight, rtol=1e-12)


def test_what_is_observed_alone_is_scored_and_the_rest_integrates_out():
    # under the prior as posterior, log p(x_observed) by importance sampling is the marginal's
    reference = LinearGaussian.random(2, 4)
    x = reference.simulate(1).x
    observed = torch.tensor([[True, False, True, True]])
    kept = observed[0]
    marginal = LinearGaussian(reference.weight[kept], reference.bias[kept], reference.scale)
    model = reference.vae()
    narrow = marginal.posterior(x[:, kept])
    z = narrow.sample((7,))
    law = model.likelihood(z)
    log_px = law.log_prob(torch.where(observed, x, 0.0), observed)
    weight = log_px + model.prior().log_prob(z) - narrow.log_prob(z)
    expected = marginal.log_evidence(x[:, kept])
    assert torch.allclose(weight, expected.expand_as(weight), rtol=1e-9)


def test_log_densities_are_float64_even_when_the_networks_are_bfloat16():
    model = VAE(
        StandardNormal(2),
        DiagonalGaussian(MLP((3,), (2, 2), (4,))),
        Fields(MLP((2,), (1, 3), (4,)), Gaussian()),
    ).bfloat16()
    trace = model.trace(Batch(torch.zeros(5, 3)), 2)
    assert {trace.log_px.dtype, trace.log_pz.dtype, trace.log_qz.dtype} == {torch.float64}
