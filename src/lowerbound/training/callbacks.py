"""Callbacks, which watch a training and may end it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from lowerbound.training.execution import Execution
from lowerbound.training.history import Epoch
from lowerbound.training.state import State


@dataclass(frozen=True)
class Step:
    """One update.

    Attributes:
        epoch: The epoch it belongs to, from 1.
        index: Its place in the epoch, from 1.
        per_epoch: Updates in an epoch.
        examples: Training examples gone through in this epoch so far.
        fraction: The part of the training that is done, in [0, 1].
        sums: bound, distortion and rate summed over the epoch's examples so far, nats, and their
            number, `(4,)`, on the device: reading them makes the host wait, so read them seldom.
    """

    epoch: int
    index: int
    per_epoch: int
    examples: int
    fraction: float
    sums: Tensor


#: Gives a copy of the weights that would be kept if training ended now.
Snapshot = Callable[[], Mapping[str, Tensor]]


class Callback:
    """A watcher of a training. Override the methods of interest; raise `StopTraining` to end it."""

    def on_execution(self, execution: Execution) -> None:
        """Learn, once and before anything else, how updates will be executed.

        A compiler may give up later, or a precision prove too low; `Fit.execution` says so.
        """

    def on_start(self, epochs: int | None, per_epoch: int) -> None:
        """Learn that training begins.

        Args:
            epochs: Their number at most; None where a clock ends training.
            per_epoch: Updates in an epoch.
        """

    def on_step(self, step: Step) -> None:
        """Learn that an update was made."""

    def on_epoch(self, epoch: Epoch, best: Snapshot) -> None:
        """Learn that an epoch ended and was validated."""

    def on_state(self, state: Callable[[], State], last: bool) -> None:
        """Take a state if one is wanted: offered after every update, every epoch and at the end.

        Args:
            state: Gives a copy of all that going on needs; call it seldom.
            last: No other state will come.
        """

    def on_end(self, stopped: str) -> None:
        """Learn that training ended, and why."""
