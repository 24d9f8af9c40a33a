"""What a schema promises, and what it refuses to be built from."""

import json

import numpy as np
import pytest
import torch

from lowerbound.data import Constant, Examples, Field, Note, Schema, read
from lowerbound.errors import DataError, ShapeError

TABLE = Schema(
    (
        Field("b", "real", mean=(1.0,), scale=(2.0,)),
        Field("d", "real", mean=(3.0,), scale=(4.0,)),
    ),
    (2,),
    (Constant("a", 0, 7.0), Constant("c", 2, 0.5)),
    precision="float64",
)


def test_constants_leave_and_return_to_their_places():
    rows = np.array([[7.0, 1.0, 0.5, 2.0], [7.0, 3.0, 0.5, 4.0]])
    assert TABLE.columns == ("a", "b", "c", "d")
    assert (TABLE.unpack(rows[:, [1, 3]]) == rows).all()
    with pytest.raises(ShapeError, match="takes"):
        TABLE.unpack(rows)


def test_integers_unpacked_beside_a_fractional_constant_become_floats():
    assert TABLE.unpack(np.array([[1, 0]], np.uint8)).tolist() == [[7.0, 1.0, 0.5, 0.0]]


def test_mean_and_scale_broadcast_against_the_shape_in_the_stored_dtype():
    assert TABLE.mean is not None
    assert TABLE.scale is not None
    assert TABLE.mean.tolist() == [1.0, 3.0]
    assert TABLE.scale.dtype == torch.float64
    image = Schema((Field("image", "real", (1, 4, 4), mean=(0.5,), scale=(0.1,)),), (1, 4, 4))
    assert image.mean is not None
    assert image.mean.shape == (1, 1, 1)
    assert image.dtype == torch.float32
    assert Schema((Field("x", "real", (2,)),), (2,)).mean is None


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (
            Schema((Field("image", "ordinal", (1, 28, 28), 256),), (1, 28, 28)),
            "8-bit images 1x28x28",
        ),
        (Schema((Field("x", "binary", (5,), 2),), (5,)), "binary vectors of 5"),
        (TABLE, "table of 2 real columns, 2 constant left out"),
        (
            Schema((Field("x", "binary", (5,), 2),), (5,), threshold=127.5),
            "binary vectors of 5, binarised at 127.5",
        ),
    ],
)
def test_a_schema_says_what_it_is(schema: Schema, words: str):
    assert schema.describe() == words


@pytest.mark.parametrize("source", ["digits", "table", "binarised"])
def test_json_gives_the_same_schema_back(source: str):
    rng = np.random.default_rng(0)
    schema = {
        "digits": lambda: read("digits").schema,
        "table": lambda: TABLE,
        "binarised": lambda: read(rng.random((30, 4, 4)), binarize=True).schema,
    }[source]()
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


def hostile(**changes: object) -> dict:
    return {**TABLE.to_json(), **changes}


def field(**changes: object) -> dict:
    return hostile(fields=[{**TABLE.to_json()["fields"][0], **changes}], shape=[1], constants=[])


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        hostile(extra=1),
        hostile(fields=[]),
        hostile(fields="ab"),
        hostile(fields=[None, None]),
        hostile(shape=[3]),
        hostile(shape=[2, 1]),
        hostile(shape=[True]),
        hostile(shape=["2"]),
        hostile(shape=[2.0]),
        hostile(shape=[10**40]),
        hostile(constants=[{"name": "a", "position": 9, "value": 1.0}]),
        hostile(constants=[{"name": "b", "position": 0, "value": 1.0}]),
        hostile(constants=[{"name": "a", "position": -1, "value": 1.0}]),
        hostile(constants=[{"name": "a", "position": 0, "value": float("nan")}]),
        hostile(constants=[{"name": "a", "position": 0, "value": 10**400}]),
        hostile(threshold=0.5),
        hostile(precision="float16"),
        hostile(precision=None),
        field(name=3),
        field(name="x" * 10**6),
        field(kind="complex"),
        field(kind="binary"),
        field(kind="ordinal"),
        field(kind="ordinal", levels=10**9),
        field(levels=2),
        field(levels="2"),
        field(shape=[0]),
        field(shape=[2**16, 2**16, 2**16]),
        field(mean=None),
        field(mean=[1.0, 2.0]),
        field(mean=[float("inf")]),
        field(scale=[0.0]),
        field(scale=[-1.0]),
        field(scale=["1"]),
        field(scale=[True]),
    ],
)
def test_a_hostile_schema_is_refused_in_one_line(document: object):
    with pytest.raises(DataError) as caught:
        Schema.from_json(document)  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


