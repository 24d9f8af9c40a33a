"""Packed examples come back as the columns that a person wrote."""

import numpy as np
import pytest
import torch

from lowerbound.data import Schema, columns_of, read, read_examples
from lowerbound.errors import DataError, SettingError, ShapeError

rng = np.random.default_rng(0)
MIXED = {
    "country": ["CH"] * 60,
    "height": [None if i % 7 == 3 else round(160 + i / 3, 2) for i in range(60)],
    "town": rng.choice(["Bern", "Basel", "Chur"], 60).tolist(),
    "year": [2024] * 60,
    "visits": rng.poisson(3, 60).tolist(),
    "smokes": [None if i % 9 == 1 else "yes" if i % 2 else "no" for i in range(60)],
    "grade": rng.choice([1, 2], 60).tolist(),
    "delta": rng.integers(-9, 9, 60).tolist(),
    "never": [None] * 60,
}


def rows(table: dict) -> set[tuple]:
    columns = [table[name].tolist() if name in table else [] for name in MIXED]
    return {
        tuple(None if cell != cell else cell for cell in row)  # nan is a gap
        for row in zip(*columns, strict=True)
    }


def test_a_mixed_table_comes_back_as_it_was():
    data = read(MIXED)
    assert [field.kind for field in data.schema.fields] == [
        "real", "categorical", "count", "binary", "binary", "whole",
    ]  # fmt: skip
    back: set[tuple] = set()
    for part in (data.train, data.validation, data.test):
        table = columns_of(part.x, data.schema, part.observed)
        assert list(table) == list(MIXED)
        back |= rows(table)
    assert back == rows({name: np.array(cells, object) for name, cells in MIXED.items()})


def test_whole_numbers_are_written_as_such_and_reals_with_the_decimals_seen():
    schema = read(MIXED).schema
    x = torch.tensor([[171.23456, 1.0, 4.0, 0.0, 1.0, -2.7]], dtype=torch.float64)
    table = columns_of(x, schema)
    row = {name: cells.tolist()[0] for name, cells in table.items()}
    assert row == {
        "country": "CH", "height": 171.23, "town": schema.fields[1].categories[1], "year": 2024,
        "visits": 4, "smokes": "no", "grade": 2, "delta": -3, "never": None,
    }  # fmt: skip
    assert all(type(row[name]) is int for name in ("year", "visits", "grade", "delta"))


def test_numbers_that_were_never_negative_are_not_written_negative():
    own = np.random.default_rng(1)
    table = {"n": own.integers(0, 50, 60), "x": own.random(60)}
    table |= {"low": own.integers(-9, 50, 60), "y": own.normal(size=60)}
    schema = read(table, columns={"n": "whole"}).schema
    assert [field.kind for field in schema.fields] == ["whole", "real", "whole", "real"]
    x = torch.full((1, 4), -2.0, dtype=torch.float64)
    row = {name: float(cells[0]) for name, cells in columns_of(x, schema).items()}
    assert row == {"n": 0.0, "x": 0.0, "low": -2.0, "y": -2.0}
    new, _ = read_examples({name: [-2.0] * 3 for name in table}, schema)
    assert new.observed is None and (new.x == -2).all()  # what the model is given stays


def test_means_between_counts_stay_and_are_the_nearest_word():
    schema = read(MIXED).schema
    x = torch.tensor([[171.0, 1.4, 4.25, 0.6, 0.2, 0.0]], dtype=torch.float64)
    row = {name: cells.tolist()[0] for name, cells in columns_of(x, schema).items()}
    assert (row["visits"], row["smokes"], row["grade"]) == (4.25, "yes", 1)


def test_vectors_have_numbered_columns_and_images_none():
    x = rng.normal(size=(30, 3))
    x[:, 1] = 7
    data = read(x)
    table = columns_of(data.train.x, data.schema)
    assert list(table) == ["x0", "x1", "x2"] and (table["x1"] == 7).all()
    with pytest.raises(ShapeError, match="columns are those of examples"):
        columns_of(torch.zeros(2, 1, 4, 4), read(rng.random((30, 4, 4))).schema)


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        ({"visits": "real"}, ("visits", "real", None)),
        ({"visits": "ordinal"}, ("visits", "ordinal", max(MIXED["visits"]) + 1)),
        ({"grade": "count"}, ("grade", "count", None)),
        ({"visits": "categorical"}, ("visits", "categorical", len(set(MIXED["visits"])))),
    ],
)
def test_a_person_may_say_the_kind_of_a_column(kinds, found):
    schema = read(MIXED, columns=kinds).schema
    field = next(field for field in schema.fields if field.name in kinds)
    assert (field.name, field.kind, field.levels) == found
    assert Schema.from_json(schema.to_json()) == schema
    column = columns_of(read(MIXED, columns=kinds).train.x, schema)[found[0]]
    assert set(map(int, column)) <= set(MIXED[found[0]])


@pytest.mark.parametrize(
    ("kinds", "error", "words"),
    [
        ({"town": "real"}, DataError, "cannot be real: it holds words"),
        ({"delta": "count"}, DataError, "'delta' .*cannot be count: it holds numbers -"),
        ({"visits": "binary"}, DataError, "cannot be binary"),
        ({"visits": "ratio"}, SettingError, "'ratio'; there are: binary, categorical"),
    ],
)
def test_a_column_that_is_not_of_the_kind_is_refused(kinds, error, words):
    with pytest.raises(error, match=words):
        read(MIXED, columns=kinds)


def test_a_table_of_words_cannot_be_cut_at_half():
    with pytest.raises(SettingError, match="columns of words, which cannot be cut"):
        read(MIXED, binarize=True)


def test_a_table_of_two_kinds_is_stored_in_float64_and_one_of_bits_in_bytes():
    assert read(MIXED).train.x.dtype == torch.float64
    bits = {"a": [0, 1] * 20, "b": ["x", "y", "y", "x"] * 10, "c": rng.integers(0, 2, 40)}
    data = read({**bits, "d": rng.integers(0, 2, 40), "e": rng.integers(0, 2, 40)})
    assert data.schema.kind == "binary" and data.train.x.dtype == torch.uint8
