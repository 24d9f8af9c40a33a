"""`AutoVAE` where people meet it: scikit-learn's own checks, pipelines, searches, settings."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import lowerbound as lb

# What of `check_estimator` is not passed, by the check's name, with the reason: nothing.
EXPECTED_FAILURES: dict[str, str] = {}


@parametrize_with_checks(
    [lb.AutoVAE(epochs=2)], expected_failed_checks=lambda each: EXPECTED_FAILURES
)
@pytest.mark.filterwarnings("ignore")  # the checks warn of what they are about to do
def test_check_estimator(estimator, check) -> None:
    check(estimator)


def test_pipeline_and_grid_search(small, real) -> None:
    pipeline = make_pipeline(StandardScaler(), small())
    search = GridSearchCV(pipeline, {"autovae__latents": np.array([1, 2])}, cv=2).fit(real)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.transform(real).shape == (60, search.best_params_["autovae__latents"])
    assert search.inverse_transform(search.transform(real)).shape == real.shape


def test_settings_reach_the_model_and_the_training(small, real) -> None:
    vae = small(
        model="beta-vae",
        latents=np.int64(3),
        batch_size=7,
        learning_rate=np.float32(0.5),
        settings={"beta": 2.0, "hidden": (9, 8), "scale": "shared"},
    ).fit(real)
    assert vae.spec_.recipe == "beta-vae"
    chosen = {**vae.spec_.settings, **vae.spec_.training}
    expected = {
        "beta": 2.0, "network.hidden": [9, 8], "likelihood.scale": "shared", "latents": 3,
        "batch_size": 7,
    }  # fmt: skip
    assert {name: chosen[name] for name in expected} == expected
    assert chosen["learning_rate"] == 0.5
    assert small(likelihood="categorical").fit(real > 0).model_.likelihood.name == "categorical"


def test_all_of_x_is_learned_from_or_judged_by(small) -> None:
    for count, validation in ((10, 2), (30, 7), (40, 10), (100, 10), (300, 30)):
        x = np.random.default_rng(0).normal(size=(count, 2))
        counts = small(epochs=1).fit(x).spec_.data["split"]["counts"]
        assert counts == {"train": count - validation, "validation": validation, "test": 0}


def test_verbose_reports_every_epoch(capsys, small, real) -> None:
    small(verbose=1).fit(real)
    said = capsys.readouterr().err
    assert [line.split(":")[0] for line in said.splitlines()] == ["epoch 1", "epoch 2"]
