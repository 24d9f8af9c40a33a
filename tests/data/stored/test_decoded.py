"""Folders of pictures: decoded by processes of their own, once, the same as in memory."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lowerbound.data import read, read_examples
from lowerbound.data.stored import decoded
from lowerbound.data.stored.decoded import _one_by_one
from lowerbound.data.stored.workers import in_workers
from lowerbound.errors import DataError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def photos(tmp_path) -> Path:
    """Two parts, two classes, colours, a size that differs, and files that are no pictures."""
    generator = np.random.default_rng(0)
    folder = tmp_path / "photos"
    for part, count in (("train", 40), ("test", 12)):
        for name in ("cats", "dogs"):
            (folder / part / name).mkdir(parents=True)
            for i in range(count):
                height = 9 if i == 7 else 8
                pixels = generator.integers(0, 256, (height, 6, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{i:03}.png")
    whole = (folder / "train" / "cats" / "011.png").read_bytes()
    (folder / "train" / "cats" / "012.png").write_bytes(whole[: len(whole) // 2])
    (folder / "train" / "dogs" / "020.png").write_bytes(b"")
    (folder / "test" / "notes.txt").write_text("words")
    return folder


def rows(part) -> list:
    return sorted(zip(part.load().x.flatten(1).tolist(), part.label.tolist()))  # noqa: B905


def test_the_same_pictures_as_in_memory(photos):
    one, other = read(photos, stream=False), read(photos, stream=True)
    assert other.stored and one.schema == other.schema
    assert one.split["counts"] == other.split["counts"]
    assert rows(one.train) == rows(other.train)
    assert rows(one.test) == rows(other.test)
    assert torch.equal(one.validation.load().x, other.validation.load().x)
    told = [str(note) for note in other.notes]
    assert [str(note) for note in one.notes if "skipped" in str(note)] == [
        text for text in told if "skipped" in text
    ]
    assert any("decoded pictures are kept in" in text for text in told)


def test_they_are_decoded_once(photos, monkeypatch):
    first = read(photos, stream=True)

    def none(*rest):
        jobs = list(rest[0])
        assert not jobs, "decoded again"
        return iter(())

    monkeypatch.setattr(decoded, "in_workers", none)
    assert read(photos, stream=True).fingerprint == first.fingerprint
    Image.new("RGB", (6, 8), (1, 2, 3)).save(photos / "train" / "cats" / "000.png")
    with pytest.raises(AssertionError, match="decoded again"):
        read(photos, stream=True)


def test_what_was_interrupted_goes_on(photos, monkeypatch):
    asked = []

    def some(jobs, divide):
        for job in jobs:
            asked.append(job["first"])
            if len(asked) == 3:
                raise KeyboardInterrupt
            yield from in_workers([job], divide)

    monkeypatch.setattr(decoded, "AT_ONCE", 40)
    monkeypatch.setattr(decoded, "in_workers", some)
    with pytest.raises(KeyboardInterrupt):
        read(photos, stream=True, image_size=(8, 5))
    found = read(photos, stream=True, image_size=(8, 5))
    assert asked == [0, 40, 80, 80]
    whole = read(photos, stream=False, image_size=(8, 5))
    assert rows(found.train) == rows(whole.train)


def test_grey_pictures_stored_as_colour_are_read_as_grey(tmp_path):
    for i in range(30):
        pixels = np.random.default_rng(i).integers(0, 256, (5, 4, 1), dtype=np.uint8)
        (tmp_path / "p").mkdir(exist_ok=True)
        Image.fromarray(pixels.repeat(3, 2)).save(tmp_path / "p" / f"{i}.png")
    one, other = read(tmp_path / "p", stream=False), read(tmp_path / "p", stream=True)
    assert other.schema == one.schema and other.schema.shape == (1, 5, 4)
    assert torch.equal(one.test.load().x, other.test.load().x)


def test_pictures_for_a_model_get_its_shape(photos):
    schema = read(photos, stream=False, image_size=(4, 4)).schema
    one, _ = read_examples(photos, schema, stream=False)
    other, _ = read_examples(photos, schema, stream=True)
    assert sorted(one.load().x.flatten(1).tolist()) == sorted(other.load().x.flatten(1).tolist())


def test_a_picture_that_kills_its_worker_is_skipped(tmp_path):
    Image.new("L", (3, 2), 9).save(tmp_path / "x.png")
    (tmp_path / "out").write_bytes(bytes(64))
    good = {
        "do": "decode", "pictures": [[str(tmp_path / "x.png"), 0, -1]] * 2,
        "shape": [1, 2, 3], "out": str(tmp_path / "out"), "first": 4,
    }  # fmt: skip
    deadly = {**good, "pictures": [["x", 0]] * 2, "first": 0}  # the worker ends with a traceback
    answers = list(in_workers([good, deadly, good], _one_by_one, count=1))
    assert answers[0] == answers[2] == {"told": []}
    assert answers[1] == {"told": [[0, "files skipped: broken"], [1, "files skipped: broken"]]}
    assert (tmp_path / "out").read_bytes()[24:36] == b"\x09" * 12


def test_nothing_readable_and_no_room_are_refused(tmp_path, photos, monkeypatch):
    (tmp_path / "bad").mkdir()
    for i in range(20):
        (tmp_path / "bad" / f"{i}.png").write_bytes(b"no")
    with pytest.raises(DataError, match="no picture of 'bad' can be read"):
        read(tmp_path / "bad", stream=True)

    def full(*rest):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(decoded.os, "posix_fallocate", full)
    with pytest.raises(DataError, match=r"No space left on device; make room, set XDG_CACHE_HOME"):
        read(photos, stream=True, image_size=(5, 5))