MIXED = Schema(
    (
        Field("smokes", "binary", levels=2, categories=("no", "yes"), mean=(0.25,), scale=(0.5,)),
        Field("town", "categorical", levels=3, categories=("a", "b", "c"), missing=True),
        Field("visits", "count", whole=True, mean=(4.0,), scale=(3.0,)),
        Field("height", "real", decimals=2, mean=(1.7,), scale=(0.1,), missing=True),
        Field("beds", "count", whole=True, mean=(2.0,), scale=(1.0,)),
    ),
    (5,),
    (Constant("country", 1, "CH"), Constant("year", 6, 2024)),
    precision="float64",
)


def test_fields_of_different_kinds_stand_side_by_side():
    assert (MIXED.kind, MIXED.levels, MIXED.is_discrete, MIXED.missing) == (
        "mixed", None, False, True,
    )  # fmt: skip
    assert MIXED.dtype == torch.float64
    assert MIXED.alike() == {
        ("binary", 2): (0,), ("categorical", 3): (1,), ("count", None): (2, 4), ("real", None): (3,)
    }  # fmt: skip
    assert MIXED.columns_of(MIXED.fields[3]) == slice(3, 4)
    assert MIXED.mean is not None and MIXED.scale is not None
    assert MIXED.mean.tolist() == [0.25, 0, 4, 1.7, 2]  # a category's code has no mean
    assert MIXED.scale.tolist() == [0.5, 1, 3, 0.1, 1]
    assert MIXED.describe() == (
        "table of 5 columns (1 binary, 1 categorical, 2 count, 1 real), with gaps, "
        "2 constant left out"
    )
    assert MIXED.columns is not None and MIXED.columns[1] == "country"
    again = Schema.from_json(json.loads(json.dumps(MIXED.to_json())))
    assert again == MIXED
    assert type(again.constants[1].value) is int  # 2024, not 2024.0


def test_sensors_are_measured_each_for_itself():
    field = Field("x", "real", (24, 2), mean=(1.0, 50.0), scale=(2.0, 9.0))
    series = Schema((field,), (24, 2))
    assert series.mean is not None and series.mean.tolist() == [[1.0, 50.0]]
    assert series.describe() == "real series of 24 steps, 2 channels"
    colour = Field("image", "real", (3, 4, 5), mean=(1.0, 2.0, 3.0), scale=(1.0,) * 3)
    image = Schema((colour,), (3, 4, 5))
    assert image.mean is not None and image.mean.shape == (3, 1, 1)
    with pytest.raises(DataError, match="120 cells but 5 means"):
        Field("x", "real", (5, 24), mean=(1.0,) * 5, scale=(1.0,) * 5)


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        ("categorical", {"levels": 3, "categories": ("a", "b")}, "3 levels but 2 categories"),
        ("categorical", {"levels": 2, "categories": ("a", "a")}, "2 levels but 1 categories"),
        ("categorical", {}, "needs 2 to 65536 levels"),
        ("count", {"levels": 4}, "has levels None, got 4"),
        ("real", {"role": "told"}, "modelled or a condition"),
        ("real", {"decimals": 16}, "0 to 15 decimals"),
        ("8-bit", {"levels": 256}, "there are: binary, categorical"),
    ],
)
def test_a_field_that_contradicts_itself_is_refused(kind, changes, words):
    with pytest.raises(DataError, match=words):
        Field("a", kind, **changes)


def test_notes_count_agree_in_number_and_name_a_few():
    assert str(Note("files skipped: broken", 1, ("a.png",))) == "1 file skipped: broken (a.png)"
    assert str(Note("files skipped", 1200, tuple("abcd"))) == "1,200 files skipped (a, b, c, ...)"
    assert str(Note("the first row is the header")) == "the first row is the header"


def test_examples_keep_rows_masks_and_labels_together():
    x = torch.arange(6.0).reshape(3, 2)
    examples = Examples(x, x > 1, torch.tensor([0, 1, 0]), ("no", "yes"))
    some = examples.to("cpu").select(torch.tensor([2, 1]))
    assert some.x.tolist() == [[4.0, 5.0], [2.0, 3.0]]
    assert some.label is not None
    assert some.label.tolist() == [0, 1]
    batch = examples.batch(slice(0, 1))
    assert batch.observed is not None
    assert batch.observed.tolist() == [[False, False]]
