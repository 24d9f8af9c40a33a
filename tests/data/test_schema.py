"""What a schema promises, and what it refuses to be built from."""

import json

import numpy as np
import pytest
import torch

from lowerbound.data import Constant, Examples, Field, Note, Schema, read
from lowerbound.errors import DataError, ShapeError

TABLE = Schema(
    (
        Field("b", "real", (), None, (1.0,), (2.0,)),
        Field("d", "real", (), None, (3.0,), (4.0,)),
    ),
    (2,),
    (Constant("a", 0, 7.0), Constant("c", 2, 0.5)),
    precision="float64",
)


def test_constants_leave_and_return_to_their_places():
    rows = np.array([[7.0, 1.0, 0.5, 2.0], [7.0, 3.0, 0.5, 4.0]])
    assert TABLE.columns == ("a", "b", "c", "d")
    assert TABLE.pack(rows).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert (TABLE.unpack(TABLE.pack(rows)) == rows).all()
    with pytest.raises(ShapeError, match="takes"):
        TABLE.pack(rows[:, :3])
    with pytest.raises(ShapeError, match="takes"):
        TABLE.unpack(rows)


def test_integers_unpacked_beside_a_fractional_constant_become_floats():
    assert TABLE.unpack(np.array([[1, 0]], np.uint8)).tolist() == [[7.0, 1.0, 0.5, 0.0]]


def test_location_and_unit_broadcast_against_the_shape_in_the_stored_dtype():
    assert TABLE.location is not None
    assert TABLE.unit is not None
    assert TABLE.location.tolist() == [1.0, 3.0]
    assert TABLE.unit.dtype == torch.float64
    image = Schema((Field("image", "real", (1, 4, 4), None, (0.5,), (0.1,)),), (1, 4, 4))
    assert image.location is not None
    assert image.location.shape == (1, 1, 1)
    assert image.dtype == torch.float32
    assert Schema((Field("x", "real", (2,)),), (2,)).location is None


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (Schema((Field("image", "8-bit", (1, 28, 28), 256),), (1, 28, 28)), "8-bit images 1x28x28"),
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
        field(location=None),
        field(location=[1.0, 2.0]),
        field(location=[float("inf")]),
        field(unit=[0.0]),
        field(unit=[-1.0]),
        field(unit=["1"]),
        field(unit=[True]),
    ],
)
def test_a_hostile_schema_is_refused_in_one_line(document: object):
    with pytest.raises(DataError) as caught:
        Schema.from_json(document)  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


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
