"""The records that training leaves behind: one an epoch, and the result."""

from dataclasses import asdict, dataclass
from typing import Any

from lowerbound.core import Model
from lowerbound.training.execution import Execution


@dataclass(frozen=True)
class Terms:
    """Means over examples, in nats.

    Attributes:
        bound: The objective's value, which is maximised (train), or its criterion (held-out).
        elbo: -(distortion + rate), whatever the objective.
        distortion: -E_q[log p(x|z)].
        rate: KL(q(z|x) || p(z)).
    """

    bound: float
    elbo: float
    distortion: float
    rate: float


@dataclass(frozen=True)
class Epoch:
    """One pass over the training examples.

    Attributes:
        epoch: From 1.
        updates: Updates since the beginning; a skipped batch counts as one.
        seconds: Wall-clock time since the beginning.
        examples_per_second: Training examples seen a second in this epoch.
        learning_rate: At the end of the epoch.
        train: Means over the epoch, under the weights as they changed.
        held_out: Under the averaged weights at its end, on the validation split.
        best: True if its weights were kept, as the best so far or the last.
        skipped: Batches not learned from, because bound or gradient were not finite.
        rollbacks: Times training went back to where this epoch began, at a smaller learning rate.
    """

    epoch: int
    updates: int
    seconds: float
    examples_per_second: float
    learning_rate: float
    train: Terms
    held_out: Terms
    best: bool
    skipped: int = 0
    rollbacks: int = 0

    def to_json(self) -> dict[str, Any]:
        """Write it as plain numbers."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Epoch":
        """Read what `to_json` wrote; `TypeError` or `KeyError` if it is no such record."""
        parts = {"train": Terms(**record["train"]), "held_out": Terms(**record["held_out"])}
        epoch = cls(**{**record, **parts})
        terms = (epoch, epoch.train, epoch.held_out)
        values = [value for part in terms for value in vars(part).values()]
        if not all(isinstance(value, int | float | Terms) for value in values):
            raise TypeError("an epoch is recorded in numbers")
        return epoch


@dataclass(frozen=True)
class Fit:
    """The result of a training.

    Attributes:
        model: The model, holding the weights of the best epoch.
        history: One record an epoch.
        best: The epoch whose weights were kept, or None when none was finished.
        stopped: Why training ended: "epochs", "minutes", "patience", or what a callback said.
        seed: The seed it ran under.
        seconds: Wall-clock time, that of before it was resumed included.
        skipped: Batches not learned from, because bound or gradient were not finite.
        rollbacks: Times training went back to the end of an epoch, at a smaller learning rate.
        execution: The way in which updates were executed, and why; None where it is not known.
    """

    model: Model
    history: tuple[Epoch, ...]
    best: Epoch | None
    stopped: str
    seed: int
    seconds: float
    skipped: int = 0
    rollbacks: int = 0
    execution: Execution | None = None
