"""What a model hands to an objective, and what an objective hands back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from torch import Tensor
from torch.distributions import Distribution

if TYPE_CHECKING:
    from lowerbound.core.batch import Batch

#: Which derivative of log q(z|x) the encoder receives: the total one, or only that through the
#: sample z ("sticking the landing": Roeder, Wu & Duvenaud 2017, arXiv 1703.09194, equation 8).
Gradient = Literal["total", "path"]


def later(compute: Callable[[], Tensor]) -> Tensor:
    """A density of a `Trace` that is computed when it is first read, and not at all if it is not.

    An ELBO whose rate has a closed form needs neither log p(z) nor log q(z|x) of its draws.
    """
    return compute  # type: ignore[return-value]  # WhenRead calls it


class WhenRead:
    """The field of a dataclass that may hold what `later` gives."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, holder: object, owner: type | None = None) -> Any:
        if holder is None:
            return self
        value = holder.__dict__[self.name]
        if callable(value):
            value = holder.__dict__[self.name] = value()
        return value

    def __set__(self, holder: object, value: Tensor) -> None:
        holder.__dict__[self.name] = value


@dataclass(frozen=True)
class Trace:
    """The densities of one batch under `K` draws z ~ q(z|x).

    Attributes:
        log_px: log p(x|z), `(K, B)`, nats, float64.
        log_pz: log p(z), `(K, B)`, nats, float64; may be given `later`.
        log_qz: log q(z|x), `(K, B)`, nats, float64; likewise.
        z: The draws, `(K, B, ...)`.
        posterior: The distribution they were drawn from, batch `(B,)`.
        kl: Closed forms of KL(q(z|x) || p(z)) by group of latents, each `(1 or K, B, units)` in
            nats and float64. Empty when one group has none: then the rate is estimated from draws.
        penalties: Named extra terms of the model, each `(B,)`, to be subtracted from a bound.
    """

    log_px: Tensor
    log_pz: Tensor
    log_qz: Tensor
    z: Tensor
    posterior: Distribution
    kl: Mapping[str, Tensor] = field(default_factory=dict)
    penalties: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def log_weight(self) -> Tensor:
        """log p(x, z) - log q(z|x), `(K, B)`, nats: its exponential estimates p(x) unbiasedly."""
        return self.log_px + self.log_pz - self.log_qz


for _name in ("log_pz", "log_qz"):  # not in the class body, where it would be a default
    setattr(Trace, _name, WhenRead(_name))


@dataclass(frozen=True)
class Bound:
    """An objective's value for each example; higher is better.

    Attributes:
        value: What is maximised, `(B,)`, nats.
        distortion: -E_q[log p(x|z)], `(B,)`, nats.
        rate: KL(q(z|x) || p(z)), `(B,)`, nats, neither weighted nor floored.
    """

    value: Tensor
    distortion: Tensor
    rate: Tensor

    @property
    def elbo(self) -> Tensor:
        """The evidence lower bound -(distortion + rate), `(B,)`, nats, whatever is maximised."""
        return -(self.distortion + self.rate)


@runtime_checkable
class LatentVariableModel(Protocol):
    """What every objective and every application asks of a model."""

    def trace(self, batch: "Batch", samples: int = 1, gradient: Gradient = "total") -> Trace:
        """Draw `samples` times from q(z|x) and return the log-densities."""
        ...


@runtime_checkable
class JointModel(LatentVariableModel, Protocol):
    """A model that can be asked for its joint density at any z, not only at draws of its own."""

    def log_joint(self, batch: "Batch", z: Tensor) -> tuple[Tensor, Tensor]:
        """log p(x|z) and log p(z) at `(K, B, D)` points, each `(K, B)`, nats, float64."""
        ...
