"""Reading ahead: in order, not too far, and gone when nobody wants it any more."""

import threading
import time

import pytest

from lowerbound.data.packed.prefetch import ahead
from lowerbound.errors import DataError


def readers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "lowerbound-prefetch"]


def until(condition) -> bool:
    """Whether it holds within ten seconds."""
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_everything_arrives_in_order():
    assert list(ahead(iter(range(500)), 3)) == list(range(500))
    assert list(ahead(iter([]), 3)) == []
    assert until(lambda: not readers())


def test_it_is_never_more_than_so_many_ahead():
    made = []
    items = ahead((made.append(i) or i for i in range(100)), 4)
    assert next(items) == 0
    assert until(lambda: len(made) == 6)  # one handed over, four ready, one in hand
    time.sleep(0.3)
    assert len(made) == 6
    items.close()


def test_an_error_comes_when_its_turn_comes_and_as_it_is():
    def items():
        yield 1
        raise DataError("the file is gone; fetch it again")

    found = ahead(items(), 4)
    assert next(found) == 1
    with pytest.raises(DataError, match=r"^the file is gone; fetch it again$"):
        next(found)
    assert until(lambda: not readers())


def test_closing_ends_the_thread_also_when_it_waits():
    items = ahead(iter(range(10**9)), 2)
    next(items)
    items.close()
    assert not readers()


def test_what_is_never_begun_starts_no_thread():
    ahead(iter([1]), 1).close()
    assert not readers()
