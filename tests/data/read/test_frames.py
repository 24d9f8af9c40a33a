"""Data frames and dictionaries of columns in memory."""

from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from lowerbound.data.read.source import open_source
from lowerbound.errors import DataError

rng = np.random.default_rng(0)
X = np.round(rng.normal(size=(20, 3)), 4)
COLUMNS = {"a": X[:, 0], "b": X[:, 1].tolist(), "c": X[:, 2]}


class Stream:
    """Whatever hands itself over through Arrow's C interface, and has nothing else."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


class Frame:
    """An older data frame."""

    columns = ("a", "b", "c")

    def __getitem__(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(to_numpy=lambda: np.asarray(COLUMNS[name]))


@pytest.mark.parametrize("source", [COLUMNS, Frame(), pa.table(COLUMNS), Stream(pa.table(COLUMNS))])
def test_every_kind_of_frame_is_the_same_table(source: object):
    raw = open_source(source)
    assert raw.where == "the table"
    assert raw.names == ("a", "b", "c")
    assert (raw.values == X).all()
    assert raw.notes == ()


def test_a_frame_brings_words_gaps_dates_and_truths():
    day = np.array(["2024-01-01", "2024-01-03"] * 10, "M8[D]")
    source = {
        "word": pa.array(["u", "v"] * 10).dictionary_encode(),
        "text": pa.array(["x", "y", None, "x"] * 5, pa.large_string()),
        "view": pa.array(["x", "y", None, "x"] * 5).cast(pa.string_view()),
        "gap": [1, None, 3, 4] * 5,
        "day": day,
        "moment": day.astype("M8[ns]"),
        "truth": [True, False] * 10,
        "count": np.arange(20) % 7,
        "price": pa.array([Decimal("1.50"), Decimal("2.25")] * 10),
        "empty": pa.nulls(20),
    }
    raw = open_source(Stream(pa.table(source)))
    assert raw.table is not None
    found = {column.name: column for column in raw.table}
    cells = dict(zip(found, raw.values.T, strict=True))
    assert found["word"].categories == ("u", "v")
    assert found["text"].categories == found["view"].categories == ("x", "y")
    assert found["truth"].categories == ("False", "True")
    assert cells["truth"].tolist() == [1, 0] * 10
    assert np.isnan(cells["text"]).tolist() == [False, False, True, False] * 5
    assert np.isnan(cells["view"]).tolist() == [False, False, True, False] * 5
    assert np.isnan(cells["gap"]).tolist() == [False, True, False, False] * 5
    assert (cells["day"] / 86_400e6).tolist() == [19723, 19725] * 10
    assert (cells["moment"] / 86_400e6).tolist() == [19723, 19725] * 10
    assert (found["day"].form, found["moment"].form) == ("date", "timestamp")
    assert cells["price"].tolist() == [1.5, 2.25] * 10
    assert np.isnan(cells["empty"]).all()
    assert found["count"].whole
    assert not found["day"].whole or found["day"].categories is None


def test_lists_in_a_column_are_left_out_and_said():
    raw = open_source(pa.table({"a": X[:, 0], "b": [[1, 2]] * 20}))
    assert raw.names == ("a",)
    assert "neither a number nor a word (b)" in str(raw.notes[0])


def test_narrow_columns_stay_narrow():
    columns = {"a": X[:, 0].astype(np.float32), "b": X[:, 1].astype(np.float16)}
    assert open_source(columns).rows.dtype == np.float32
    assert open_source({**columns, "c": X[:, 2]}).rows.dtype == np.float64


def test_the_callers_numbers_are_not_changed():
    column = np.array([1.0, np.inf, 3.0, 4.0] * 5)
    raw = open_source({"a": column, "b": X[:, 1]})
    assert np.isnan(raw.values[1, 0])
    assert np.isinf(column[1])


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([1.0] * 19, "differ in length"),
        (np.ones((20, 2)), "one number a row"),
        ([1 + 2j] * 20, "complex"),
        ([1, "u"] * 10, "column 'b' of the table is mixed"),
    ],
)
def test_a_bad_column_in_memory_is_named(column: object, words: str):
    with pytest.raises(DataError, match=words) as caught:
        open_source({"a": X[:, 0], "b": column})
    assert "\n" not in str(caught.value)


def test_a_table_without_columns_or_rows_is_refused():
    with pytest.raises(DataError, match="no columns"):
        open_source({})
    with pytest.raises(DataError, match="no rows"):
        open_source({"a": []})


@pytest.mark.parametrize("name", ["pandas", "polars"])
def test_frames_of_other_libraries_are_taken_as_they_are(name: str):
    library = pytest.importorskip(name)
    raw = open_source(library.DataFrame({"a": X[:, 0], "word": ["u", "v"] * 10}))
    assert (raw.values[:, 0] == X[:, 0]).all()
    assert raw.table is not None
    assert raw.table[1].categories == ("u", "v")
