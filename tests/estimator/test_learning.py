"""What `AutoVAE` learns of data whose structure is known."""

from copy import copy

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound.evaluation import evidence


def low_rank(count: int) -> np.ndarray:
    """Three factors, ten columns of different units, noise a tenth of each column's unit."""
    generator = np.random.default_rng(1)
    factors = generator.normal(size=(3, 10))
    noise = np.random.default_rng(count).normal(size=(count, 13))
    x = noise[:, :3] @ factors + 0.1 * noise[:, 3:]
    return x * np.logspace(-1, 2, 10) + np.arange(10.0)


@pytest.fixture(scope="module")
def learned() -> lb.AutoVAE:
    vae = lb.AutoVAE(latents=3, epochs=40, batch_size=32, learning_rate=3e-3, random_state=0)
    return vae.set_params(settings={"hidden": (64,)}).fit(low_rank(1000))


@pytest.mark.slow
def test_reconstructions_of_new_low_rank_data_are_as_close_as_its_noise(learned) -> None:
    x = low_rank(500)
    error = learned.inverse_transform(learned.transform(x)) - x
    noise = 0.1 * np.logspace(-1, 2, 10)  # its standard deviation in each column
    assert (np.sqrt((error**2).mean(axis=0)) < 2 * noise).all()
    assert (x.std(axis=0) > 3 * noise).all()  # the error of a model that learned nothing


def test_shuffled_columns_are_less_likely_by_many_standard_errors(learned) -> None:
    x = low_rank(300)
    shuffled = np.column_stack([np.random.default_rng(i).permutation(c) for i, c in enumerate(x.T)])
    gain = learned.score_samples(x) - learned.score_samples(shuffled)
    assert gain.mean() > 4.9 * gain.std() / np.sqrt(len(x))
    assert gain.mean() > 5


def test_samples_have_the_mean_and_covariance_of_the_data(learned) -> None:
    x, drawn = low_rank(1000), learned.sample(4000, random_state=0)
    scale = x.std(axis=0)
    assert np.abs((drawn.mean(axis=0) - x.mean(axis=0)) / scale).max() < 0.2
    difference = np.cov((drawn / scale).T) - np.cov((x / scale).T)
    assert np.abs(difference).max() < 0.25
    independent = np.eye(10) - np.cov((x / scale).T)
    assert np.abs(independent).max() > 0.5  # samples without the correlations would be seen


def test_best_epoch_is_kept_and_history_is_whole(learned) -> None:
    assert learned.n_iter_ == len(learned.history_) == 40
    best = max(learned.history_, key=lambda epoch: epoch.held_out.bound)
    assert learned.result_.best == best


def test_scores_are_the_importance_weighted_bound(learned) -> None:
    """Against `evidence` under other noise; a missing constant would move it by far more."""
    x = low_rank(200)
    bound = evidence(learned.model_, lb.data.Examples(torch.from_numpy(x)), 100, seed=1)
    difference = learned.score_samples(x) - bound.log_likelihood.numpy()
    error = difference.std() / np.sqrt(len(x))
    assert error < 0.05
    assert abs(difference.mean()) < 4.9 * error
    odd = x + x.std(axis=0)  # where q(z|x) is a poor guess, draws help: it is not the ELBO
    gain = learned.score_samples(odd) - copy(learned).set_params(samples=1).score_samples(odd)
    assert gain.mean() > 4.9 * gain.std() / np.sqrt(len(x))
