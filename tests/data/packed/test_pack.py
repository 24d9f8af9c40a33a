"""Shards: what goes in comes out, an interrupted packing goes on, a changed shard is noticed."""

import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lowerbound.data import read
from lowerbound.data.front import for_packing
from lowerbound.data.stored import pack as packing
from lowerbound.data.stored.manifest import NAME, read_manifest
from lowerbound.data.stored.pack import pack
from lowerbound.errors import DataError, OutputError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def labelled(tmp_path, images) -> Path:
    arrays = {"x_train": images[:400], "x_test": images[400:]}
    arrays |= {"y_train": np.arange(400) % 11, "y_test": np.arange(100) % 11}
    np.savez(tmp_path / "a.npz", **arrays)
    return tmp_path / "a.npz"


def packed(source, out: Path, **options) -> Path:
    found, key = for_packing(str(source))
    pack(found, out, key=key, **{"shard_bytes": 150_000, **options})
    return out


def content(data) -> list:
    """Everything of a data set that does not depend on the order of the training examples."""
    rows = sorted(zip(data.train.load().x.flatten(1).tolist(), data.train.label.tolist()))  # noqa: B905
    return [rows, data.validation.load().x.tolist(), data.test.load().x.tolist(), data.split]


def test_what_goes_in_comes_out(tmp_path, labelled):
    out = packed(labelled, tmp_path / "out")
    assert len(read_manifest(out).shards) == 6 + 2
    assert sorted(p.name for p in out.iterdir())[-1] == "train-000005.tar"
    one, other = read(labelled), read(out)
    assert content(one) == content(other)
    assert one.schema == other.schema and other.stored
    assert one.test.label_names == other.test.label_names


def test_members_are_what_others_expect(tmp_path, labelled, images):
    out = packed(labelled, tmp_path / "out")
    with tarfile.open(out / "train-000001.tar") as tar:
        names = tar.getnames()
        first = int(names[0].removesuffix(".npy"))
        assert names[:2] == [f"{first:09}.npy", f"{first:09}.cls"]
        x = np.load(io.BytesIO(tar.extractfile(names[0]).read()), allow_pickle=False)
        assert np.array_equal(x, images[first])
        assert int(tar.extractfile(names[1]).read()) == first % 11


@pytest.mark.parametrize("dtype", [">i2", "<f8", "f4"])
def test_tables_of_every_type(tmp_path, saved, numbers, dtype):
    path = saved(numbers.astype(dtype))
    one, other = read(path, stream=True), read(packed(path, tmp_path / "out"))
    assert torch.equal(one.train.load().x, other.train.load().x)
    assert one.schema.describe() == other.schema.describe()
    torch.testing.assert_close(one.schema.scale, other.schema.scale, rtol=1e-6, atol=0)


def test_what_cannot_be_read_in_parts_can_be_packed(tmp_path, numbers):
    text = "a,b,c,d,e\n" + "\n".join(",".join(map(repr, row)) for row in numbers.tolist())
    (tmp_path / "t.csv").write_text(text)
    one, other = read(tmp_path / "t.csv"), read(packed(tmp_path / "t.csv", tmp_path / "out"))
    assert one.schema.columns == other.schema.columns == tuple("abcde")
    assert torch.equal(one.test.load().x, other.test.load().x)


def test_a_packing_that_was_interrupted_goes_on(tmp_path, labelled, monkeypatch):
    out = tmp_path / "out"
    whole = packed(labelled, tmp_path / "whole")
    asked = []

    def two(jobs, *rest):
        for job in jobs:
            if len(asked) == 2:
                raise KeyboardInterrupt
            asked.append(job["name"])
            yield packing.write_shard(job)

    monkeypatch.setattr(packing, "in_workers", two)
    with pytest.raises(KeyboardInterrupt):
        packed(labelled, out)
    assert not (out / NAME).exists()
    with pytest.raises(OutputError, match="beginning of another packing"):
        packed(labelled, out, shard_bytes=100_000)
    (out / asked[0]).write_bytes(b"damaged since")
    asked[:] = asked[1:]  # one of the two is still whole
    monkeypatch.setattr(packing, "in_workers", lambda jobs: map(written, jobs))
    written = lambda job: asked.append(job["name"]) or packing.write_shard(job)  # noqa: E731
    packed(labelled, out)
    assert sorted(asked) == sorted(entry.name for entry in read_manifest(out).shards)
    for path in whole.iterdir():
        if path.name != NAME:
            assert path.read_bytes() == (out / path.name).read_bytes()
    assert not (out / packing.WORK).exists()


def test_a_full_disk_leaves_what_is_done(tmp_path, labelled, monkeypatch):
    def full(jobs, *rest):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packing, "in_workers", full)
    with pytest.raises(OutputError, match=r"no space left.*the same command goes on"):
        packed(labelled, tmp_path / "out")


def test_a_folder_with_other_things_is_left_alone(tmp_path, labelled):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    for place in (tmp_path / "mine", labelled):
        with pytest.raises(OutputError, match="is left alone"):
            packed(labelled, place)
    with pytest.raises(OutputError, match="packed already"):
        packed(labelled, packed(labelled, tmp_path / "out"))


