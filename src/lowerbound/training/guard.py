"""What happens when a bound or a gradient stops being a number."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lowerbound.core.trace import Trace
from lowerbound.training.sharded import local

#: So many batches in a row without a finite bound and gradient: the weights are at fault.
MOST_IN_A_ROW = 3
#: How often one training may be rolled back, and what its learning rate is multiplied by each time.
MOST_ROLLBACKS, SLOWER = 4, 0.5
#: A gradient is an accident when it is longer than the clip and this many times the usual length,
#: the geometric mean of about the last so many, known after the first so many.
MOST_TIMES, MEMORY, KNOWN_AFTER = 1000.0, 200, 50


class UnstableError(Exception):
    """Training cannot go on from the present weights; its message says what was not finite."""


@dataclass
class Guard:
    """Counts what was skipped and rolled back.

    A batch whose bound or gradient is not finite, or whose gradient is absurdly long, is skipped:
    no weight changes. Some in a row mean that the weights are at fault and not the batch.

    Attributes:
        row: Batches skipped in a row, up to now.
        first: What was not finite in the first of them.
        skipped: Batches skipped since the last epoch was finished.
        rollbacks: Times rolled back since then.
        rate: What the learning rate is multiplied by.
        usual: The mean of the logarithm of the gradient's length.
        known: Gradients that were taken into that mean.
    """

    row: int = 0
    first: str = ""
    skipped: int = 0
    rollbacks: int = 0
    rate: float = 1.0
    usual: float = 0.0
    known: int = 0

    def passed(self, length: float, batches: int = 1) -> None:
        """Batches were learned from, their gradients of this length (in the geometric mean)."""
        self.row, self.first = 0, ""
        self.remember(math.log(max(length, 1e-300)), batches)

    def remember(self, log_length: float, batches: int) -> None:
        """Take the mean logarithm of so many gradients' lengths into the usual one."""
        self.known += batches
        share = min(1.0, batches / min(self.known, MEMORY))
        self.usual += share * (log_length - self.usual)

    def longest(self, clip: float | None) -> float:
        """The length from which on a gradient is an accident; infinite while none is usual."""
        if clip is None or self.known < KNOWN_AFTER:
            return math.inf
        return max(clip, MOST_TIMES * math.exp(min(self.usual, 600.0)))

    def skip(self, what: str) -> None:
        """A batch was not.

        Raises:
            UnstableError: It is the last of too many in a row.
        """
        self.row, self.first = self.row + 1, self.first or what
        self.skipped += 1
        if self.row >= MOST_IN_A_ROW:
            raise UnstableError(self.first)

    def in_a_row(self, row: int, what: str) -> None:
        """So many were skipped in a row, as it was found out later.

        Raises:
            UnstableError: They are too many.
        """
        self.row, self.first = row, what if row else ""
        if self.row >= MOST_IN_A_ROW:
            raise UnstableError(self.first)

    def roll_back(self, earlier: int) -> bool:
        """Count a roll-back, of which there were `earlier`; whether it is one too many."""
        self.row, self.first = 0, ""
        self.rollbacks += 1
        self.rate *= SLOWER
        return earlier + self.rollbacks > MOST_ROLLBACKS

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Guard":
        """The inverse of `to_json`.

        Raises:
            TypeError: It is no such record.
        """
        return cls(**record)


def name_non_finite(trace: Trace, model: nn.Module) -> str:
    """Names the first term of a bound, or else the parameter's gradient, that is not finite."""
    terms: list[tuple[str, Tensor]] = [
        *((f"the latent {name}", latent.z) for name, latent in trace.latents.items()),
        ("log p(x|z)", trace.log_px),
        ("log p(z)", trace.log_pz),
        ("log q(z|x)", trace.log_qz),
        *((f"KL of group '{name}'", kl) for name, kl in trace.kl.items()),
        *((f"penalty '{name}'", penalty) for name, penalty in trace.penalties.items()),
        *((f"the gradient of {name}", gradient) for name, gradient in _gradients(model)),
    ]
    for name, term in terms:
        if not bool(torch.isfinite(term).all()):
            return name
    return "the norm of the gradient"


def _gradients(model: nn.Module) -> Iterable[tuple[str, Tensor]]:
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            yield name, local(parameter.grad)
