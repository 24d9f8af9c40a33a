"""Ids are left out, and new ones are made by their pattern."""

import uuid

import numpy as np
import pyarrow as pa
import pytest

from lowerbound.data import columns_of, read
from lowerbound.data.ids import id_of, new_ids

rng = np.random.default_rng(0)


def made(values: list, count: int = 40) -> list:
    return new_ids(id_of(pa.array(values), "id", 0, ""), count, seed=1).tolist()


@pytest.mark.parametrize(
    ("values", "first"),
    [
        (list(range(1, 61)), [61, 62, 63]),
        (list(range(1000, 0, -10)), [1010, 1020, 1030]),
        ([f"C-{i:04}" for i in range(70)], ["C-0070", "C-0071", "C-0072"]),
        ([f"2024-{i:03}" for i in range(5, 70)], ["2024-070", "2024-071"]),
        ([f"row {i}" for i in range(60)], ["row 60", "row 61"]),
    ],
)
def test_numbered_ids_go_on_where_they_ended(values: list, first: list):
    assert made(values)[: len(first)] == first


@pytest.mark.parametrize(
    "values",
    [
        rng.permutation(10**6)[:200].tolist(),
        [str(uuid.UUID(bytes=rng.bytes(16))) for _ in range(99)],
        [
            f"{a}{b:05}"
            for a, b in zip(rng.choice(list("XYZ"), 99), rng.permutation(10**5), strict=False)
        ],
        [f"{name} {i * i}" for i, name in enumerate(["Ann", "Bob", "Cy"] * 30)],
    ],
)
def test_other_ids_are_new_different_and_of_the_type_seen(values: list):
    found = made(values, 150)
    assert len(set(found)) == 150
    assert {type(one) for one in found} == {type(values[0])}
    if isinstance(values[0], int):
        assert not set(found) & set(values)
        assert found != sorted(found)  # not numbered where the input was not
    elif len(set(map(len, values))) == 1:
        assert {len(one) for one in found} == {len(values[0])}
        shape = [one if not one.isalnum() else "" for one in values[0]]
        assert all(mark in ("", found[0][j]) for j, mark in enumerate(shape))


TABLE = {
    "key": rng.permutation(10**6)[:60].tolist(),
    "code": [f"A{i:03}" for i in rng.permutation(60)],
    "x": rng.normal(size=60).tolist(),
    "step": np.cumsum(rng.integers(1, 9, 60)).tolist(),
    "y": rng.integers(0, 10**6, 60).tolist(),
    "note": [f"the {i} th of many things that a person has to say" for i in range(60)],
}


def test_ids_and_text_are_left_out_said_and_put_back_in_their_places():
    data = read(TABLE)
    assert [field.name for field in data.schema.fields] == ["x", "y"]
    left = {one.name: (one.kind, one.reason) for one in data.schema.left_out}
    assert left["code"] == ("id", "it names the rows")
    assert left["key"] == ("id", "every row has its own number, and it is named key")
    assert left["step"] == ("id", "every row has its own number, ascending")
    assert left["note"][0] == "text"
    table = columns_of(data.train.x[:5], data.schema)
    assert list(table) == list(TABLE)
    assert table["note"].tolist() == [None] * 5
    assert not set(table["key"].tolist()) & set(TABLE["key"])


def test_a_person_may_keep_or_leave_out_a_column():
    kept = read(TABLE, columns={"step": "whole", "y": "skip"}).schema
    assert [field.name for field in kept.fields] == ["x", "step"]
    assert [one.kind for one in kept.left_out if one.name == "y"] == ["skip"]


def test_reals_are_never_ids_and_a_few_rows_have_none():
    few = {"no": list(range(30))[::-1], "x": rng.normal(size=30).tolist()}
    assert [field.name for field in read(few).schema.fields] == ["no", "x"]
