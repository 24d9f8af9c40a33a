"""New data under a schema that a model was trained with."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowerbound.data import read, read_examples
from lowerbound.errors import DataError, SettingError, ShapeError

rng = np.random.default_rng(0)
BYTES = rng.integers(0, 256, (30, 4, 5)).astype(np.uint8)
TABLE = {"a": rng.normal(size=30), "k": np.full(30, 7.0), "b": rng.normal(size=30)}


def test_order_is_kept_and_nothing_is_split():
    x = rng.normal(size=(30, 3))
    examples, notes = read_examples(x[::-1], read(x).schema)
    assert (examples.x.numpy() == x[::-1]).all()
    assert notes == ()


def test_stored_dtype_and_shape_are_those_of_the_schema():
    schema = read(BYTES).schema
    for source in (BYTES[:3], BYTES[:3].astype(np.int64), BYTES[:3].astype(float), BYTES[:3, None]):
        examples, _ = read_examples(source, schema)
        assert examples.x.dtype == schema.dtype
        assert (examples.x.numpy()[:, 0] == BYTES[:3]).all()


def test_one_example_is_enough():
    assert len(read_examples(BYTES[:1], read(BYTES).schema)[0]) == 1


def test_columns_are_matched_by_name_and_constants_are_dropped():
    schema = read(TABLE).schema
    new = {"b": [1.0, 2.0], "extra": [0, 0], "k": [7.0, 8.0], "a": [3.0, 4.0]}
    examples, notes = read_examples(new, schema)
    assert examples.x.tolist() == [[3.0, 1.0], [4.0, 2.0]]
    words = "; ".join(map(str, notes))
    assert "1 example differing in 'k', which was 7 in all training data" in words
    assert "1 column ignored: the model has none of them (extra)" in words


def test_a_constant_column_may_be_absent():
    examples, notes = read_examples({"a": [1.0], "b": [2.0]}, read(TABLE).schema)
    assert examples.x.tolist() == [[1.0, 2.0]]
    assert notes == ()


def test_an_absent_column_is_named():
    with pytest.raises(DataError, match="lacks 1 of the model's 3 columns: 'b'"):
        read_examples({"a": [1.0], "c": [2.0]}, read(TABLE).schema)


@pytest.mark.parametrize("rows", [[[1.0, 7.0, 2.0]], [[1.0, 2.0]]])
def test_columns_without_names_are_matched_by_position(rows: list):
    examples, _ = read_examples(rows, read(TABLE).schema)
    assert examples.x.tolist() == [[1.0, 2.0]]


def test_another_shape_is_refused_with_both_sides_and_a_remedy(tmp_path: Path):
    schema = read(BYTES).schema
    np.save(tmp_path / "x.npy", np.zeros((2, 3, 32, 32), np.uint8))
    with pytest.raises(
        ShapeError, match=r"the model takes 1x4x5 images, got 3x32x32 in 'x.npy'; resize"
    ):
        read_examples(tmp_path / "x.npy", schema)
    with pytest.raises(ShapeError, match="takes 1x4x5 images, got 20 columns"):
        read_examples(BYTES.reshape(30, 20), schema)
    with pytest.raises(ShapeError, match=r"takes 2 columns \(or 3 with .*got 5 columns"):
        read_examples(np.zeros((2, 5)), read(TABLE).schema)
    with pytest.raises(ShapeError, match="takes vectors of 20, got 1x4x5 images"):
        read_examples(BYTES, read(BYTES.reshape(30, 20)).schema)


@pytest.mark.parametrize(
    ("trained", "new", "words"),
    [
        (BYTES, BYTES / 255, "0 to 255, got .*multiply by 255"),
        (BYTES, BYTES.astype(int) - 9, "got -"),
        (BYTES, BYTES.astype(int) * 2, "0 to 255"),
        (BYTES % 2, BYTES, "binary values 0 to 1.*--binarize"),
        ((BYTES % 17).astype(int), BYTES % 19, "ordinal values 0 to 16, got 1[78]"),
    ],
)
def test_values_that_the_schema_lacks_are_refused(trained, new, words: str):
    with pytest.raises(DataError, match=words) as caught:
        read_examples(new, read(trained).schema)
    assert "\n" not in str(caught.value)


def test_a_gap_in_new_data_is_unobserved_and_counted():
    examples, notes = read_examples([[1.0, np.nan, 2.0]], read(rng.normal(size=(30, 3))).schema)
    assert examples.observed is not None and examples.observed.tolist() == [[True, False, True]]
    assert examples.x.tolist() == [[1.0, 0.0, 2.0]]
    assert "1 cell empty" in str(notes[0])


WORDS = {
    "town": ["a", "b", "c"] * 10, "sex": ["m", "f"] * 15, "two": [1, 2] * 15,
    "age": list(range(30)), "country": ["CH"] * 30, "empty": [None] * 30,
}  # fmt: skip


def test_words_are_matched_by_what_they_say():
    schema = read(WORDS).schema
    assert [field.kind for field in schema.fields] == ["categorical", "binary", "binary", "whole"]
    new = {
        "age": [3, 4], "two": [2, 3], "sex": ["f", None], "town": ["b", "q"],
        "country": ["CH", "DE"], "empty": [None, 4.0], "notes": ["x", "y"],
    }  # fmt: skip
    examples, notes = read_examples(new, schema)
    town, sex, two, age = examples.x.T.tolist()
    assert (town[0], sex[0], two[0], age) == (1, 0, 1, [3, 4])
    assert examples.observed is not None
    assert examples.observed.tolist() == [[True] * 4, [False, False, False, True]]
    words = "; ".join(map(str, notes))
    assert "1 cell of 'town' hold what training never saw: read as gaps" in words
    assert "1 cell of 'two' hold" in words
    assert "1 example differing in 'country', which was 'CH' in all training data" in words
    assert "1 example differing in 'empty', which was empty" in words
    assert "(notes)" in words


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (
            {**WORDS, "age": ["x", "y", "z"] * 10},
            "30 of 30 cells of 'age' hold no number, such as 'x'",
        ),
        ({**WORDS, "town": [1, 2, 3] * 10}, "'town' .*holds numbers where training had words"),
        ({**WORDS, "age": [1.5] * 30}, "takes whole numbers, got 1.5 in column 'age' of"),
        (np.zeros((4, 4)), "'town' of the array holds numbers where training had words"),
    ],
)
def test_a_column_of_another_kind_is_refused(new, words):
    with pytest.raises(DataError, match=words):
        read_examples(new, read(WORDS).schema)


def test_names_of_rows_come_back():
    table = {
        "id": [f"row {i}" for i in range(30)],
        "a": rng.normal(size=30),
        "b": rng.normal(size=30),
    }
    data = read(table)
    assert data.schema.columns == ("id", "a", "b") and data.train.row_label == "id"
    place = {name: i for i, name in enumerate(table["id"])}
    rows = [place[name] for name in data.test.row_names]
    assert data.test.x[:, 0].tolist() == table["a"][rows].tolist()
    examples, _ = read_examples({key: values[:3] for key, values in table.items()}, data.schema)
    assert examples.row_names == ("row 0", "row 1", "row 2")
    assert examples.select(slice(1, None)).row_names == ("row 1", "row 2")


def test_binarised_training_binarises_new_data_by_itself():
    schema = read(BYTES, binarize=True).schema
    examples, _ = read_examples(BYTES, schema)
    assert (examples.x.numpy()[:, 0] == (BYTES > 127.5)).all()


@pytest.mark.parametrize(
    "bits", [BYTES % 2, (BYTES % 2).astype(float), (BYTES % 2).astype(bool), BYTES % 2 * 255]
)
def test_bits_are_taken_as_they_are(bits: np.ndarray):
    for schema in (read(BYTES, binarize=True).schema, read(BYTES % 2).schema):
        examples, _ = read_examples(bits, schema)
        assert (examples.x.numpy()[:, 0] == BYTES % 2).all()


def test_a_binary_model_takes_bytes_only_when_told_to_cut_them():
    schema = read(BYTES % 2).schema
    examples, _ = read_examples(BYTES, schema, binarize=True)
    assert (examples.x.numpy()[:, 0] == (BYTES > 127.5)).all()
    with pytest.raises(SettingError, match="binary data; this one takes 8-bit"):
        read_examples(BYTES, read(BYTES).schema, binarize=True)


def test_data_on_another_scale_than_the_binarised_are_refused():
    with pytest.raises(DataError, match=r"binarised at 0.5 of 0 to 1, got .* scale"):
        read_examples(BYTES, read(rng.random((30, 4, 5)), binarize=True).schema)


def test_pictures_are_binarised_on_their_own_scale(tmp_path: Path):
    for i, pixels in enumerate(BYTES[:3]):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    for trained in (BYTES, rng.random((30, 4, 5))):
        examples, _ = read_examples(tmp_path, read(trained, binarize=True).schema)
        assert (examples.x.numpy()[:, 0] == (BYTES[:3] > 127.5)).all()


def test_a_named_set_is_read_whole():
    schema = read("fashion-small").schema
    examples, _ = read_examples("fashion-small", schema)
    assert len(examples) == 7000
    assert examples.label is not None
