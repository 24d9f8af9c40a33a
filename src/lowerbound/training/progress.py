"""Progress of a training: its finished epochs, the weights to keep, its place in an epoch."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lowerbound.data import Batch, Source
from lowerbound.seeding import random_state, set_random_state
from lowerbound.training.history import Epoch
from lowerbound.training.state import State, copied, fill


class Progress:
    """One record for each finished epoch, the best of them, and its weights.

    Patience counts from the epoch `patient_since` at the earliest.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self.history: list[Epoch] = []
        self.best: Epoch | None = None
        self.weights = weights
        self.patient_since = 0

    def add(self, epoch: Epoch, weights: Callable[[], Mapping[str, Tensor]]) -> None:
        """Append a finished epoch; keep a copy of its weights if it is the best."""
        self.history.append(epoch)
        if epoch.best:
            self.best, self.weights = epoch, weights()

    def out_of_patience(self, patience: int | None) -> bool:
        """Tell whether the held-out bound has not got better for this many epochs."""
        if patience is None or self.best is None:
            return False
        return len(self.history) - max(self.best.epoch, self.patient_since) >= patience

    def state(self) -> State:
        """Copy all of it."""
        values = {
            "history": [epoch.to_json() for epoch in self.history],
            "best": None if self.best is None else self.best.epoch,
            "patient_since": self.patient_since,
        }
        return State(copied(self.weights), values)

    def restore(self, state: State) -> None:
        """Go on from a state; `ValueError` if the weights are another model's."""
        fill(self.weights, state.tensors)
        values = state.values
        self.history = [Epoch.from_json(record) for record in values["history"]]
        self.best = None if values["best"] is None else self.history[values["best"] - 1]
        self.patient_since = int(values["patient_since"])


@dataclass
class Place:
    """An epoch that has begun and is not over.

    Args:
        order: The random state that its order of examples is drawn from.
        sums: bound, distortion and rate summed over the examples that were learned from so far,
            nats, and their number, `(4,)`; a skipped batch is left out.
        index: Batches gone through.
        seconds: Wall-clock time it took until it was last looked at.
    """

    order: Mapping[str, Tensor]
    sums: Tensor
    index: int = 0
    seconds: float = 0.0

    @classmethod
    def at_start(cls, device: torch.device) -> "Place":
        """Begin an epoch, its order drawn from the random state as it is now."""
        return cls(random_state(device), torch.zeros(4, dtype=sum_dtype(device), device=device))

    def batches(self, source: Source, size: int) -> Generator[Batch, None, None]:
        """Give the batches still to come; close it if not all are gone through."""
        device = self.sums.device
        now = random_state(device)
        set_random_state(self.order, device)
        found = source.batches(size, self.index)
        if self.index:  # a training that goes on has drawn further numbers since
            set_random_state(now, device)
        return found

    def state(self) -> State:
        """Copy all of it."""
        order = {f"order.{name}": tensor for name, tensor in self.order.items()}
        tensors = copied({**order, "sums": self.sums})
        return State(tensors, {"index": self.index, "seconds": self.seconds})

    @classmethod
    def restored(cls, state: State, device: torch.device) -> "Place":
        """Go on from a state, on a device."""
        tensors = {name.removeprefix("order."): tensor for name, tensor in state.tensors.items()}
        sums = tensors.pop("sums").to(device, copy=True)
        return cls(tensors, sums, **state.values)


def sum_dtype(device: torch.device) -> torch.dtype:
    """Choose the dtype of sums: float64, but for MPS devices, which have none."""
    return torch.float32 if device.type == "mps" else torch.float64