DAMAGES = {
    "is missing": lambda out: (out / "train-000001.tar").unlink(),
    "truncated or another one": lambda out: _changed(out, lambda b: b[:-600]),
    "its checksum is not that": lambda out: _changed(out, lambda b: b[:5000] + b"?" + b[5001:]),
    "missing or damaged": lambda out: (out / NAME).write_text("{}"),
    "of a newer version": lambda out: _said(out, version=2),
    "manifest.json' is missing or": lambda out: _said(out, first="../../etc/x.tar"),
}


def _changed(out: Path, change) -> None:
    path = out / "train-000001.tar"
    path.write_bytes(change(path.read_bytes()))


def _said(out: Path, first: str | None = None, **values) -> None:
    document = {**json.loads((out / NAME).read_text()), **values}
    if first:
        document["shards"][0]["name"] = first
    (out / NAME).write_text(json.dumps(document))


@pytest.mark.parametrize("words", DAMAGES)
def test_damage_is_noticed_and_the_remedy_named(tmp_path, labelled, words):
    out = packed(labelled, tmp_path / "out")
    read(out)
    DAMAGES[words](out)
    with pytest.raises(DataError) as caught:
        read(out)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_shard_that_is_changed_after_it_was_compared_is_noticed(tmp_path, labelled):
    out = packed(labelled, tmp_path / "out")
    train = read(out).train
    path = out / "train-000000.tar"
    body = bytearray(path.read_bytes())
    body[512 + 1] ^= 1  # in the .npy header of the first sample
    path.write_bytes(body)
    with pytest.raises(DataError, match="changed while"):
        train.batch(slice(0, 5))


# --- archives of others


def webdataset(path: Path, samples: dict[str, dict[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for stem, members in samples.items():
            for ending, body in members.items():
                info = tarfile.TarInfo(f"{stem}.{ending}")
                info.size = len(body)
                tar.addfile(info, io.BytesIO(body))
    return path


def as_file(save, values) -> bytes:
    buffer = io.BytesIO()
    save(buffer, values)
    return buffer.getvalue()


def png(pixels: np.ndarray) -> bytes:
    return as_file(lambda f, x: Image.fromarray(x).save(f, "PNG"), pixels)


def test_arrays_of_others_with_classes_and_parts(tmp_path, images):
    folder = tmp_path / "wds"
    folder.mkdir()
    parts = {"train-0": range(250), "train-1": range(250, 400), "test": range(400, 500)}
    for name, rows in parts.items():
        samples = {
            f"dir/{i:05}": {
                "json": b"{}",
                "npy": as_file(np.save, images[i]),
                "cls": b"%d" % (i % 4),
            }
            for i in rows
        }
        webdataset(folder / f"{name}.tar", samples)
    data = read(folder)
    assert len(data.test) == 100 and data.stored
    assert np.array_equal(data.test.load().x.numpy()[:, 0], images[400:])
    assert data.test.label.tolist() == [i % 4 for i in range(400, 500)]
    assert any("kinds of members ignored" not in str(n) and ".json" in str(n) for n in data.notes)


def test_pictures_of_others_are_decoded_and_broken_ones_counted(tmp_path, images):
    bodies = [png(image) for image in images[:60]]
    bodies[17] = bodies[17][:40]
    bodies[41] = b"no picture"
    samples = {f"{i:03}": {"png": body, "cls": b"%d" % (i % 3)} for i, body in enumerate(bodies)}
    data = read(webdataset(tmp_path / "a.tar", samples))
    assert "2 files skipped: broken (017.png, 041.png)" in [str(note) for note in data.notes]
    counts = data.split["counts"]
    assert sum(counts.values()) == 58
    known = {images[i].tobytes(): i % 3 for i in range(60)}
    for part in (data.train, data.validation, data.test):
        x, label = part.load().x.numpy(), part.label.tolist()
        assert [known[row[0].tobytes()] for row in x] == label


SAMPLES = {
    "differ in size": {
        "a": {"npy": as_file(np.save, np.ones(3))},
        "b": {"npy": as_file(np.save, np.ones(4))},
    },
    "each needs one": {"a": {"npy": as_file(np.save, np.ones(3))}, "b": {"txt": b"x"}},
    "holds no .npy and no picture": {"a": {"txt": b"x"}},
    "pickled objects": {
        "a": {"npy": as_file(lambda f, x: np.save(f, x, allow_pickle=True), np.array([{}]))}
    },
    "no plain arrays": {"a": {"npy": as_file(np.save, np.array(["text"]))}},
}  # fmt: skip


@pytest.mark.parametrize("words", SAMPLES)
def test_odd_samples_are_refused(tmp_path, words):
    with pytest.raises(DataError, match=words):
        read(webdataset(tmp_path / "a.tar", SAMPLES[words]))


def test_a_header_that_differs_is_noticed_when_its_row_is_read(tmp_path):
    arrays = [np.arange(6).reshape(2, 3), np.arange(6).reshape(3, 2)]
    samples = {f"{i:03}": {"npy": as_file(np.save, arrays[i == 25])} for i in range(40)}
    with pytest.raises(DataError, match="differ in shape or type"):
        read(webdataset(tmp_path / "a.tar", samples))


def test_members_of_a_sample_lie_together(tmp_path):
    body = as_file(np.save, np.ones(3))
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name in ("a.npy", "b.npy", "a.cls"):
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    with pytest.raises(DataError, match="members of 'a' in different places"):
        read(os.fspath(tmp_path / "a.tar"))
