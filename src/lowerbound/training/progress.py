"""The finished epochs of a training and the weights to keep."""

from collections.abc import Callable, Mapping

from torch import Tensor

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
