"""Files that are either the old or the new one."""

import errno
import os
from pathlib import Path

import pytest

from lowerbound.errors import OutputError
from lowerbound.runs import check_new, write_atomically


def test_what_is_written_is_read(tmp_path: Path):
    write_atomically(tmp_path / "a", b"new")
    write_atomically(tmp_path / "b", lambda file: file.write(b"called"))
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "b").read_bytes() == b"called"
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path):
    write_atomically(tmp_path / "a", b"new")
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def fails(code: int):
    def fail(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch, step):
    write_atomically(tmp_path / "a", b"old")
    monkeypatch.setattr(os, step, fails(errno.ENOSPC))
    with pytest.raises(OutputError, match="no space left") as caught:
        write_atomically(tmp_path / "a", b"new and longer")
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_the_old_file_and_no_other(tmp_path: Path, error):
    write_atomically(tmp_path / "a", b"old")

    def half(file):
        file.write(b"half")
        raise error

    with pytest.raises(error):
        write_atomically(tmp_path / "a", half)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_nothing_is_renamed_before_it_is_on_the_disk(tmp_path: Path, monkeypatch):
    steps, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (steps.append("flush"), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (steps.append("rename"), replace(a, b)))
    write_atomically(tmp_path / "a", b"new")
    assert steps == ["flush", "rename", "flush"]  # the file, the name, the directory


def test_other_failures_are_told_with_the_remedy(tmp_path: Path, monkeypatch):
    with pytest.raises(OutputError, match=r"no such file or directory; choose another place"):
        write_atomically(tmp_path / "none" / "a", b"")
    monkeypatch.setattr(os, "replace", fails(errno.EROFS))
    with pytest.raises(OutputError, match="read-only"):
        write_atomically(tmp_path / "a", b"")


def test_a_place_is_checked_before_any_work(tmp_path: Path):
    check_new(tmp_path / "a")
    (tmp_path / "a").touch()
    with pytest.raises(OutputError, match="exists; choose another name, or --force"):
        check_new(tmp_path / "a")
    check_new(tmp_path / "a", force=True)
    with pytest.raises(OutputError, match="is not a directory"):
        check_new(tmp_path / "none" / "a")
