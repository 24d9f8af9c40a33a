"""`VAEDetector`: scikit-learn's checks, and a threshold that keeps its promise."""

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

import lowerbound as lb
from lowerbound.estimator.examples import examples_of

FEW = {"latents": 2, "epochs": 5, "samples": 10, "settings": {"hidden": (16,)}}
EXPECTED_FAILURES: dict[str, str] = {}


@parametrize_with_checks(
    [lb.VAEDetector(folds=2, latents=2, epochs=2, samples=10, settings={"hidden": (8,)})],
    expected_failed_checks=lambda each: EXPECTED_FAILURES,
)
@pytest.mark.filterwarnings("ignore")
def test_check_estimator(estimator, check) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def detector() -> lb.VAEDetector:
    X = np.random.default_rng(0).normal(size=(600, 4))
    return lb.VAEDetector(**FEW, false_alarms=0.1, folds=1, random_state=0).fit(X)


def test_the_threshold_is_kept_on_new_rows(detector):
    X = np.random.default_rng(1).normal(size=(1000, 4))
    alarms = (detector.predict(X) == -1).mean()
    assert 0.03 < alarms < 0.2  # 60 held-out rows know it no better
    assert np.array_equal(detector.decision_function(X) < 0, detector.predict(X) == -1)
    assert (detector.predict(X + 30) == -1).all()


def test_p_values_and_cells_say_why(detector):
    X = np.zeros((3, 4))
    X[np.arange(3), [0, 2, 3]] = 25.0
    assert (detector.p_values(X) <= 1 / 61 + 1e-12).all()
    assert detector.cells(X).argmax(axis=1).tolist() == [0, 2, 3]
    assert np.array_equal(detector.score_samples(X), detector.score_samples(X))


def test_few_rows_have_several_models_and_the_threshold_all_their_validation_parts():
    X = np.random.default_rng(0).normal(size=(120, 3))
    detector = lb.VAEDetector(**FEW, false_alarms=0.1, random_state=0).fit(X)
    held = [one.scores for one in detector.calibrations_]
    assert [len(one) for one in held] == [12] * 5
    assert not torch.equal(held[0], held[1])
    assert -detector.offset_ == torch.cat(held).sort().values[54]  # 61 * 0.9, and up
    new = np.random.default_rng(1).normal(size=(1000, 3))
    p = detector.p_values(new)
    above = sum(
        (scores >= lb.anomalies(model, examples_of(new, schema), calibration).score[:, None]).sum(1)
        for scores, model, schema, calibration in zip(
            held, detector.models_, detector.schemas_, detector.calibrations_, strict=True
        )
    )
    assert p == pytest.approx((1 + above.numpy()) / 61)  # each fold against its own model
    assert 0.03 < (p < 0.1).mean() < 0.2
    assert 0.01 < (detector.predict(new) == -1).mean() < 0.2
    assert detector.cells([[0.0, 25.0, 0.0]]).argmax() == 1


def test_an_impossible_rate_is_refused():
    with pytest.raises(lb.LowerboundError, match="false_alarms must lie"):
        lb.VAEDetector(false_alarms=0).fit(np.zeros((20, 2)))
    with pytest.raises(lb.LowerboundError, match="folds must be"):
        lb.VAEDetector(folds=0).fit(np.zeros((20, 2)))
