"""Distances of mixed rows, and precision, recall, density and coverage by them."""

import numpy as np
import pytest
import torch

from lowerbound.evaluation.quality import coverage, density, precision, recall
from lowerbound.evaluation.synthetic import Gower, manifold, tables
from lowerbound.evaluation.synthetic import gower as module


def distances(one, other, reference):
    return np.concatenate([block for _, block in Gower(reference).blocks(one, other)])


def test_a_distance_by_hand(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 1)  # a row at a time
    a = {"n": [0.0, 10.0, np.nan], "w": np.array(["a", "b", None], dtype=object)}
    b = {"n": [5.0, np.nan, 90.0], "w": np.array(["a", None, "c"], dtype=object)}
    one, other = tables(a, b)
    # numbers over a range of 10, at most 1; words 0 or 1; the mean of both
    expected = [[0.25, 1, 1], [0.75, 1, 1], [1, 0, 1]]
    np.testing.assert_allclose(distances(one, other, one), expected)
    assert Gower(one).nearest(one, other).tolist() == [0.25, 0.75, 0]


def test_of_one_column_of_numbers_they_are_the_measures_of_pictures():
    # Euclidean and Gower's distance agree there up to the unit
    generator = np.random.default_rng(0)
    real, made = generator.uniform(size=(2, 60, 1))
    made = made * 1.3
    b, a = tables({"x": np.append(real, [0, 2])}, {"x": made[:, 0]})
    found = manifold(a, b, Gower(b))
    x, y = torch.from_numpy(a.values), torch.from_numpy(b.values)
    assert found["density"] == pytest.approx(density(x, y))
    assert found["coverage"] == pytest.approx(coverage(x, y))
    assert found["precision"] == pytest.approx(precision(x, y, k=5))
    assert found["recall"] == pytest.approx(recall(x, y, k=5))


def test_samples_that_lie_in_one_corner_are_precise_and_recall_little():
    generator = np.random.default_rng(0)
    real = {"x": generator.normal(size=300), "y": generator.normal(size=300)}
    made = {"x": 0.05 * generator.normal(size=300), "y": 0.05 * generator.normal(size=300)}
    a, b = tables(made, real)
    found = manifold(a, b, Gower(b))
    assert found["precision"] > 0.95
    assert found["density"] > 0.9
    assert max(found["recall"], found["coverage"]) < 0.2
