"""Files larger than memory become one form of rows; the data are what they are in memory."""

import gzip
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import csv, feather, parquet
from safetensors.numpy import save_file
from tests.data.packed.test_stored import both, same_data

from lowerbound.data import columns_of, read, read_examples
from lowerbound.data.packed import convert, parts
from lowerbound.data.packed.convert import pack
from lowerbound.data.packed.folder import MANIFEST, open_packed
from lowerbound.data.reading import Reading
from lowerbound.errors import DataError, OutputError, SettingError

rng = np.random.default_rng(0)
TABLE = pa.table({
    "who": [f"row {i}" for i in range(500)],
    "height": rng.normal(170, 10, 500).round(1),
    "town": rng.choice(["Bern", "Basel", "Chur"], 500),
    "visits": rng.poisson(3, 500),
    "smokes": rng.choice(["no", "yes"], 500),
    "income": [None if i % 5 == 0 else 1000.5 + i for i in range(500)],
})  # fmt: skip


@pytest.fixture
def little_at_once(monkeypatch, cache) -> None:
    """Parts of a few hundred bytes."""
    monkeypatch.setattr(parts, "AT_ONCE", 2**12)
    monkeypatch.setattr(parts, "PICTURES", 7)


WRITERS = {
    "x.parquet": lambda path: parquet.write_table(TABLE, path, row_group_size=100),
    "x.csv": lambda path: csv.write_csv(TABLE, path),
    "x.csv.gz": lambda path: _gzip(path),
    "x.feather": lambda path: feather.write_feather(TABLE, path, chunksize=64),
}


def _gzip(path: Path) -> None:
    plain = path.with_name("plain.csv")
    csv.write_csv(TABLE, plain)
    path.write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    plain.unlink()


@pytest.mark.usefixtures("little_at_once", "small_blocks")
@pytest.mark.parametrize("name", WRITERS)
def test_a_table_in_parts_is_the_table(tmp_path, name):
    WRITERS[name](tmp_path / name)
    one, other = both(tmp_path / name)
    a, b = one.schema, other.schema
    assert [f.kind for f in a.fields] == ["real", "categorical", "count", "binary", "real"]
    assert (a.columns, [f.kind for f in a.fields]) == (b.columns, [f.kind for f in b.fields])
    assert (a.fields[0].decimals, b.fields[0].decimals) == (1, 1)
    assert sorted(a.fields[1].categories) == sorted(b.fields[1].categories)
    assert one.split["counts"] == other.split["counts"]
    assert any("converted into" in str(note) for note in other.notes)
    assert other.train.row_label == "who"
    new, _ = read_examples(tmp_path / name, a)  # the words, whatever their codes
    whole, _ = read_examples(tmp_path / name, b)
    town = [np.array(s.fields[1].categories)[n.x[:, 1].long()] for s, n in ((a, new), (b, whole))]
    assert (town[0] == town[1]).all()
    assert torch.equal(new.observed, whole.observed)


@pytest.mark.usefixtures("little_at_once", "small_blocks")
def test_numbers_in_parts_are_the_same_to_the_bit(tmp_path, numbers):
    parquet.write_table(
        pa.table({f"c{j}": numbers[:, j] for j in range(5)}), tmp_path / "x.parquet"
    )
    same_data(*both(tmp_path / "x.parquet"))
    (tmp_path / "many").mkdir()
    for i in range(3):
        table = pa.table({f"c{j}": numbers[i::3, j] for j in range(5)})
        parquet.write_table(table, tmp_path / "many" / f"{i}.parquet")
    one, other = both(tmp_path / "many")
    assert one.schema == other.schema and one.split == other.split
    assert torch.equal(one.test.x, other.test.x)


@pytest.mark.usefixtures("little_at_once", "small_blocks")
def test_parts_and_labels_of_an_archive(tmp_path, images):
    arrays = {"x_train": images[:400], "x_test": images[400:]}
    arrays |= {"y_train": np.arange(400) % 3, "y_test": np.arange(100) % 3}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    one, other = both(tmp_path / "a.npz")
    same_data(one, other)
    pairs = zip(one.train.x, one.train.label, strict=True)
    rows = {tuple(x.flatten().tolist()): int(y) for x, y in pairs}
    for x, y in zip(other.train.load().x, other.train.label, strict=True):
        assert rows[tuple(x.flatten().tolist())] == int(y)
    assert one.test.label_names == other.test.label_names == ("0", "1", "2")
    same_data(*both(f"{tmp_path / 'a.npz'}#x_train"))


@pytest.mark.usefixtures("little_at_once", "small_blocks")
def test_safetensors(tmp_path, images):
    save_file({"x": images, "y": np.arange(500) % 4}, tmp_path / "a.safetensors")
    same_data(*both(tmp_path / "a.safetensors"))
    same_data(*both(f"{tmp_path / 'a.safetensors'}#x"))


