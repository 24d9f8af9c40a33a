"""Trace, which a model hands to an objective, and Bound, which comes back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor
from torch.distributions import Distribution

from lowerbound.core.batch import Batch
from lowerbound.core.once import once
from lowerbound.distributions import Markov, analytic_kl, log_prob

#: Which derivative of log q(z|x) the encoder receives: the total one, or only that through the
#: sample z ("sticking the landing": Roeder, Wu & Duvenaud 2017, arXiv 1703.09194, equation 8).
Gradient = Literal["total", "path"]


@dataclass(frozen=True)
class Latent:
    """One group of latents in a trace: its value, and the two laws that it is weighed under.

    A density is computed when it is first read, and not at all if nobody reads it: an ELBO whose
    rate has a closed form needs neither log p(z) nor log q(z|x) of its draws.

    Attributes:
        z: The value, `(K, B, *shape)`.
        p: p(z_l | groups above), batch `()`, `(B,)` or `(K, B)`.
        q: q(z_l | x, groups above), batch `(B,)` or `(K, B)`.
        score: The law that log q is taken from, where that is not q itself: q with constant
            parameters, for gradients through z alone.
    """

    z: Tensor
    p: Distribution
    q: Distribution
    score: Distribution | None = None

    @classmethod
    def known(
        cls,
        z: Tensor,
        log_p: Tensor,
        log_q: Tensor,
        p: Distribution,
        q: Distribution,
        kl: Tensor | None = None,
    ) -> "Latent":
        """Make a group from densities that are known already, each `(K, B)`, nats."""
        latent = cls(z, p, q)
        latent.__dict__.update(log_p=log_p, log_q=log_q, kl=kl)  # as `once` leaves them
        return latent

    @once
    def log_p(self) -> Tensor:
        """log p(z_l | groups above), `(K, B)`, nats, float64."""
        return log_prob(self.p, self.z)

    @once
    def log_q(self) -> Tensor:
        """log q(z_l | x, groups above), `(K, B)`, nats, float64."""
        return log_prob(self.q if self.score is None else self.score, self.z)

    @once
    def kl(self) -> Tensor | None:
        """KL(q || p) given the groups above, `(1 or K, B, units)`, nats; None if not known."""
        if isinstance(self.q, Markov) and isinstance(self.p, Markov):
            return self.q.kl_along(self.p, self.z)
        kl = analytic_kl(self.q, self.p)
        return kl if kl is None or kl.ndim == 3 else kl.unsqueeze(0)


@dataclass(frozen=True)
class Trace:
    """The densities of one batch under `K` draws z ~ q(z|x).

    Attributes:
        log_px: log p(x|z), `(K, B)`, nats, float64.
        latents: The groups of latents by name, top first.
        penalties: Named extra terms of the model, each `(B,)`, to be subtracted from a bound.
        ordered: Whether q draws the groups in the order of p, from the top. Otherwise
            KL(q(z_l) || p(z_l)) given the drawn groups is not the rate's term, and `kl` is empty.
        floor: An extra rate that an objective charges (free bits), a scalar or `(B,)`, nats.
    """

    log_px: Tensor
    latents: Mapping[str, Latent]
    penalties: Mapping[str, Tensor] = field(default_factory=dict)
    ordered: bool = True
    floor: Tensor | None = None

    @once
    def log_pz(self) -> Tensor:
        """log p(z) of all groups, `(K, B)`, nats, float64."""
        return _sum([latent.log_p for latent in self.latents.values()])

    @once
    def log_qz(self) -> Tensor:
        """log q(z|x) of all groups, `(K, B)`, nats, float64."""
        return _sum([latent.log_q for latent in self.latents.values()])

    @property
    def kl(self) -> dict[str, Tensor]:
        """Closed forms of the rate of each group that has one, each `(1 or K, B, units)`, nats."""
        if not self.ordered:
            return {}
        found = {name: one.kl for name, one in self.latents.items()}
        return {name: kl for name, kl in found.items() if kl is not None}

    @property
    def log_weight(self) -> Tensor:
        """log p(x, z) - log q(z|x), `(K, B)`, nats: its exponential estimates p(x) unbiasedly."""
        return self.log_px + self.log_pz - self.log_qz


def _sum(terms: list[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


@dataclass(frozen=True)
class Bound:
    """An objective's value for each example; higher is better.

    Attributes:
        value: The quantity that is maximised, `(B,)`, nats.
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


#: From a group's name, its p and its q to the value of the group and the law that it is weighed
#: under in place of q.
Pick = Callable[[str, Distribution, Distribution], tuple[Tensor, Distribution]]


@runtime_checkable
class Traceable(Protocol):
    """The one thing that an objective asks of a model."""

    def trace(self, batch: Batch, samples: int = 1, gradient: Gradient = "total") -> Trace:
        """Draw `samples` times from q(z|x) and return the densities."""
        ...

    def trace_by(self, pick: "Pick", batch: Batch) -> Trace:
        """Return the densities at values that `pick` chooses."""
        ...
