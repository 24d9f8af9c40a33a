"""The processes that train one model, and what they tell each other in every update."""

import hashlib
import json
import platform
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lowerbound._version import __version__
from lowerbound.errors import ProcessError
from lowerbound.objectives.batch_mean import averaged_by
from lowerbound.processes import ALONE, Group, same_noise
from lowerbound.training.callbacks import StopTraining

#: What is summed over a batch: bound, distortion, rate and the examples themselves.
SUMS = 4


@dataclass(frozen=True)
class Share:
    """The rows of a batch that one process learns from.

    Attributes:
        rows: Which of the batch. A process that is left without any computes the first one, so
            that it takes part in everything, and does not count it.
        total: Rows of the batch.
        counts: Whether `rows` are this process's to count.
    """

    rows: slice
    total: int
    counts: bool


class Team:
    """The processes that train one model in step, each on its share of every batch.

    What decides about the course of a training (sums, the clock, whether to stop) is reduced over
    all of them in every update, so that all decide alike. A single process decides by itself.

    Args:
        group: Who they are.

    Attributes:
        seconds: What the clock of process 0 said in the last update.
        wanted: Whether in the last update any process wanted a state.
    """

    def __init__(self, group: Group = ALONE) -> None:
        self.group, self.many = group, group.size > 1
        self.seconds = 0.0
        self.wants = self.wanted = False
        self._request, self._stop = "", False

    @contextmanager
    def share(self, total: int, samples: int) -> Iterator[Share]:
        """This process's share of a batch; inside, its rows get the noise of the whole batch.

        Args:
            total: Rows of the batch.
            samples: Draws of z for each.
        """
        if not self.many:
            yield Share(slice(0, total), total, True)
            return
        rows = self.group.mine(total)
        counts = rows.stop > rows.start
        rows = rows if counts else slice(0, 1)
        weight = (rows.stop - rows.start if counts else 0) / total
        with same_noise(total, rows, samples), averaged_by(_Average(self.group, weight)):
            yield Share(rows, total, counts)

    def exchange(self, sums: Tensor, seconds: float) -> Callable[[], Tensor]:
        """Begin to tell what one update came to here.

        Args:
            sums: Those of this process's share, `(4,)`.
            seconds: What its clock says.

        Returns:
            Waits for the others and gives the sums of the whole batch.
        """
        if not self.many:
            return lambda: sums
        clock = seconds if self.group.first else 0.0
        notes = torch.tensor([clock, bool(self._request), self.wants], dtype=torch.float64)
        if sums.device.type == "cpu":
            waits = [self.group.add(torch.cat([sums, notes]))]
        else:
            waits = [self.group.add(sums.clone()), self.group.add(notes)]

        def wait() -> Tensor:
            told = [answer() for answer in waits]
            self.seconds, stop, wanted = told[-1][-3:].tolist()
            self._stop, self.wanted = stop > 0, wanted > 0
            return told[0][:SUMS]

        return wait

    def clock(self, seconds: float) -> float:
        """What the clock of process 0 says, before the first update."""
        if self.many:
            own = torch.tensor(seconds if self.group.first else 0.0, dtype=torch.float64)
            self.seconds = float(self.group.add(own)())
        return self.seconds if self.many else seconds

    def listen(self, call: Callable[[], object]) -> None:
        """Let a callback speak.

        Where it ends training in one of several processes, it does so after the next update, in
        all of them.

        Raises:
            StopTraining: It ends training, and there is one process.
        """
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
        """Inside, the first Ctrl-C to one of several processes asks all of them to stop.

        Where a `KeyboardInterrupt` would leave the others waiting. A second one is raised, and
        handlers of the caller's own stay as they are.
        """
        own = signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        if not self.many or own or threading.current_thread() is not threading.main_thread():
            yield
            return

        def ask(number: int, frame: object) -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self.ask_to_stop("interrupted")

        signal.signal(signal.SIGINT, ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def stop_if_asked(self) -> None:
        """Raise `StopTraining` in all processes if any asked for it before the last update."""
        if self._stop:
            raise StopTraining(next(filter(None, self.group.tell(self._request))))

    def what(self, name: str) -> str:
        """The most telling of what the processes found not to be finite."""
        found = self.group.tell(name) if self.many else [name]
        return min(found, key=lambda text: 2 * ("the norm" in text) + ("the gradient" in text))

    def agree(self, facts: Mapping[str, Any]) -> None:
        """Raise `ProcessError` unless these are the same in every process.

        Args:
            facts: By what they are called; plain JSON values.
        """
        if not self.many:
            return
        told = [json.loads(text) for text in self.group.tell(json.dumps(dict(facts)))]
        for name in facts:
            values = [other[name] for other in told]
            odd = next((rank for rank, value in enumerate(values) if value != values[0]), None)
            if odd is not None:
                raise ProcessError(
                    f"the processes differ in {name}: process 0 has {_short(values[0])}, process "
                    f"{odd} has {_short(values[odd])}; start all of them with the same"
                )


def surroundings() -> dict[str, str]:
    """What must be the same wherever one model is trained."""
    return {
        "the version of lowerbound": __version__,
        "the version of torch": torch.__version__.partition("+")[0],
        "the version of python": ".".join(platform.python_version_tuple()[:2]),
    }


def shapes(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Dtype and shape of tensors by name."""
    return {name: f"{tensor.dtype} {tuple(tensor.shape)}" for name, tensor in tensors.items()}


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """sha256, in hexadecimal, over names and contents."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


class _Average:
    """The mean over the rows of all processes, differentiable."""

    def __init__(self, group: Group, weight: float) -> None:
        self.group, self.weight = group, weight

    def __call__(self, mean: Tensor) -> Tensor:
        return _Sum.apply(mean * self.weight, self.group)  # type: ignore[no-any-return]


class _Sum(torch.autograd.Function):
    """The sum over processes; its derivative is that of the sum of all their losses."""

    @staticmethod
    def forward(context: Any, mine: Tensor, group: Group) -> Tensor:  # type: ignore[override]
        context.group = group
        return group.add(mine.detach().clone())()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        return context.group.add(gradient.detach().clone())(), None


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:12]}..."
