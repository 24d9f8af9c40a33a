"""The linear Gaussian VAE: every number of it is known."""

import pytest
import torch

from lowerbound.data import Batch
from lowerbound.objectives import ELBO, IWAE
from lowerbound.posteriors import DiagonalGaussian, FullGaussian
from lowerbound.testing import (
    LinearGaussian,
    assert_close_gradient,
    assert_mean,
    check_calibration,
    check_known_answer,
    cubature,
    given_noise,
)

POSTERIORS = [FullGaussian, DiagonalGaussian]


def reference_for(posterior, latents=3, dimensions=5) -> LinearGaussian:
    return LinearGaussian.random(latents, dimensions, orthogonal=posterior is DiagonalGaussian)


@pytest.mark.parametrize("posterior", POSTERIORS)
@pytest.mark.parametrize("latents", [1, 3])
def test_exact_posterior_makes_every_sample_the_evidence(posterior, latents):
    reference = reference_for(posterior, latents)
    check_known_answer(reference, reference.vae(posterior))


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_the_closed_form_bound_is_the_evidence_in_expectation(posterior):
    reference = reference_for(posterior)
    x = reference.simulate(6).x
    with given_noise(cubature(3)), torch.no_grad():
        value = ELBO(samples=6)(reference.vae(posterior), Batch(x)).value
    assert torch.allclose(value, reference.log_evidence(x), rtol=1e-10)


@pytest.mark.parametrize("posterior", POSTERIORS)
@pytest.mark.parametrize("analytic", [True, False])
def test_closed_and_drawn_rates_give_the_same_bound_under_a_wrong_posterior(posterior, analytic):
    reference = reference_for(posterior)
    x, model = reference.simulate(4).x, reference.vae(posterior)
    with torch.no_grad():
        for parameter in model.posterior.parameters():
            parameter.add_(0.03 * torch.randn_like(parameter))
        with given_noise(cubature(3)):
            exact = ELBO(samples=6)(model, Batch(x)).value
            assert torch.allclose(ELBO(6, analytic)(model, Batch(x)).value, exact, rtol=1e-10)
        assert bool((exact < reference.log_evidence(x)).all())
        # and on fresh noise: 20,000 draws of the bound of each row
        trace = model.trace(Batch(x), 20_000)
        drawn = trace.log_px + trace.log_pz - trace.log_qz
        closed = trace.log_px - trace.kl["z"].sum(dim=-1)
    assert_mean(closed if analytic else drawn, exact, resolves=0.4)


def evidence_of(weight, bias, scale, x):
    return LinearGaussian(weight, bias, scale).log_evidence(x).sum()


@pytest.mark.parametrize("posterior", POSTERIORS)
@pytest.mark.parametrize("objective", [ELBO(6), ELBO(6, analytic=False)], ids=["closed", "drawn"])
def test_the_gradient_of_the_bound_is_the_gradient_of_the_evidence(posterior, objective):
    # E_q[grad log p(x, z)] = grad log p(x) at q = p(z|x): Fisher's identity, exact by cubature
    reference = reference_for(posterior)
    x, model = reference.simulate(6).x, reference.vae(posterior)
    decoder, scale = model.likelihood.network.layers[0], model.likelihood.parts[0].scale
    scale.value.requires_grad_()
    wanted = [decoder.weight, decoder.bias, scale.value]
    with given_noise(cubature(3)):
        value = objective(model, Batch(x)).value.sum()
    got = torch.autograd.grad(value, [*wanted, *model.posterior.parameters()])
    leaves = [t.clone().requires_grad_() for t in (reference.weight, reference.bias)]
    leaves.append(reference.scale.clone().requires_grad_())
    expected = torch.autograd.grad(evidence_of(*leaves, x), leaves)
    for one, other in zip(got, expected, strict=False):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-9)
    for gradient in got[len(wanted) :]:  # the encoder is where the bound is highest
        assert torch.allclose(gradient, torch.zeros_like(gradient), atol=1e-9)


