"""Classifiers that tell synthetic rows from real ones, and the area under their curve."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lowerbound.evaluation.synthetic import Table, auc, tables, told_apart
from lowerbound.evaluation.synthetic.judge import MOST_LEVELS, features


def mixed(count: int, seed: int) -> dict[str, np.ndarray]:
    """A number, its square with a word for its sign, and a third of gaps."""
    generator = np.random.default_rng(seed)
    a = generator.normal(size=count)
    b = np.where(generator.random(count) < 1 / 3, np.nan, a**2 + 0.1 * generator.normal(size=count))
    return {"a": a, "b": b, "sign": np.where(a > 0, "+", "-")}


def both(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> tuple[Table, Table]:
    return tables(one, other)


def test_the_area_is_scikit_learns_with_and_without_ties():
    generator = np.random.default_rng(0)
    positive = generator.random(200) < 0.3
    for scores in (generator.normal(size=200) + positive, generator.integers(0, 4, 200) + positive):
        assert auc(scores, positive)[0] == pytest.approx(roc_auc_score(positive, scores))


def test_the_standard_error_of_the_area_is_its_spread_over_samples():
    # 400 samples know a standard deviation to 3.5 %; an error of a factor 1.3 would be seen
    generator = np.random.default_rng(0)
    positive = np.arange(120) < 40
    found = np.array([auc(generator.normal(size=120) + positive, positive) for _ in range(400)])
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.17)


@pytest.mark.parametrize("judge", ["boosted", "logistic"])
def test_rows_of_one_law_are_not_told_apart(judge):
    area, error = told_apart(*both(mixed(400, 0), mixed(400, 1)), judge)
    assert error < 0.03
    assert abs(area - 0.5) < 4.9 * error


def test_trees_see_a_shuffled_column_and_a_logistic_regression_does_not():
    real, made = mixed(400, 0), mixed(400, 1)
    made["a"] = np.random.default_rng(2).permutation(made["a"])
    area, error = told_apart(*both(made, real), "boosted")
    assert area - 4.9 * error > 0.7
    area, error = told_apart(*both(made, real), "logistic")
    assert abs(area - 0.5) < 4.9 * error


def test_both_see_that_gaps_are_lacking():
    real, made = mixed(300, 0), mixed(300, 1)
    made["b"] = np.nan_to_num(made["b"], nan=0.5)
    for judge in ("boosted", "logistic"):
        area, error = told_apart(*both(made, real), judge)
        assert area - 4.9 * error > 0.55


def test_rare_words_are_one_level():
    words = np.array([f"w{n}" for n in range(2 * MOST_LEVELS)] + ["w0"] * 5)
    (table,) = tables({"x": words})
    found = features(table.values, table, one_hot=False)
    assert found.max() == MOST_LEVELS
    assert len(np.unique(found)) == MOST_LEVELS + 1
    # one column a level, and one for gaps
    assert features(table.values, table, one_hot=True).shape == (len(words), MOST_LEVELS + 2)
