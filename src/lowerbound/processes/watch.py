"""Notice soon that another process has failed, also while waiting for it."""

import os
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

#: Seconds between two signs of life, and seconds without one until a process is given up.
BEAT, SILENCE = 1.0, 30.0
#: Seconds in which a process may end in its own way after another one has failed.
GRACE = 10.0


class Store(Protocol):
    """The part of `torch.distributed.Store` that is used here."""

    def set(self, key: str, value: str, /) -> None: ...
    def get(self, key: str, /) -> bytes: ...
    def check(self, keys: list[str], /) -> bool: ...
    def compare_set(self, key: str, expected: str, wanted: str, /) -> bytes: ...


class Watch:
    """A thread that gives signs of life and looks for those of the next process.

    Collectives of gloo fail at once where a connection is closed; those of nccl, and any that
    wait for a host which is gone or stands still, do not. Then this thread ends the process. The
    first process to fail leaves a mark in the store, so that one line says why and not many.

    Args:
        rank: Of this process.
        size: Processes in all.
        store: The place of marks.
        leave: Ends the process at once, with an exit code.
        say: Says why.
    """

    def __init__(
        self,
        rank: int,
        size: int,
        store: Store,
        leave: Callable[[int], object] = os._exit,
        say: Callable[[str], object] = lambda line: sys.stderr.write(f"error: {line}\n"),
    ) -> None:
        self.rank, self.size, self.store = rank, size, store
        self.leave, self.say = leave, say
        self._lock = threading.Lock()  # a store answers one question at a time
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="lowerbound-watch", daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._over.set()
            self._thread.join(5 * BEAT)
            self._ask(lambda: self.store.set(f"done {self.rank}", "1"))

    def failed(self, *, alike: bool = False) -> bool:
        """Leave the mark of failure; tell whether this process is the one to say why.

        The first one to leave a mark says why.

        Args:
            alike: All may have found the same fault; then process 0 says so.
        """
        if alike and self.rank:
            time.sleep(BEAT)
        mine = str(self.rank)
        found = self._ask(lambda: self.store.compare_set("failed", "", mine).decode())
        return self.rank == 0 if found is None else found == mine

    def _ask(self, question: Callable[[], object]) -> object:
        """Ask the store; None where it is gone."""
        try:
            with self._lock:
                return question()
        except RuntimeError:
            return None

    def _watch(self) -> None:
        other = (self.rank + 1) % self.size
        seen: object = None
        since = heard = time.monotonic()
        while not self._over.wait(BEAT):
            now = time.monotonic()
            asked = self._ask(lambda: self._look(other))
            if isinstance(asked, tuple):
                heard = now
                mark, sign = asked
                if mark:
                    break
                if sign == b"done" or sign != seen:
                    seen, since = sign, now
            if now - heard > SILENCE:
                self._end(f"process {self.rank}: the store of the launcher is gone")
                return
            if now - since > SILENCE:
                self._end(
                    f"process {other} of {self.size} has given no sign of life for "
                    f"{SILENCE:.0f} seconds: it stands still, or its host or network is gone"
                )
                return
        if not self._over.wait(GRACE):
            self.leave(1)

    def _look(self, other: int) -> tuple[bool, bytes]:
        """Give a sign of life; tell whether any process has failed, and the sign of another one."""
        self.store.set(f"alive {self.rank}", repr(time.monotonic()))
        if self.store.check(["failed"]):
            return True, b""
        if self.store.check([f"done {other}"]):
            return False, b"done"
        alive = f"alive {other}"
        return False, self.store.get(alive) if self.store.check([alive]) else b""

    def _end(self, line: str) -> None:
        if self.failed():
            self.say(line)
        self.leave(1)