def test_the_evidence_has_the_gradient_of_its_differences():
    reference = LinearGaussian.random(2, 3)
    x = reference.simulate(4).x
    assert_close_gradient(
        lambda w, b, s: evidence_of(w, b, s, x),
        [reference.weight, reference.bias, reference.scale.view(())],
    )


@pytest.mark.parametrize("posterior", POSTERIORS)
@pytest.mark.parametrize("objective", [ELBO(1, False, "path"), ELBO(4, False, "path")])
def test_the_path_gradient_has_no_variance_at_the_exact_posterior(posterior, objective):
    reference = reference_for(posterior)
    x, model = reference.simulate(5).x, reference.vae(posterior)
    encoder = list(model.posterior.parameters())
    value = objective(model, Batch(x)).value.sum()
    for gradient in torch.autograd.grad(value, encoder):
        assert torch.allclose(gradient, torch.zeros_like(gradient), atol=1e-8)
    total = torch.autograd.grad(ELBO(1, analytic=False)(model, Batch(x)).value.sum(), encoder)
    assert max(float(gradient.abs().max()) for gradient in total) > 0.1


def test_path_and_total_gradients_agree_in_expectation():
    reference = LinearGaussian.random(2, 3)
    x, model = reference.simulate(3).x, reference.vae()
    with torch.no_grad():
        for parameter in model.posterior.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    gradients = []
    for gradient in ("total", "path"):
        with given_noise(cubature(2)):
            value = ELBO(4, analytic=False, gradient=gradient)(model, Batch(x)).value.sum()
        gradients.append(torch.autograd.grad(value, list(model.posterior.parameters())))
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, rtol=1e-8, atol=1e-9)


def test_importance_weights_estimate_the_evidence_without_bias_under_a_wrong_posterior():
    reference = LinearGaussian.random(2, 3)
    x, model = reference.simulate(3).x, reference.vae()
    with torch.no_grad():
        model.posterior.network.layers[0].bias[2:] *= 0.6  # wider than the posterior
        weights = (model.trace(Batch(x), 40_000).log_weight - reference.log_evidence(x)).exp()
    assert_mean(weights, 1.0, resolves=0.1)


def test_bounds_hold_for_a_wrong_decoder_too():
    reference = LinearGaussian.random(2, 3)
    x, model = reference.simulate(200).x, reference.vae()
    with torch.no_grad():
        model.likelihood.network.layers[0].weight.mul_(1.3)
        changed = LinearGaussian(reference.weight * 1.3, reference.bias, reference.scale)
        with given_noise(cubature(2)):
            gap = changed.log_evidence(x) - ELBO(4)(model, Batch(x)).value
        kl = torch.distributions.kl_divergence(reference.posterior(x), changed.posterior(x))
    assert torch.allclose(gap, kl, rtol=1e-8)  # log p(x) - ELBO = KL(q(z|x) || p(z|x))


@pytest.mark.parametrize("orthogonal", [False, True])
def test_ranks_are_uniform_under_the_exact_posterior(orthogonal):
    reference = LinearGaussian.random(2, 4, orthogonal=orthogonal)
    model = reference.vae(DiagonalGaussian if orthogonal else FullGaussian)
    check_calibration(reference, model.posterior)


WRONG = {
    "too wide": lambda q: (q.mean, 1.15),
    "too narrow": lambda q: (q.mean, 0.87),
    "shifted": lambda q: (q.mean + 0.06, 1.0),
}


@pytest.mark.parametrize("name", WRONG)
def test_ranks_are_not_uniform_under_a_wrong_posterior(name):
    reference = LinearGaussian.random(2, 4, orthogonal=True)

    def posterior(x):
        q = reference.posterior(x)
        mean, factor = WRONG[name](q)
        return torch.distributions.MultivariateNormal(mean, q.covariance_matrix * factor**2)

    with pytest.raises(AssertionError, match="ranks"):
        check_calibration(reference, posterior)


def test_more_draws_of_the_exact_posterior_add_nothing():
    reference = LinearGaussian.random(2, 3)
    x, model = reference.simulate(5).x, reference.vae()
    with torch.no_grad():
        few, many = (IWAE(k)(model, Batch(x)).value for k in (1, 500))
    assert torch.allclose(few, many, rtol=1e-10)
