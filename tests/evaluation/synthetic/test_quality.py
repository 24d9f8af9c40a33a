"""The whole: every measure beside its value for real rows."""

import json

import numpy as np
import pytest

from lowerbound.errors import DataError, SettingError
from lowerbound.evaluation.synthetic import synthetic_quality


def rows(count: int, seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=count).round(2)
    return {
        "x": x,
        "y": np.where(generator.random(count) < 0.2, np.nan, (x + generator.normal(size=count))),
        "w": np.where(x + 0.5 * generator.normal(size=count) > 0, "a", "b"),
    }


def test_rows_of_the_same_law_score_as_real_ones_and_shuffled_ones_do_not():
    made, train, fresh = (rows(300, seed) for seed in range(3))
    found = synthetic_quality(made, train, fresh, target="w").measures
    for name, tolerance in {
        "told apart, boosted": 0.12, "told apart, logistic": 0.12, "trend": 0.05,
        "usefulness, words": 0.06, "shape": 0.06, "precision": 0.1, "recall": 0.1, "density": 0.2,
        "coverage": 0.1, "unseen": 0, "fractions": 0, "outside": 0.02, "gaps": 0.06,
        "attack": 0.12, "nearer": 0.15, "copies": 0.02,
    }.items():  # fmt: skip
        assert found[name].value == pytest.approx(found[name].null, abs=tolerance), name
    generator = np.random.default_rng(9)
    shuffled = {name: generator.permutation(x) for name, x in made.items()}
    worse = synthetic_quality(shuffled, train, fresh, target="w").measures
    assert worse["told apart, boosted"].value > found["told apart, boosted"].value + 0.1
    assert worse["trend"].value < found["trend"].value - 0.05
    assert worse["usefulness, words"].value < 0.65
    assert worse["shape"].value == found["shape"].value


def test_it_is_plain_and_the_same_each_time():
    parts = [rows(60, seed) for seed in range(3)]
    found = synthetic_quality(*parts, target="w", seed=1)
    assert found.rows == 60
    assert json.loads(json.dumps(found.to_json())) == json.loads(
        json.dumps(synthetic_quality(*parts, target="w", seed=1).to_json())
    )
    assert [column.name for column in found.columns] == ["x", "y", "w"]
    assert found.columns[1].gaps == np.isnan(parts[0]["y"]).mean()
    assert "60 synthetic rows" in found.lines()[0]
    assert len(found.lines()) == len(found.measures) + 2


def test_the_smallest_part_says_how_many_rows_are_compared():
    assert synthetic_quality(rows(90, 0), rows(80, 1), rows(50, 2), target="w", most=40).rows == 40
    with pytest.raises(DataError, match="at least 30 held-out rows, got 20"):
        synthetic_quality(rows(90, 0), rows(80, 1), rows(20, 2))
    with pytest.raises(SettingError, match="at least 30"):
        synthetic_quality(rows(90, 0), rows(80, 1), rows(80, 2), most=5)
