"""The next items while the present one is worked on: one thread, a few items ahead."""

import threading
from collections.abc import Generator, Iterable
from queue import Empty, Full, Queue
from typing import TypeVar

Item = TypeVar("Item")
#: How often a thread that waits looks whether it is still wanted, in seconds.
LOOK = 0.1


def ahead(items: Iterable[Item], most: int) -> Generator[Item, None, None]:
    """Hand over items that a thread of their own makes, at most `most` of them ahead.

    An error in the making is raised here, when its turn comes. Closing the iterator ends the
    thread, and so does the end of the process: nothing waits for it.

    Args:
        items: Iterated over in the other thread only.
        most: How many to keep ready, at least 1.
    """
    ready: Queue[tuple[Item | None, BaseException | None]] = Queue(most)
    unwanted = threading.Event()

    def offer(item: Item | None, error: BaseException | None) -> bool:
        while not unwanted.is_set():
            try:
                ready.put((item, error), timeout=LOOK)
                return True
            except Full:
                continue
        return False

    def make() -> None:
        try:
            for item in items:
                if not offer(item, None):
                    return
        except BaseException as error:  # whatever it is, it belongs to the one who waits
            offer(None, error)
        else:
            offer(None, StopIteration())

    thread = threading.Thread(target=make, name="lowerbound-prefetch", daemon=True)

    def hand_over() -> Generator[Item, None, None]:
        thread.start()
        try:
            while True:
                item, error = _next(ready, thread)
                if isinstance(error, StopIteration):
                    return
                if error is not None:
                    raise error
                yield item  # type: ignore[misc]
        finally:
            unwanted.set()
            thread.join(timeout=5.0)

    return hand_over()


def _next(
    ready: "Queue[tuple[Item | None, BaseException | None]]", thread: threading.Thread
) -> tuple[Item | None, BaseException | None]:
    """Wait for the next item, but never for a thread that is gone."""
    while True:
        try:
            return ready.get(timeout=10 * LOOK)
        except Empty:
            if not thread.is_alive() and ready.empty():
                return None, RuntimeError("the thread that reads ahead is gone")
