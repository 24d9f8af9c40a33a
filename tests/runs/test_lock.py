"""One process at a time writes a run."""

import subprocess
import sys

import pytest

from lowerbound.errors import OutputError
from lowerbound.runs import lock
from lowerbound.runs.lock import Lock, check_free

pytestmark = pytest.mark.skipif(lock.fcntl is None, reason="this system has no such locks")

HOLD = """
import sys, time
from pathlib import Path
from lowerbound.runs.lock import Lock
held = Lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


def test_a_second_writer_is_refused_until_the_first_lets_go(tmp_path):
    first = Lock(tmp_path)
    with pytest.raises(OutputError, match="is being trained by another process; wait"):
        Lock(tmp_path)
    with pytest.raises(OutputError, match="is being trained by another process; wait"):
        check_free(tmp_path)
    first.release()
    first.release()
    check_free(tmp_path)
    assert list(tmp_path.iterdir()) == []
    Lock(tmp_path).release()


def test_a_killed_process_holds_nothing(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            with pytest.raises(OutputError, match="another process"):
                Lock(tmp_path)
            with pytest.raises(OutputError, match="another process"):
                check_free(tmp_path)
        finally:
            process.kill()
    check_free(tmp_path)
    Lock(tmp_path).release()


def test_the_lock_moves_with_its_run(tmp_path):
    (tmp_path / "old").mkdir()
    held = Lock(tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    held.release(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        Lock(tmp_path / "nowhere")


def test_where_a_system_has_no_locks_nothing_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "fcntl", None)
    Lock(tmp_path).release()
    Lock(tmp_path).release()


def test_a_lock_on_a_deleted_file_is_none(tmp_path, monkeypatch):
    """The first lets go and a third comes while the second opens the file that the first had."""
    first, flock, third = Lock(tmp_path), lock.fcntl.flock, []

    def slow(file, how):
        monkeypatch.setattr(lock.fcntl, "flock", flock)
        first.release()
        third.append(Lock(tmp_path))
        flock(file, how)

    monkeypatch.setattr(lock.fcntl, "flock", slow)
    with pytest.raises(OutputError, match="another process"):
        Lock(tmp_path)
    third[0].release()
    Lock(tmp_path).release()
