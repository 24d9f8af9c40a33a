"""Ctrl-C and SIGTERM while training: the first ends it in good order, the second at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lowerbound.cli.console import tell
from lowerbound.training import Callback, StopTraining

#: The word for each signal in a run's `result`, and in the message.
REASONS = {
    name: word
    for name, word in (("SIGINT", "interrupted"), ("SIGTERM", "terminated"), ("SIGHUP", "hung up"))
    if hasattr(signal, name)
}


class AtOnce(SystemExit):
    """A second signal: leave without another step. `code` is the exit code."""


class StopOnSignal(Callback):
    """An end of training after the update during which a signal came.

    Args:
        first: Called when the signal comes, before anything is printed.
    """

    def __init__(self, first: Callable[[], None] = lambda: None) -> None:
        self.first = first
        self.number: int | None = None

    @property
    def code(self) -> int:
        """The exit code of a command that a signal ended, 0 when none came."""
        return 0 if self.number is None else 128 + self.number

    def on_step(self, step: object) -> None:
        """Stop here if a signal came."""
        if self.number is not None:
            raise StopTraining(REASONS[signal.Signals(self.number).name])

    def on_epoch(self, epoch: object, best: object) -> None:
        """Stop here if a signal came during the validation."""
        self.on_step(epoch)

    def take(self, number: int, frame: Any) -> None:
        """Note the signal; raise `AtOnce` on the second."""
        if self.number is not None:
            raise AtOnce(128 + number)
        self.number = number
        self.first()
        tell("stopping after this step; once more to stop at once")

    @contextmanager
    def listening(self) -> Iterator["StopOnSignal"]:
        """Take the signals for the length of a block; only a main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        old = {}
        for name in REASONS:
            number = getattr(signal, name)
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup asks for
                old[number] = signal.signal(number, self.take)
        try:
            yield self
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)
