"""What passes found out is remembered, and found out again when anything has changed."""

import os

import numpy as np
import pytest
import torch

from lowerbound.data import read
from lowerbound.data.facts import Facts
from lowerbound.data.packed import remember


@pytest.fixture
def passes(tmp_path, monkeypatch) -> list:
    """Every file's survey is worth remembering; what is gone through."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(remember, "WORTH", 0)
    found, real = [], Facts.of
    monkeypatch.setattr(Facts, "of", lambda *a: found.append(1) or real(*a))
    return found


@pytest.mark.parametrize("kind", ["bytes", "reals", "cut"])
def test_what_is_remembered_is_the_same(passes, saved, images, numbers, kind):
    path = saved(numbers if kind == "reals" else images)
    one = read(path, stream=True, binarize=kind == "cut")
    other = read(path, stream=True, binarize=kind == "cut")
    assert len(passes) == 1
    assert one.schema == other.schema and one.notes == other.notes and one.split == other.split
    assert one.fingerprint == other.fingerprint
    for part in ("train", "validation", "test"):
        a, b = one.part(part), other.part(part)
        assert torch.equal(a.load().x, b.load().x)
        assert torch.equal(a.extremes().x, b.extremes().x)


def test_changes_and_other_ways_to_read_are_found_out_again(passes, saved, images):
    path = saved(images)
    read(path, stream=True)
    read(path, stream=True, seed=1)
    read(path, stream=True, binarize=True)
    assert len(passes) == 3
    os.utime(path, ns=(1, 1))
    read(path, stream=True)
    assert len(passes) == 4


def test_a_damaged_memory_is_no_memory(passes, saved, images, tmp_path):
    path = saved(images)
    whole = read(path, stream=True)
    (file,) = (tmp_path / "cache" / "lowerbound" / "surveys").iterdir()
    good = file.read_text()
    for text in ("", "[]", good[: len(good) // 2], good.replace('"held": {"', '"held": {"9')):
        file.write_text(text)
        again = read(path, stream=True)
        assert again.fingerprint == whole.fingerprint
        assert torch.equal(again.test.load().x, whole.test.load().x)


def test_small_sources_leave_nothing_behind(tmp_path, saved, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    read(saved(np.random.default_rng(0).normal(size=(50, 2))), stream=True)
    assert not (tmp_path / "cache").exists()
