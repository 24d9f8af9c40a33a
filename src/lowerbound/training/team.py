"""The processes that train one model, and their messages to each other in every update."""

import hashlib
import json
import platform
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lowerbound._version import __version__
from lowerbound.errors import ProcessError, StopTraining
from lowerbound.objectives.batch_mean import averaged_by
from lowerbound.processes import ALONE, Group, same_noise
from lowerbound.seeding import random_state

#: Sums over a batch: bound, distortion, rate and the number of examples.
SUMS = 4
#: The reason that stands for Ctrl-C: a character that no callback's reason is taken for.
INTERRUPT = "\x03"


@dataclass(frozen=True)
class Share:
    """The rows of a batch that one process learns from.

    Attributes:
        rows: A run of rows. A process that is left without any computes the first one, so that it
            takes part in everything, and does not count it.
        total: Rows of the batch.
        counts: True if `rows` are this process's to count.
    """

    rows: slice
    total: int
    counts: bool


class Team:
    """The processes that train one model in step, each on its share of every batch.

    Sums, the clock and the wish to stop are reduced over all of them in every update, so that all
    decide alike. A single process decides by itself.

    Args:
        group: The processes.

    Attributes:
        seconds: The clock of process 0 as of the last update.
    """

    def __init__(self, group: Group = ALONE) -> None:
        self.group, self.many = group, group.size > 1
        self.seconds = 0.0
        self._request, self._stop = "", False

    @contextmanager
    def share(self, total: int, samples: int) -> Iterator[Share]:
        """Share a batch: within the block this process's rows get the noise of the whole batch."""
        if not self.many:
            yield Share(slice(0, total), total, True)
            return
        rows = self.group.mine(total)
        counts = rows.stop > rows.start
        rows = rows if counts else slice(0, 1)
        weight = (rows.stop - rows.start if counts else 0) / total

        def mean(own: Tensor) -> Tensor:  # over the rows of all processes, differentiable
            return _Sum.apply(own * weight, self.group)  # type: ignore[no-any-return]

        with same_noise(total, rows, samples), averaged_by(mean):
            yield Share(rows, total, counts)

    def exchange(self, sums: Tensor, seconds: float) -> Callable[[], Tensor]:
        """Begin to tell the others the sums of one update.

        Args:
            sums: Sums over this process's share, `(4,)`.
            seconds: The time on its clock.

        Returns:
            A function that waits for the others and gives the sums of the whole batch.
        """
        if not self.many:
            return lambda: sums
        clock = seconds if self.group.first else 0.0
        notes = torch.tensor([clock, bool(self._request)], dtype=torch.float64)
        if sums.device.type == "cpu":
            waits = [self.group.add(torch.cat([sums, notes]))]
        else:
            waits = [self.group.add(sums.clone()), self.group.add(notes)]

        def wait() -> Tensor:
            told = [answer() for answer in waits]
            self.seconds, stop = told[-1][-2:].tolist()
            self._stop = stop > 0
            return told[0][:SUMS]

        return wait

    def clock(self, seconds: float) -> float:
        """Tell the time of process 0 before the first update."""
        if self.many:
            own = torch.tensor(seconds if self.group.first else 0.0, dtype=torch.float64)
            self.seconds = float(self.group.add(own)())
        return self.seconds if self.many else seconds

    def listen(self, call: Callable[[], object]) -> None:
        """Let a callback speak; one of several processes ends training after the next update."""
        try:
            call()
        except StopTraining as stop:
            if not self.many:
                raise
            self.ask_to_stop(str(stop))

    def ask_to_stop(self, reason: str) -> None:
        """End training in all processes after the next update."""
        self._request = self._request or reason or "stopped"

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let the first Ctrl-C to one of several processes ask all of them to stop.

        A `KeyboardInterrupt` at once would leave the others waiting; it is raised in all of them
        after the next update. A second Ctrl-C is raised at once, and handlers of the caller's own
        stay as they are.
        """
        own = signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        if not self.many or own or threading.current_thread() is not threading.main_thread():
            yield
            return

        def ask(number: int, frame: object) -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self.ask_to_stop(INTERRUPT)

        signal.signal(signal.SIGINT, ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def stop_if_asked(self) -> None:
        """Raise `StopTraining` or `KeyboardInterrupt` in all processes if any asked for it."""
        if not self._stop:
            return
        reasons = [reason for reason in self.group.tell(self._request) if reason]
        if INTERRUPT in reasons:
            raise KeyboardInterrupt
        raise StopTraining(reasons[0])

    def most_telling(self, name: str) -> str:
        """Choose the most telling among the terms that processes found not to be finite."""
        found = self.group.tell(name) if self.many else [name]
        return min(found, key=lambda text: 2 * ("the norm" in text) + ("the gradient" in text))

    def agree(self, facts: Mapping[str, Any]) -> None:
        """Raise `ProcessError` unless these facts, JSON values by name, are alike everywhere."""
        if not self.many:
            return
        told = [json.loads(text) for text in self.group.tell(json.dumps(dict(facts)))]
        for name in facts:
            values = [other[name] for other in told]
            odd = next((rank for rank, value in enumerate(values) if value != values[0]), None)
            if odd is not None:
                first, other = (
                    text if len(text) <= 60 else f"{text[:12]}..."
                    for text in (str(values[0]), str(values[odd]))
                )
                raise ProcessError(
                    f"the processes differ in {name}: process 0 has {first}, process {odd} has "
                    f"{other}; start all of them with the same"
                )

    def agree_to_begin(
        self, model: nn.Module, device: torch.device, facts: Mapping[str, Any]
    ) -> None:
        """Raise `ProcessError` unless all processes begin the same training."""
        shapes = {name: f"{t.dtype} {tuple(t.shape)}" for name, t in model.state_dict().items()}
        self.agree(
            {
                "the version of lowerbound": __version__,
                "the version of torch": torch.__version__.partition("+")[0],
                "the version of python": ".".join(platform.python_version_tuple()[:2]),
                **facts,
                "the kind of device": device.type,
                "the tensors of the model": shapes,
            }
        )

    def agree_to_go_on(self, weights: Sequence[Tensor], device: torch.device) -> None:
        """Raise `ProcessError` unless weights and random numbers are alike in all processes."""
        if self.many:
            named = {str(i): weight for i, weight in enumerate(weights)}
            random = checksum(random_state(device))
            self.agree({"random numbers": random, "weights after an epoch": checksum(named)})


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """Compute sha256, in hexadecimal, over names and contents."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


class _Sum(torch.autograd.Function):
    """Sum over processes; its derivative is that of the sum of all their losses."""

    @staticmethod
    def forward(context: Any, mine: Tensor, group: Group) -> Tensor:  # type: ignore[override]
        context.group = group
        return group.add(mine.detach().clone())()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        return context.group.add(gradient.detach().clone())(), None
