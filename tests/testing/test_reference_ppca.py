"""Probabilistic PCA of real data: a closed form, scikit-learn's, and what a linear VAE learns."""

import math

import numpy as np
import pytest
import torch
from sklearn import datasets
from sklearn.decomposition import PCA
from torch import Tensor

from lowerbound.data import Batch, Data, Examples, Field, Schema
from lowerbound.errors import DataError, SettingError
from lowerbound.likelihoods import Fields, Gaussian, SharedScale
from lowerbound.models import VAE
from lowerbound.networks import MLP
from lowerbound.objectives import ELBO
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.priors import StandardNormal
from lowerbound.testing import LinearGaussian, check_known_answer, cubature, given_noise
from lowerbound.training import Training, fit


def standardised(name: str) -> Tensor:
    """Centred, each column divided by its standard deviation, or all by one for the digits."""
    x = torch.tensor(getattr(datasets, f"load_{name}")().data, dtype=torch.float64)
    return (x - x.mean(dim=0)) / (x.std() if name == "digits" else x.std(dim=0))


SIZES = [
    ("iris", 1),
    ("iris", 3),
    ("breast_cancer", 5),
    ("breast_cancer", 29),
    ("digits", 2),
    ("digits", 40),
]


@pytest.mark.parametrize(("name", "latents"), SIZES)
def test_the_maximum_of_the_likelihood_is_that_of_scikit_learn(name, latents):
    x = standardised(name)
    best = LinearGaussian.maximum_likelihood(x, latents)
    by_sklearn = PCA(latents, svd_solver="full").fit(x.numpy())
    shrink = (len(x) - 1) / len(x)  # it divides the covariance by N - 1, which is no maximum
    by_sklearn.explained_variance_ = by_sklearn.explained_variance_ * shrink
    by_sklearn.noise_variance_ = by_sklearn.noise_variance_ * shrink
    expected = by_sklearn.score_samples(x.numpy())
    assert np.allclose(best.log_evidence(x), expected, rtol=1e-9, atol=1e-9)
    assert float(best.scale) == pytest.approx(math.sqrt(by_sklearn.noise_variance_), rel=1e-9)


@pytest.mark.parametrize(("name", "latents"), SIZES)
def test_a_diagonal_posterior_is_exact_at_the_maximum(name, latents):
    x = standardised(name)
    best = LinearGaussian.maximum_likelihood(x, latents)
    model = best.vae(DiagonalGaussian)
    check_known_answer(best, model)
    with given_noise(cubature(latents)), torch.no_grad():
        elbo = ELBO(2 * latents)(model, Batch(x[:50])).value
    assert torch.allclose(elbo, best.log_evidence(x[:50]), rtol=1e-9, atol=1e-9)


def test_no_step_away_from_the_maximum_is_up():
    x = standardised("iris")
    best = LinearGaussian.maximum_likelihood(x, 2)
    leaves = [t.clone().requires_grad_() for t in (best.weight, best.bias, best.scale)]
    evidence = LinearGaussian(*leaves).log_evidence(x).mean()
    for gradient in torch.autograd.grad(evidence, leaves):
        assert torch.allclose(gradient, torch.zeros_like(gradient), atol=1e-10)
    for _ in range(20):
        other = LinearGaussian(
            *(t + 0.02 * torch.randn_like(t) for t in map(Tensor.detach, leaves))
        )
        assert float(other.log_evidence(x).mean()) < float(evidence.detach())


def test_data_without_noise_and_impossible_sizes_have_no_maximum():
    flat = torch.randn(50, 2, dtype=torch.float64) @ torch.randn(2, 5, dtype=torch.float64)
    with pytest.raises(DataError, match="nothing is left for the noise"):
        LinearGaussian.maximum_likelihood(flat, 2)
    for latents in (0, 5):
        with pytest.raises(SettingError, match="1 to 4 latents"):
            LinearGaussian.maximum_likelihood(flat, latents)


def sine_of(one: Tensor, other: Tensor) -> float:
    """Of the largest principal angle between two column spaces."""
    one, other = torch.linalg.qr(one).Q, torch.linalg.qr(other).Q
    return float(torch.linalg.matrix_norm(other - one @ (one.T @ other), 2))


def check_learned(name: str, latents: int, samples: int, training: Training, degrees: float):
    """Trained on all rows, judged on the same: evidence within 0.01 nats, and the subspace."""
    x = standardised(name)
    dimensions = x.shape[1]
    torch.manual_seed(0)
    model = VAE(
        StandardNormal(latents),
        DiagonalGaussian(MLP((dimensions,), (2, latents), hidden=())),
        Fields(MLP((latents,), (1, dimensions), hidden=()), Gaussian(SharedScale())),
    ).double()
    rows = Examples(x)
    schema = Schema((Field("x", "real", (dimensions,), None),), (dimensions,))
    fit(model, ELBO(samples), Data(schema, rows, rows, rows, source=name), training, seed=0)
    layer, scale = model.likelihood.network.layers[0], model.likelihood.parts[0].scale()
    found = LinearGaussian(layer.weight.detach(), layer.bias.detach(), scale.detach())
    best = LinearGaussian.maximum_likelihood(x, latents)
    maximum, evidence = (float(m.log_evidence(x).mean()) for m in (best, found))
    with given_noise(cubature(latents)), torch.no_grad():
        elbo = float(ELBO(2 * latents)(model, Batch(x)).value.mean())
    assert maximum - 0.01 < evidence <= maximum
    assert evidence - 0.02 < elbo <= evidence
    assert math.degrees(math.asin(sine_of(best.weight, found.weight))) < degrees


@pytest.mark.slow
def test_a_trained_linear_vae_reaches_the_maximum_likelihood_of_iris():
    training = Training(
        epochs=400, batch_size=150, learning_rate=0.03, final_rate=0.0, average=0.98
    )
    check_learned("iris", 2, 4, training, degrees=0.5)


@pytest.mark.slow
def test_a_trained_linear_vae_reaches_the_maximum_likelihood_of_breast_cancer():
    training = Training(
        epochs=3000, batch_size=569, learning_rate=0.03, final_rate=0.0, average=0.99
    )
    check_learned("breast_cancer", 5, 4, training, degrees=0.5)


@pytest.mark.slow
def test_a_trained_linear_vae_reaches_the_maximum_likelihood_of_digits():
    training = Training(
        epochs=600, batch_size=128, learning_rate=0.03, final_rate=0.0, average=0.99
    )
    check_learned("digits", 8, 2, training, degrees=3.0)
