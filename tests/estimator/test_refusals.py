"""What cannot be learned or used is refused, with the reason, when it is used."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from lowerbound.errors import DataError, SettingError, UnknownNameError

rng = np.random.default_rng(0)
REAL = rng.normal(size=(60, 5))
BYTES = rng.integers(0, 256, (40, 8, 8)).astype(np.uint8)


@pytest.mark.parametrize(
    "method", ["transform", "inverse_transform", "reconstruct", "score", "score_samples", "sample"]
)
def test_unfitted_it_says_so(method, small, real) -> None:
    with pytest.raises(NotFittedError):
        getattr(small(), method)(*[] if method == "sample" else [real])
    for use in (small().get_feature_names_out, lambda: small().save("nowhere")):
        with pytest.raises(NotFittedError):
            use()


def test_after_a_failed_fit_it_is_not_fitted(small, real) -> None:
    vae = small()
    with pytest.raises(DataError):
        vae.fit(real[:5])
    with pytest.raises(NotFittedError):
        check_is_fitted(vae)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (REAL[:3], "n_samples = 3, of which 3 distinct"),
        (np.ones((50, 3)), "50, of which 1 distinct"),
        (REAL[:, 0], "1D array"),
        (np.array([["a", "b"]] * 20), "string|numeric"),
        ([["a", {}]] * 20, "string"),
        ([[1.0, None]] * 20, "NaN"),
        ([[1.0, 2.0], [3.0]] * 10, "inhomogeneous"),
        ("data.csv", r"lowerbound\.read"),
        (b"data.csv", r"lowerbound\.read"),
        (None, "array"),
        (np.where(REAL > 0, np.nan, REAL), "NaN"),
        (np.where(REAL[:, None] > 0, np.inf, REAL[:, None]), "infinity"),
        (REAL * 1e300, "too large"),
        (REAL.astype(complex), "[Cc]omplex"),
        (np.empty((0, 3)), "0 sample"),
        (np.zeros((20, 2, 3, 4, 5)), "axes|shape|dim"),
        (rng.random((20, 30, 30, 30)), "volumes"),
        (np.concatenate([rng.random((20, 6, 6, 3)), np.ones((20, 6, 6, 1))], axis=3), "alpha"),
    ],
)
def test_x_that_cannot_be_learned_is_refused_with_the_reason(x, words, small) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        small().fit(x)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (REAL[:, :4], "X has 4 features, but AutoVAE is expecting 5 features"),
        (REAL.reshape(60, 5, 1), "vectors of 5, got 5x1"),
        (np.full((2, 5), np.nan), "NaN"),
    ],
)
def test_other_x_than_at_fit_is_refused(x, words, fitted) -> None:
    for method in (fitted.transform, fitted.score_samples, fitted.reconstruct):
        with pytest.raises(ValueError, match=words):
            method(x)


def test_other_images_than_at_fit_are_refused(small) -> None:
    vae = small().fit(BYTES)
    for x, words in (
        (BYTES[:, :4], "1x8x8 images, got 1x4x8"),
        (BYTES.reshape(40, 64), "1x8x8 images, got 64 columns"),
        (BYTES / 255, "multiply by 255"),
    ):
        with pytest.raises(DataError, match=words):
            vae.transform(x)


@pytest.mark.parametrize(
    "z", [np.zeros((3, 3)), np.zeros(2), np.full((3, 2), np.nan), [["a", "b"]]]
)
def test_latents_that_cannot_be_decoded_are_refused(z, fitted) -> None:
    with pytest.raises(ValueError, match=r"latents|1D array|NaN|string"):
        fitted.inverse_transform(z)


def test_impossible_arguments_are_refused_when_they_are_used(small, real) -> None:
    for params, error, words in (
        ({"model": "beta-vea"}, UnknownNameError, "did you mean 'beta-vae'"),
        ({"settings": {"hiden": (3,)}}, UnknownNameError, "did you mean 'hidden'"),
        ({"settings": [("hidden", 3)]}, SettingError, "dictionary"),
        ({"latents": 2, "settings": {"latents": 3}}, SettingError, "given twice"),
        ({"latents": 0}, SettingError, "latents"),
        ({"epochs": 1.5}, SettingError, "whole number"),
        ({"likelihood": "bernoulli"}, SettingError, "does not fit real vectors"),
        ({"random_state": "x"}, ValueError, "seed"),
        ({"random_state": -1}, SettingError, "seed"),
    ):
        vae = small(**params)  # says nothing yet
        with pytest.raises(error, match=words):
            vae.fit(real)
    with pytest.raises(SettingError, match="samples"):
        small(samples=0).fit(real).score(real)
    for count in (0, 1.5, True):
        with pytest.raises(SettingError, match="at least 1"):
            small().fit(real).sample(count)
