"""The exponential moving average of a model's weights."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lowerbound.training.sharded import like


class WeightAverage:
    """w_bar <- d w_bar + (1 - d) w after every update, with d rising to `decay` at the start.

    Args:
        parameters: What is averaged.
        decay: In [0, 1); None makes the average the weights themselves.

    Source: the ramp d_t = min(decay, (1 + t) / (10 + t)) is that of TensorFlow's
        `ExponentialMovingAverage(num_updates=...)`: early weights are forgotten quickly.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], decay: float | None) -> None:
        self.decay = decay
        self.updates = 0
        self._live = list(parameters)
        self._mean = [p.detach().clone() for p in self._live] if decay is not None else []

    @torch.no_grad()
    def update(self) -> None:
        """Take the present weights into the average."""
        if self.decay is None or not self._live:
            return
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        live = [p.detach() for p in self._live]
        torch._foreach_lerp_(self._mean, live, 1.0 - decay)  # pyright: ignore[reportPrivateImportUsage]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the model has the averaged weights; afterwards its own again."""
        if self.decay is None:
            yield
            return
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

    def state(self) -> dict[str, Tensor]:
        """What `restore` needs to go on."""
        means = {f"mean.{i}": mean for i, mean in enumerate(self._mean)}
        return {"updates": torch.tensor(self.updates), **means}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a `state`."""
        self.updates = int(state["updates"])
        for i, mean in enumerate(self._mean):
            mean.copy_(like(state[f"mean.{i}"], mean))
