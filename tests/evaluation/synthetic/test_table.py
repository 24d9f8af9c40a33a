"""Columns of any dtype become numbers alike."""

import numpy as np
import pyarrow as pa
import pytest

from lowerbound.data import Field, Schema
from lowerbound.errors import DataError
from lowerbound.evaluation.synthetic import tables


def test_words_share_their_codes_and_gaps_are_nan():
    a = {"word": np.array(["b", None, "a"], dtype=object), "number": np.array([1.5, np.nan, 2])}
    b = {"number": np.array([3, None], dtype=object), "word": np.array(["c", "a"])}
    one, other = tables(a, b)
    assert one.names == ("word", "number")
    assert one.levels == (("a", "b", "c"), None)
    np.testing.assert_array_equal(one.values, [[1, 1.5], [np.nan, np.nan], [0, 2]])
    np.testing.assert_array_equal(other.values, [[2, 3], [0, np.nan]])


def test_a_level_is_one_however_its_number_is_written():
    whole, broken = {"x": np.array([0, 1, 1])}, {"x": np.array([1.0, np.nan, 0.0])}
    one, other = tables(whole, broken, kinds={"x": "binary"})
    assert one.levels == (("0", "1"),)
    np.testing.assert_array_equal(other.values[:, 0], [1, np.nan, 0])


def test_dates_are_microseconds_in_whatever_unit_they_come():
    days = {"day": np.array(["1970-01-02", "NaT", "1970-01-03"], dtype="datetime64[D]")}
    seconds = {"day": np.array(["1970-01-02T00:00:01"], dtype="datetime64[s]")}
    one, other = tables(days, seconds)
    day = 86_400e6
    np.testing.assert_array_equal(one.values[:, 0], [day, np.nan, 2 * day])
    assert other.values[0, 0] == day + 1e6


def test_arrow_tables_are_read_and_a_schema_says_what_words_are():
    schema = Schema((Field("zip", "categorical", levels=2, categories=("7", "8")),), (1,))
    (found,) = tables(pa.table({"zip": [7, 8, None, 8]}), kinds=schema)
    assert found.levels == (("7", "8"),)
    np.testing.assert_array_equal(found.values[:, 0], [0, 1, np.nan, 1])


def test_ids_and_columns_of_one_value_are_left_out():
    rows = {"key": np.arange(3), "same": np.ones(3), "x": np.array([1, 2, 3])}
    assert tables(rows, kinds={"key": "id"})[0].names == ("x",)


def test_a_column_that_is_absent_or_too_short_is_named():
    with pytest.raises(DataError, match="table 2 has no column 'b'"):
        tables({"a": np.arange(3), "b": np.arange(3)}, {"a": np.arange(3)})
    with pytest.raises(DataError, match=r"columns of table 1 have the lengths \[2, 3\]"):
        tables({"a": np.arange(3), "b": np.arange(2)})
    with pytest.raises(DataError, match="no column that varies"):
        tables({"a": np.zeros(3)})
