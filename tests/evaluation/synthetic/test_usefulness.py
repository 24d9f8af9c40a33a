"""Predictors that learn from synthetic rows."""

import numpy as np
import pytest

from lowerbound.errors import UnknownNameError
from lowerbound.evaluation.synthetic import tables, usefulness


def rows(count: int, seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=count)
    return {
        "x": x,
        "word": np.where(x + 0.3 * generator.normal(size=count) > 0.8, "yes", "no"),
        "three": np.select([x < -0.5, x < 0.5], ["low", "mid"], "high"),
        "noise": generator.normal(size=count),
    }


def test_rows_of_the_same_law_are_of_the_same_use():
    uses = {use.target: use for use in usefulness(*tables(*(rows(400, seed) for seed in range(3))))}
    assert list(uses) == ["x", "word", "three", "noise"]
    assert [use.score for use in uses.values()] == ["R2", "AUC", "AUC", "R2"]
    for use in uses.values():
        assert use.value == pytest.approx(use.null, abs=0.05)
    assert uses["word"].null > 0.95
    assert uses["three"].null == pytest.approx(1, abs=0.01)
    assert uses["x"].null > 0.5
    assert uses["noise"].null == 0
    assert uses["x"].f1 is None
    assert uses["three"].f1 == pytest.approx(1, abs=0.03)


def test_a_shuffled_target_teaches_nothing():
    made = rows(400, 0)
    made["word"] = np.random.default_rng(3).permutation(made["word"])
    (use,) = usefulness(*tables(made, rows(400, 1), rows(400, 2)), target="word")
    assert abs(use.value - 0.5) < 0.15  # 400 rows, a fifth of them yes: an error of 0.03
    assert use.null > 0.95


def test_a_target_that_never_varies_among_samples_is_chance():
    made = {**rows(100, 0), "word": np.repeat("no", 100)}
    (use,) = usefulness(*tables(made, rows(100, 1), rows(100, 2)), target="word")
    assert (use.value, use.f1) == (0.5, 0)


def test_an_unknown_target_is_named():
    with pytest.raises(UnknownNameError, match="word"):
        usefulness(*tables(rows(50, 0), rows(50, 1), rows(50, 2)), target="wrod")
