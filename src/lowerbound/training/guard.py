"""Skip a bad batch, go back from bad weights: bounds and gradients that are not finite."""

import math
from dataclasses import asdict, dataclass, fields

import torch
from torch import Tensor, nn

from lowerbound.core.trace import Trace
from lowerbound.training.state import State

#: Batches in a row without a finite bound and gradient after which the weights are at fault.
MOST_IN_A_ROW = 3
#: Roll-backs that one training may take, and the factor on its learning rate of each.
MOST_ROLLBACKS, SLOWER = 4, 0.5
#: A gradient is an accident when it is longer than the clip and MOST_TIMES the usual length, the
#: geometric mean of about the last MEMORY gradients, known after the first KNOWN_AFTER.
MOST_TIMES, MEMORY, KNOWN_AFTER = 1000.0, 200, 50


class UnstableError(Exception):
    """Training cannot go on from the present weights; its message says what was not finite."""


@dataclass
class Guard:
    """Counts of the batches that are skipped and the times that training goes back.

    A batch whose bound or gradient is not finite, or whose gradient is absurdly long, is skipped:
    no weight changes. Some in a row mean that the weights are at fault and not the batch.

    Attributes:
        row: Batches skipped in a row, up to now.
        first: The term that was not finite in the first of them.
        skipped: Batches skipped since the last epoch was finished.
        rollbacks: Times rolled back since then.
        left: Times that training may still be rolled back.
        slowdown: Factor on the learning rate.
        usual: The mean of the logarithm of the gradient's length.
        known: Gradients that were taken into that mean.
    """

    row: int = 0
    first: str = ""
    skipped: int = 0
    rollbacks: int = 0
    left: int = MOST_ROLLBACKS
    slowdown: float = 1.0
    usual: float = 0.0
    known: int = 0

    def passed(self, length: float, batches: int = 1) -> None:
        """Note batches that were learned from.

        Args:
            length: Of their gradients, in the geometric mean.
            batches: Their number.
        """
        self.row, self.first = 0, ""
        self.remember(math.log(max(length, 1e-300)), batches)

    def remember(self, log_length: float, batches: int) -> None:
        """Take the mean logarithm of some gradients' lengths into the usual one."""
        self.known += batches
        share = min(1.0, batches / min(self.known, MEMORY))
        self.usual += share * (log_length - self.usual)

    def longest(self, clip: float | None) -> float:
        """Compute the length from which on a gradient is an accident; infinite while unknown."""
        if clip is None or self.known < KNOWN_AFTER:
            return math.inf
        return max(clip, MOST_TIMES * math.exp(min(self.usual, 600.0)))

    def skip(self, what: str) -> None:
        """Note a batch that was skipped; `UnstableError` after too many in a row."""
        self.row, self.first = self.row + 1, self.first or what
        self.skipped += 1
        if self.row >= MOST_IN_A_ROW:
            raise UnstableError(self.first)

    def in_a_row(self, row: int, what: str) -> None:
        """Note batches skipped in a row, where that is found out later; see `skip`."""
        self.row, self.first = row, what if row else ""
        if self.row >= MOST_IN_A_ROW:
            raise UnstableError(self.first)

    def roll_back(self) -> bool:
        """Count a roll-back and slow down; tell whether it was allowed."""
        self.row, self.first = 0, ""
        self.rollbacks += 1
        self.left -= 1
        self.slowdown *= SLOWER
        return self.left >= 0

    def forgive(self) -> None:
        """Allow as many roll-backs as at the start, at the full learning rate."""
        self.left, self.slowdown = MOST_ROLLBACKS, 1.0

    def state(self) -> State:
        """Copy the counts."""
        return State({}, asdict(self))

    def restore(self, state: State) -> None:
        """Go on from a state; `KeyError` if a count is missing."""
        for entry in fields(self):
            setattr(self, entry.name, state.values[entry.name])


def name_non_finite(trace: Trace, model: nn.Module) -> str:
    """Name the first term of a bound, or else the parameter's gradient, that is not finite."""
    parameters = model.named_parameters()
    terms: list[tuple[str, Tensor]] = [
        *((f"the latent {name}", latent.z) for name, latent in trace.latents.items()),
        ("log p(x|z)", trace.log_px),
        ("log p(z)", trace.log_pz),
        ("log q(z|x)", trace.log_qz),
        *((f"KL of group '{name}'", kl) for name, kl in trace.kl.items()),
        *((f"penalty '{name}'", penalty) for name, penalty in trace.penalties.items()),
        *((f"the gradient of {name}", p.grad) for name, p in parameters if p.grad is not None),
    ]
    bad = (name for name, term in terms if not torch.isfinite(term).all())
    return next(bad, "the norm of the gradient")
