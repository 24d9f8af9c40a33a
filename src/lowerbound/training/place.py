"""Where a training is inside an epoch."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lowerbound.data import Batch, Source
from lowerbound.seeding import random_state, set_random_state


@dataclass
class Place:
    """An epoch that has begun and is not over.

    Args:
        order: The random state that its order of examples is drawn from.
        sums: bound, distortion and rate summed over the examples that were learned from so far,
            nats, and their number, `(4,)`; those of a skipped batch are not among them.
        index: Batches gone through.
        seconds: Wall-clock time it took until it was last looked at.
    """

    order: Mapping[str, Tensor]
    sums: Tensor
    index: int = 0
    seconds: float = 0.0

    @classmethod
    def at_start(cls, device: torch.device) -> "Place":
        """The start of an epoch, its order drawn from the random state as it is now."""
        kind = torch.float32 if device.type == "mps" else torch.float64
        return cls(random_state(device), torch.zeros(4, dtype=kind, device=device))

    def batches(self, source: Source, size: int) -> Generator[Batch, None, None]:
        """The batches still to come; to be closed by who does not go through all of them.

        Args:
            source: The training examples.
            size: Of a batch; the last may be smaller.
        """
        device = self.sums.device
        now = random_state(device)
        set_random_state(self.order, device)
        found = source.batches(size, self.index)
        if self.index:  # a training that goes on has drawn further numbers since
            set_random_state(now, device)
        return found

    def to_json(self) -> dict[str, Any]:
        """All but the tensors."""
        return {"index": self.index, "seconds": self.seconds}