@pytest.mark.usefixtures("little_at_once", "small_blocks")
def test_pictures_with_their_classes_and_names(tmp_path, images):
    for i, pixels in enumerate(images[:60]):
        folder = tmp_path / "photos" / ("cat", "dog")[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{i:02}.png")
    one, other = both(tmp_path / "photos")
    same_data(one, other)
    assert other.train.label_names == ("cat", "dog")
    names, labels = other.train.row_names, other.train.label
    assert all(("cat", "dog")[int(y)] in name for name, y in zip(names, labels, strict=True))


@pytest.mark.usefixtures("little_at_once", "small_blocks")
def test_tar_archives_of_pictures_or_arrays(tmp_path, images):
    for i, pixels in enumerate(images[:60]):
        Image.fromarray(pixels).save(tmp_path / f"{i:02}.png")
        np.save(tmp_path / f"{i:02}.npy", pixels)
    for kind in ("png", "npy"):
        (tmp_path / kind).mkdir()
        for part in range(2):
            with tarfile.open(tmp_path / kind / f"{part}.tar", "w") as archive:
                for i in range(30 * part, 30 * part + 30):
                    archive.add(tmp_path / f"{i:02}.{kind}", f"{i:02}.{kind}")
        one, other = both(tmp_path / kind)
        same_data(one, other)
        assert len(read(tmp_path / kind / "1.tar").train) == 24
        found = torch.cat([part.x for part in (one.train, one.validation, one.test)])
        assert sorted(found.flatten(1).tolist()) == sorted(images[:60].reshape(60, -1).tolist())
    content = (tmp_path / "png" / "0.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(content[:3000])
    with pytest.raises(DataError):
        read(tmp_path / "cut.tar")


@pytest.mark.usefixtures("small_blocks")
def test_what_is_converted_is_found_again_until_it_changes(tmp_path, cache, numbers):
    path = tmp_path / "x.parquet"
    parquet.write_table(pa.table({f"c{j}": numbers[:, j] for j in range(5)}), path)
    one = read(path, stream=True)
    (folder,) = (cache / "packed").iterdir()
    before = (folder / "rows.npy").stat().st_mtime_ns
    assert read(path, stream=True).fingerprint == one.fingerprint
    assert (folder / "rows.npy").stat().st_mtime_ns == before
    parquet.write_table(pa.table({f"c{j}": numbers[::-1, j] * 2 for j in range(5)}), path)
    assert read(path, stream=True).fingerprint != one.fingerprint


@pytest.mark.usefixtures("cache", "small_blocks")
def test_columns_that_follow_from_others_are_found_on_disk_if_all_rows_agree(tmp_path, monkeypatch):
    monkeypatch.setattr("lowerbound.data.survey.LOOKED_AT_ON_DISK", 125)
    rng = np.random.default_rng(0)
    town = rng.choice(["Bern", "Thun", "Chur", "Zug"], 500)
    price, tax = np.round(rng.gamma(2, 40, (2, 500)), 2)
    table = {"town": town, "price": price, "tax": tax, "total": np.round(price + tax, 2)}
    table["canton"] = np.where(town == "Chur", "GR", np.where(town == "Zug", "ZG", "BE"))
    parquet.write_table(pa.table(table), tmp_path / "x.parquet")
    data = read(tmp_path / "x.parquet", stream=True)
    assert data.stored
    rules = [one.rule for one in data.schema.derived]
    assert rules == ["total = price + tax", "each town has one canton"]
    part = data.test.load()
    back = columns_of(part.x, data.schema, part.observed)
    assert list(back) == list(table)
    np.testing.assert_allclose(back["total"], back["price"] + back["tax"])
    table["total"][1::100] += 7.0  # not among every fourth row, which is looked at
    parquet.write_table(pa.table(table), tmp_path / "y.parquet")
    data = read(tmp_path / "y.parquet", stream=True)
    assert [one.rule for one in data.schema.derived] == ["each town has one canton"]
    assert [field.name for field in data.schema.fields] == ["town", "price", "tax", "total"]


class TestPack:
    def test_a_packed_folder_is_the_data(self, tmp_path, images):
        np.save(tmp_path / "x.npy", images)
        assert pack(str(tmp_path / "x.npy"), tmp_path / "out", Reading()) == 500
        same_data(read(tmp_path / "x.npy"), read(tmp_path / "out", stream=True))
        assert not read(tmp_path / "out").stored  # it is small

    def test_words_gaps_parts_and_names_are_kept(self, tmp_path):
        parquet.write_table(TABLE, tmp_path / "x.parquet")
        pack(str(tmp_path / "x.parquet"), tmp_path / "out", Reading())
        one, other = read(tmp_path / "x.parquet"), read(tmp_path / "out")
        assert one.fingerprint == other.fingerprint
        assert one.schema.fields == other.schema.fields
        assert torch.equal(one.test.x, other.test.x)
        assert torch.equal(one.test.observed, other.test.observed)
        assert one.test.row_names == other.test.row_names
        pack("fashion-small", tmp_path / "named", Reading())
        assert read(tmp_path / "named").fingerprint == read("fashion-small").fingerprint

    def test_kinds_are_told_late_and_all_else_when_it_is_packed(self, tmp_path):
        parquet.write_table(TABLE, tmp_path / "x.parquet")
        pack(str(tmp_path / "x.parquet"), tmp_path / "out", Reading())
        for stream in (True, False):
            schema = read(tmp_path / "out", columns={"visits": "real"}, stream=stream).schema
            assert {f.name: f.kind for f in schema.fields}["visits"] == "real"
            with pytest.raises(SettingError, match="give gaps to lowerbound data pack"):
                read(tmp_path / "out", gaps={"visits": [9]}, stream=stream)
            assert len(read_examples(tmp_path / "out", schema, stream=stream)[0]) == 500

    def test_other_things_are_left_alone(self, tmp_path, images):
        np.save(tmp_path / "x.npy", images)
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "mine").write_text("x")
        with pytest.raises(OutputError, match="is left alone"):
            pack(str(tmp_path / "x.npy"), tmp_path / "out", Reading())
        assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine"]

    def test_a_source_that_breaks_leaves_nothing(self, tmp_path):
        np.savez(tmp_path / "x.npz", np.ones((20, 4)))
        content = (tmp_path / "x.npz").read_bytes()
        (tmp_path / "x.npz").write_bytes(content[:200] + bytes(300) + content[500:])
        with pytest.raises(DataError):
            pack(str(tmp_path / "x.npz"), tmp_path / "out", Reading())
        assert {p.name for p in tmp_path.iterdir()} == {"x.npz"}

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda m: "{", "missing or damaged"),
            (lambda m: json.dumps({**m, "version": 9}), "newer version"),
            (lambda m: json.dumps({**m, "format": "x"}), "newer version"),
            (lambda m: json.dumps({**m, "levels": "x"}), "whole number"),
            (lambda m: json.dumps({**m, "columns": [{"name": "a"}]}), "differ in length"),
        ],
    )
    def test_a_damaged_manifest_is_refused_in_a_line(self, tmp_path, images, change, words):
        np.save(tmp_path / "x.npy", images.reshape(500, 30))
        pack(str(tmp_path / "x.npy"), tmp_path / "out", Reading())
        place = tmp_path / "out" / MANIFEST
        place.write_text(change(json.loads(place.read_text())))
        with pytest.raises(DataError, match=words) as caught:
            open_packed(tmp_path / "out")
        assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("little_at_once")
