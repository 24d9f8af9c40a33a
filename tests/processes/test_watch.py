"""A process that waits for another one learns that it is gone."""

import time

import pytest
from torch.distributed import HashStore

from lowerbound.processes import watch
from lowerbound.processes.watch import Watch


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    for name, seconds in (("BEAT", 0.02), ("SILENCE", 0.4), ("GRACE", 0.1)):
        monkeypatch.setattr(watch, name, seconds)


class Ended:
    def __init__(self) -> None:
        self.codes: list[int] = []
        self.lines: list[str] = []


def watching(rank: int, store: HashStore, ended: Ended) -> Watch:
    return Watch(rank, 2, store, leave=ended.codes.append, say=ended.lines.append)


def until(there, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not there() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert there()


def test_one_that_falls_silent_ends_the_other_with_one_line() -> None:
    store, ended = HashStore(), Ended()
    with watching(0, store, ended):
        until(lambda: ended.codes)
    assert ended.codes == [1]
    (line,) = ended.lines
    assert "process 1 of 2 has given no sign of life" in line


def test_two_that_live_or_are_done_leave_each_other_alone() -> None:
    store, ended = HashStore(), Ended()
    with watching(0, store, ended):
        with watching(1, store, ended):
            time.sleep(0.6)
        time.sleep(0.6)
    assert not ended.codes and not ended.lines


def test_of_two_that_fail_the_first_says_why_and_the_other_is_ended() -> None:
    store, ended, other = HashStore(), Ended(), Ended()
    with watching(0, store, ended):
        failing = watching(1, store, other)
        assert failing.failed()
        until(lambda: ended.codes)
        assert not failing.store.check(["done 1"])
    assert ended.lines == []
    assert not watching(0, store, ended).failed()
