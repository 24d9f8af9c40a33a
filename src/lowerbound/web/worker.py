"""The one thread in which a model answers: short requests at once, long ones step by step."""

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any

from lowerbound.errors import LowerboundError
from lowerbound.web.steps import Answer, Steps

if TYPE_CHECKING:
    from lowerbound.web.service import Service

#: Rows of several requests that are answered by one call.
MOST_TOGETHER = 1024
#: Uses whose requests may be answered together, and the argument that holds their rows.
ROWS = {"encode": "examples", "decode": "latents"}


class Worker:
    """One thread that answers requests in turn, after it has loaded what answers them.

    Random states and the mode of a model belong to the process, so one thread alone uses them. A
    long request goes to the end of the queue after each of its steps: one who moves through the
    latent space does not wait for the scores of a thousand examples. It ends when nobody waits for
    it any more.

    Args:
        load: Makes the service, in the thread.
        patience: Seconds to wait for a first request before that: importing torch holds up all
            else, and what needs no model, such as a page, is there first.
    """

    def __init__(self, load: "Callable[[], Service]", patience: float = 0.0) -> None:
        self._thread = ThreadPoolExecutor(1, "lowerbound")
        self._together: dict[str, Together] = {}
        self._asked = Event()

        def begin() -> "Service":
            self._asked.wait(patience)
            return load()

        self.service: Future[Service] = self._thread.submit(begin)

    def put(self, name: str, arguments: dict[str, Any]) -> "Future[Answer]":
        """Add a request.

        Args:
            name: Of a method of the service, or "other/" and one of the service beside it.
            arguments: Of the method.
        """
        self._asked.set()
        given = ROWS.get(name.removeprefix("other/"))
        rows = arguments.get(given) if given else None
        if set(arguments) == {given} and isinstance(rows, list) and rows:
            use = partial(self._use, name)
            one = self._together.setdefault(name, Together(use, str(given)))
            found = one.put(rows)
            self._thread.submit(one.answer)
            return found
        found: Future[Answer] = Future()
        self._thread.submit(self._begin, name, arguments, found)
        return found

    def end(self) -> None:
        """Finish what was begun, and take no more."""
        self._asked.set()
        self._thread.shutdown(wait=True)

    def _use(self, name: str, /, **arguments: Any) -> Any:
        service: Any = self.service.result()
        if name.startswith("other/"):
            service = service.other
        return getattr(service, name.removeprefix("other/"))(**arguments)

    def _begin(self, name: str, arguments: dict[str, Any], found: "Future[Answer]") -> None:
        if found.cancelled():
            return
        try:
            answer = self._use(name, **arguments)
        except BaseException as error:  # handed on to the one who waits
            _tell(found, error)
            return
        if isinstance(answer, Generator):
            self._go_on(answer, found)
        else:
            _tell(found, answer)

    def _go_on(self, steps: Steps, found: "Future[Answer]") -> None:
        try:
            while not found.cancelled():
                next(steps)
                with suppress(RuntimeError):  # the thread takes no more: go on at once
                    self._thread.submit(self._go_on, steps, found)
                    return
            steps.close()
        except StopIteration as end:
            _tell(found, end.value)
        except BaseException as error:  # handed on to the one who waits
            _tell(found, error)


def _tell(found: "Future[Answer]", answer: Answer | BaseException) -> None:
    if not found.set_running_or_notify_cancel():
        return
    if isinstance(answer, BaseException):
        found.set_exception(answer)
    else:
        found.set_result(answer)


class Together:
    """Answers requests that wait at the same time by one call of the model.

    Rows do not depend on each other, so the examples of several requests go through the networks
    at once. A call that is refused is made again for each request by itself, so that one that
    cannot be used spoils no other.

    Args:
        use: A use whose argument `given` is a list of rows, and whose answer's value is one, too.
        given: Name of that argument.
    """

    def __init__(self, use: Callable[..., Answer], given: str) -> None:
        self.use, self.given = use, given
        self.waiting: deque[tuple[list[Any], Future[Answer]]] = deque()

    def put(self, rows: list[Any]) -> "Future[Answer]":
        """Add a request, before a call of `answer`."""
        found: Future[Answer] = Future()
        self.waiting.append((rows, found))
        return found

    def answer(self) -> None:
        """Answer some of what waits, at most `MOST_TOGETHER` rows; in the worker."""
        taken: list[tuple[list[Any], Future[Answer]]] = []
        count = 0
        while self.waiting and (not taken or count + len(self.waiting[0][0]) <= MOST_TOGETHER):
            rows, found = self.waiting.popleft()
            if found.set_running_or_notify_cancel():
                taken.append((rows, found))
                count += len(rows)
        if not taken:  # an earlier call took them all
            return
        try:
            ((name, values),) = self.use(
                **{self.given: [row for rows, _ in taken for row in rows]}
            ).items()
        except LowerboundError:
            for rows, found in taken:
                try:
                    found.set_result(self.use(**{self.given: rows}))
                except Exception as error:  # handed on to the one who waits
                    found.set_exception(error)
            return
        except Exception as error:  # likewise
            for _, found in taken:
                found.set_exception(error)
            return
        first = 0
        for rows, found in taken:
            found.set_result({name: values[first : first + len(rows)]})
            first += len(rows)
