"""Objectives: each asks a model for one trace and reduces it to a bound."""

from abc import ABC, abstractmethod

from lowerbound.core import Batch, Bound, Gradient, Trace, Traceable
from lowerbound.errors import SettingError


class Objective(ABC):
    """A quantity in nats to maximise, one value for each example.

    An objective sees a model only through its trace. It holds no state: what changes during
    training (`Annealed`) is a function of how much of the training is done.

    Raises:
        SettingError: `samples` is not a whole number of at least 1.
    """

    #: How many draws of z the trace needs.
    samples: int = 1
    #: Which derivative of log q(z|x) the trace carries.
    gradient: Gradient = "total"
    #: The formula, as a statistician would write it.
    formula: str = ""
    #: Whether its value is a lower bound on log p(x).
    is_bound: bool = True
    #: Whether it gives the encoder a gradient where draws of z have none.
    scores: bool = False
    #: The fraction of a training before which no weights are kept as the best: a stage that is
    #: still to come would change them.
    ripe: float = 0.0

    def __post_init__(self) -> None:
        positive_samples(self.samples)

    @abstractmethod
    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """Reduce the samples of a trace.

        Args:
            trace: Log-densities `(K, B)`.
            beta: Further weight of the rate, in [0, infinity); 1 leaves the objective as it is.

        Returns:
            A bound for each of the `B` examples, nats.
        """

    def trace(self, model: Traceable, batch: Batch) -> Trace:
        """Trace the model on a batch as the objective wants it."""
        return model.trace(batch, self.samples, self.gradient)

    def __call__(self, model: Traceable, batch: Batch) -> Bound:
        """Trace the model on a batch and reduce it."""
        return self.reduce(self.trace(model, batch))

    def at(self, fraction: float) -> "Objective":
        """Return the objective in force when this fraction, in [0, 1], of the training is done."""
        return self

    @property
    def criterion(self) -> "Objective":
        """The objective by which held-out data judges a model: without annealing or floors."""
        return self


def whole(name: str, value: int, least: int) -> None:
    """Raise `SettingError` unless a setting is a whole number of at least so much."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SettingError(f"{name} must be a whole number of at least {least}, got {value!r}")


def positive_samples(samples: int) -> None:
    """Raise `SettingError` unless `samples` is a whole number of at least 1."""
    whole("samples", samples, 1)


class Wrapper(Objective):
    """An objective around another one, whose draws and gradient it takes over."""

    objective: Objective

    @property
    def samples(self) -> int:  # type: ignore[override]
        """Draws of the objective inside."""
        return self.objective.samples

    @property
    def gradient(self) -> Gradient:  # type: ignore[override]
        """That of the objective inside."""
        return self.objective.gradient

    @property
    def scores(self) -> bool:  # type: ignore[override]
        """That of the objective inside."""
        return self.objective.scores

    def trace(self, model: Traceable, batch: Batch) -> Trace:
        """Trace as the objective inside does."""
        return self.objective.trace(model, batch)

    @property
    def formula(self) -> str:  # type: ignore[override]
        """That of the objective inside."""
        return self.objective.formula

    @property
    def is_bound(self) -> bool:  # type: ignore[override]
        """Not claimed: a weight below 1 takes the value above that of the objective inside."""
        return False

    @property
    def criterion(self) -> Objective:
        """That of the objective inside: what only guides training judges no model."""
        return self.objective.criterion
