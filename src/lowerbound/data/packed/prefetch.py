"""The next items while the present one is worked on: one thread, a few items ahead."""

import threading
from collections.abc import Generator, Iterable
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import Any, TypeVar

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
    ready: Queue[tuple[str, Any]] = Queue(most)
    unwanted = threading.Event()

    def offer(what: str, found: Any) -> None:
        while not unwanted.is_set():
            with suppress(Full):
                return ready.put((what, found), timeout=LOOK)

    def make() -> None:
        try:
            for item in items:
                offer("item", item)
                if unwanted.is_set():
                    return
            offer("end", None)
        except BaseException as error:  # whatever it is, it belongs to the one who waits
            offer("error", error)

    thread = threading.Thread(target=make, name="lowerbound-prefetch", daemon=True)

    def hand_over() -> Generator[Item, None, None]:
        thread.start()
        try:
            while True:
                try:
                    what, found = ready.get(timeout=10 * LOOK)
                except Empty:  # never wait for a thread that is gone
                    if thread.is_alive() or not ready.empty():
                        continue
                    raise RuntimeError("the thread that reads ahead is gone") from None
                if what == "error":
                    raise found
                if what == "end":
                    return
                yield found
        finally:
            unwanted.set()
            thread.join(timeout=5.0)

    return hand_over()
