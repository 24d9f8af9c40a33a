"""Cells that the data could not hold."""

import numpy as np
import pytest

from lowerbound.evaluation.synthetic import tables, validity
from lowerbound.evaluation.synthetic.validity import decimals_of


def test_every_kind_of_wrong_cell_is_counted():
    train = {
        "word": np.array(["a", "b", "a", "b"]), "whole": np.array([1, 2, 3, 9]),
        "cents": np.array([0.25, 1.5, np.nan, 7]),
    }  # fmt: skip
    made = {
        "word": np.array(["a", "z", None, "b"], dtype=object),
        "whole": np.array([1.5, 2, 10, 3]), "cents": np.array([0.125, np.nan, np.nan, -1]),
    }  # fmt: skip
    found = validity(*tables(made, train))
    assert found["unseen"] == pytest.approx(1 / 3)  # z, of three words
    assert found["fractions"] == pytest.approx(2 / 6)  # 1.5 and 0.125, of six numbers
    assert found["outside"] == pytest.approx(3 / 6)  # 10, 0.125, -1
    assert found["gaps"] == pytest.approx((1 / 4 + 0 + 1 / 4) / 3)


def test_rows_of_training_are_valid():
    train = {"w": np.array(["a", "b"]), "x": np.array([0.1, 1e6 + 0.2])}
    assert set(validity(*tables(train, train)).values()) == {0.0}


def test_tables_of_words_alone_and_of_numbers_alone_are_judged():
    for column in (np.array(["a", "b"]), np.array([1.0, 2.0])):
        assert set(validity(*tables({"x": column}, {"x": column})).values()) == {0.0}


def test_decimals():
    assert decimals_of(np.array([1.0, 2.0])) == 0
    assert decimals_of(np.array([0.1, 123456.78])) == 2
    assert decimals_of(np.array([np.pi])) is None
