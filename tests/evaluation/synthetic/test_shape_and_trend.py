"""Columns one by one and in pairs: SDMetrics' values, and cases by hand."""

import numpy as np
import pytest

from lowerbound.evaluation.synthetic import associations, shapes, tables, trends


def rows(count: int, shift: int) -> dict[str, np.ndarray]:
    """Three columns of numbers and two of words, which depend on each other, with gaps."""
    generator = np.random.default_rng(shift)
    a = generator.normal(size=count)
    b = a * (0.5 + 0.1 * shift) + generator.normal(size=count)
    c = np.where(a > 0, "x", np.where(b > 1, "y", "z")).astype(object)
    d = generator.choice(["p", "q", "r"], count, p=[0.2, 0.3, 0.5]).astype(object)
    e = generator.poisson(3 + shift, count).astype(float)
    b[generator.random(count) < 0.1] = np.nan
    c[generator.random(count) < 0.05 * (shift + 1)] = None
    return {"a": a, "b": b, "c": c, "d": d, "e": e}


def test_shape_and_trend_are_those_of_sdmetrics():
    # measured with sdmetrics 0.32.0 on the same rows
    samples, real = tables(rows(1500, 1), rows(2000, 0))
    assert shapes(samples, real) == pytest.approx(
        [0.9735, 0.9749692967, 0.9876398903, 0.9903333333, 0.7888333333], abs=1e-9
    )
    found = trends(samples, real)
    theirs = {
        "ba": 0.9712960649, "ca": 0.9176666667, "cb": 0.9258333333, "da": 0.9245,
        "db": 0.9471666667, "dc": 0.9375, "ea": 0.9946611380, "eb": 0.9837062256,
        "ec": 0.7678333333, "ed": 0.7888333333,
    }  # fmt: skip
    for pair, score in theirs.items():
        i, j = map("abcde".index, pair)
        assert found[i, j] == found[j, i] == pytest.approx(score, abs=1e-9)
    assert np.isnan(np.diag(found)).all()


def test_a_column_that_is_all_gaps_on_one_side_has_no_shape():
    gaps, known = np.full(4, np.nan), np.arange(4.0)
    a, b = tables({"x": gaps, "y": gaps}, {"x": known, "y": gaps})
    assert shapes(a, b).tolist() == [0]  # y never varies


def test_shuffling_a_column_breaks_its_trends_and_no_shape():
    real = rows(2000, 0)
    shuffled = {**real, "b": np.random.default_rng(1).permutation(real["b"])}
    a, b = tables(shuffled, real)
    assert (shapes(a, b) == 1).all()
    found = trends(a, b)
    assert found[0, 1] < 0.85  # r falls from 0.45 to 0
    assert found[1, 2] < 0.9
    assert found[0, 2] == found[3, 4] == 1


def test_associations_by_hand():
    words = np.array(["a", "a", "b", "b"])
    table, = tables({
        "number": np.array([1.0, 1, 3, 3]), "twice": np.array([2.0, 2, 6, 6]),
        "word": words, "other": np.array(["c", "d", "c", "d"]), "half": np.array([0.0, 2, 2, 4]),
    })  # fmt: skip
    found = associations(table)
    assert np.allclose(found, found.T)
    assert np.allclose(found[:3, :3], 1)
    assert np.allclose(found[3, :3], 0)
    # between the words 4 of the variance of 8: half of it
    assert found[4, 2] == pytest.approx(np.sqrt(0.5))
    # a table of 3, 1 against 1, 3: chi squared over N is 1/4
    a = np.repeat(["x", "x", "y", "y"], [3, 1, 1, 3])
    b = np.repeat(["u", "v", "u", "v"], [3, 1, 1, 3])
    assert associations(tables({"a": a, "b": b})[0])[0, 1] == pytest.approx(0.5)
