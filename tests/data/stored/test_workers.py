"""Worker processes: light, in order, ended when nobody asks any more."""

import subprocess
import sys
import time

import pytest

from lowerbound.data.stored.workers import START, in_workers
from lowerbound.errors import DataError


def test_a_worker_does_without_torch():
    """Importing it takes seconds, in each of the processes."""
    start = START.replace("\nmain()", "\nfrom lowerbound.data.stored.pack import write_shard")
    script = start + "\nsys.exit('torch' in sys.modules)"
    assert start != START
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def nothing(first: int) -> dict:
    """A job without work."""
    return {"do": "decode", "pictures": [], "shape": [1, 1, 1], "out": "/dev/null", "first": first}


def test_answers_come_in_the_order_of_the_jobs():
    assert list(in_workers(map(nothing, range(9)), count=2)) == [{"told": []}] * 9
    assert list(in_workers([], count=2)) == []


def test_an_error_is_one_line_and_ends_the_workers():
    bad = {**nothing(0), "out": "/no/such/file"}
    with pytest.raises(DataError, match=r"^.*No such file or directory: '/no/such/file'$"):
        list(in_workers([nothing(0), bad], count=1))


def test_who_stops_asking_ends_the_workers(monkeypatch):
    started = []
    real = subprocess.Popen

    def popen(*arguments, **more):
        started.append(real(*arguments, **more))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", popen)
    answers = in_workers(map(nothing, range(10**6)), count=2)
    next(answers)
    answers.close()
    end = time.monotonic() + 10
    while any(p.poll() is None for p in started) and time.monotonic() < end:
        time.sleep(0.05)
    assert started and all(p.poll() is not None for p in started)
