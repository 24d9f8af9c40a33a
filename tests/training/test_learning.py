"""What a linear VAE can learn is known in closed form: probabilistic PCA."""

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA

from lowerbound.data import Data, Examples, Field, Schema
from lowerbound.likelihoods import Fields, Gaussian, SharedScale
from lowerbound.models import VAE
from lowerbound.networks import MLP
from lowerbound.objectives import ELBO
from lowerbound.posteriors import FullGaussian
from lowerbound.priors import StandardNormal
from lowerbound.testing import LinearGaussian
from lowerbound.training import Training, fit


def linear_vae(dimensions: int, latents: int) -> VAE:
    return VAE(
        StandardNormal(latents),
        FullGaussian(MLP((dimensions,), FullGaussian.parameters_shape(latents), ())),
        Fields(MLP((latents,), (1, dimensions), ()), Gaussian(SharedScale())),
    )


def learned(x: torch.Tensor, latents: int, training: Training) -> tuple[float, float, float]:
    """Evidence of pPCA on x, evidence of the trained decoder, and its ELBO, nats per example."""
    best = PCA(latents, svd_solver="full").fit(x.double().numpy())
    part = Examples(x)
    schema = Schema((Field("x", "real", (x.shape[1],), None),), (x.shape[1],))
    data = Data(schema, part, part, part, source="all of it")
    torch.manual_seed(0)
    model = linear_vae(x.shape[1], latents)
    fit(model, ELBO(4), data, training, seed=0)
    layer, scale = model.likelihood.network.layers[0], model.likelihood.parts[0].scale()
    found = LinearGaussian(*(t.detach().double() for t in (layer.weight, layer.bias, scale)))
    with torch.no_grad():
        elbo = ELBO(200)(model, part.batch(slice(None))).value.mean()
    return (
        float(best.score(x.double().numpy())),
        float(found.log_evidence(x.double()).mean()),
        float(elbo),
    )


def maximum(x: np.ndarray, latents: int) -> float:
    """log-likelihood of pPCA at its maximum (Tipping & Bishop 1999, with noise by ML)."""
    values = np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1]
    noise = values[latents:].mean()
    spectrum = np.concatenate([values[:latents], np.full(len(values) - latents, noise)])
    return float(-0.5 * (np.log(2 * np.pi * spectrum).sum() + len(values)))


@pytest.mark.slow
def test_a_linear_vae_learns_probabilistic_pca():
    x = torch.tensor(load_iris().data, dtype=torch.float32)
    x = (x - x.mean(dim=0)) / x.std(dim=0)
    training = Training(epochs=400, batch_size=150, learning_rate=0.03, average=0.98)
    by_sklearn, evidence, elbo = learned(x, 2, training)
    best = maximum(x.double().numpy(), 2)
    assert by_sklearn == pytest.approx(best, abs=0.03)  # sklearn divides by N - 1
    assert best - 0.02 < evidence <= best + 1e-5
    assert evidence - 0.03 < elbo <= evidence + 0.02


@pytest.mark.slow
def test_a_linear_vae_learns_probabilistic_pca_of_digits():
    from sklearn.datasets import load_digits

    x = torch.tensor(load_digits().data, dtype=torch.float32)
    x = (x - x.mean()) / x.std()
    training = Training(epochs=300, batch_size=256, learning_rate=0.01, average=0.998)
    _, evidence, elbo = learned(x, 8, training)
    best = maximum(x.double().numpy(), 8)
    assert best - 0.05 < evidence <= best + 1e-4
    assert evidence - 0.15 < elbo <= evidence + 0.05


@pytest.mark.slow
def test_idle_latents_cost_nothing():
    x = torch.tensor(load_iris().data, dtype=torch.float32)
    x = (x - x.mean(dim=0)) / x.std(dim=0)
    training = Training(epochs=1500, batch_size=150, learning_rate=0.03, average=0.99)
    results = [learned(x, latents, dataclasses.replace(training)) for latents in (1, 3)]
    for latents, (_, evidence, _) in zip((1, 3), results, strict=True):
        assert evidence == pytest.approx(maximum(x.double().numpy(), latents), abs=0.02)