def test_a_column_that_turns_into_words_is_refused_with_the_remedy(tmp_path):
    lines = [f"{i},{i / 4}" for i in range(900)] + ["900,x"] * 9
    (tmp_path / "x.csv").write_text("a,b\n" + "\n".join(lines))
    with pytest.raises(DataError, match=r"'b' is mixed: .* words such as 'x'.*--column b=cat"):
        read(tmp_path / "x.csv", stream=True)


@pytest.mark.usefixtures("little_at_once")
def test_a_line_break_within_a_cell_does_not_end_a_row(tmp_path):
    words = ['"two\nlines"', "plain", '"a ""quote"" and\nmore"']
    lines = [f"{i / 3:.3f},{words[i % 3]}" for i in range(600)]
    (tmp_path / "x.csv").write_text("a,b\n" + "\n".join(lines) + "\n")
    one, other = both(tmp_path / "x.csv")
    assert sorted(one.schema.fields[1].categories) == sorted(other.schema.fields[1].categories)
    assert sum(other.split["counts"].values()) == 600


@pytest.mark.usefixtures("little_at_once", "small_blocks")
@pytest.mark.parametrize("kind", ["idx", "npy", "npy and csv"])
def test_a_folder_of_arrays_is_read_in_parts_and_is_the_same(tmp_path, images, kind, monkeypatch):
    folder = tmp_path / "x"
    folder.mkdir()
    if kind == "idx":
        for part, x in (("train", images[:400]), ("t10k", images[400:])):
            sizes = b"".join(size.to_bytes(4, "big") for size in x.shape)
            content = b"\0\0\x08\x03" + sizes + x.tobytes()
            (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(content))
    for i in range(0, 500 if kind != "idx" else 0, 10):
        np.save(folder / f"{i:03}.npy", images[i].astype(np.float32))
    if kind == "npy and csv":
        csv.write_csv(TABLE, folder / "about.csv")
    same_data(*both(folder))
    largest = []
    monkeypatch.setattr(convert, "write", lambda out, parts, _: largest.extend(map(len, parts)))
    pack(str(folder), tmp_path / "out", Reading())
    assert sum(largest) == (500 if kind == "idx" else 50)
    assert max(largest) < sum(largest) / 2
