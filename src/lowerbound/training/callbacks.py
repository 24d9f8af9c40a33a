"""What may watch a training, and end it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from lowerbound.training.execution import Execution
from lowerbound.training.history import Epoch
from lowerbound.training.state import State


class StopTraining(Exception):
    """Raised by a callback to end training in good order; its message is the reason."""


@dataclass(frozen=True)
class Step:
    """One update.

    Attributes:
        epoch: The epoch it belongs to, from 1.
        index: Its place in the epoch, from 1.
        per_epoch: Updates in an epoch.
        examples: Training examples gone through in this epoch so far.
        fraction: How much of the training is done, in [0, 1].
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
    """Watches a training. Override what is of interest; raise `StopTraining` to end it."""

    def on_execution(self, execution: Execution) -> None:
        """Before anything else, and once: how updates will be executed.

        A compiler may give up later; `Fit.execution` says what came of it.
        """

    def on_start(self, epochs: int | None, per_epoch: int) -> None:
        """Training begins: so many epochs (None when a clock ends it) of so many updates."""

    def on_step(self, step: Step) -> None:
        """An update was made."""

    def on_epoch(self, epoch: Epoch, best: Snapshot) -> None:
        """An epoch ended and was validated."""

    def on_state(self, state: Callable[[], State], last: bool) -> None:
        """Training can go on from here: so it is after every update, every epoch and at the end.

        Args:
            state: Gives a copy of all that going on needs; call it seldom.
            last: No other state will come.
        """

    def wants_state(self) -> bool:
        """Whether `on_state` would take a state now; asked only where a state is in pieces.

        Several processes that each hold a part of the model (`Training.shard`) put a state
        together only when one of them wants it, after every epoch, and at the end.
        """
        return False

    def on_end(self, stopped: str) -> None:
        """Training ended, for the reason given."""
