"""The exponential moving average of a model's weights."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lowerbound.training.state import State, copied, fill


class WeightAverage:
    """w_bar <- d w_bar + (1 - d) w after every update, with d rising to `decay` at the start.

    Args:
        parameters: The weights w.
        decay: In [0, 1); None makes the average the weights themselves.

    Source: the ramp d_t = min(decay, (1 + t) / (10 + t)) is that of TensorFlow's
        `ExponentialMovingAverage(num_updates=...)`: early weights are forgotten quickly.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], decay: float | None) -> None:
        self.decay = decay
        self.updates = 0
        self._live: list[Tensor] = [] if decay is None else list(parameters)
        self._mean = [w.detach().clone() for w in self._live]

    @torch.no_grad()
    def update(self) -> None:
        """Take the present weights into the average."""
        if self.decay is None:
            return
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self._mean, self._live, 1.0 - decay)  # pyright: ignore[reportPrivateImportUsage]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the model the averaged weights for the length of a block."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for live, mean in zip(self._live, self._mean, strict=True):
            held = live.detach().clone()
            live.copy_(mean)
            mean.copy_(held)

    def state(self) -> State:
        """Copy the average and its count of updates."""
        means = {str(i): mean for i, mean in enumerate(self._mean)}
        return State(copied(means), {"updates": self.updates})

    def restore(self, state: State) -> None:
        """Go on from a state; `ValueError` if it is of other weights."""
        fill({str(i): mean for i, mean in enumerate(self._mean)}, state.tensors)
        self.updates = int(state.values["updates"])
