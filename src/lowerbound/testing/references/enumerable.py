"""Discrete models small enough to enumerate: every expectation of them is a finite sum."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, constraints

from lowerbound.core import Batch, Bound, Choose, Gradient, Latent, Model, Space, Trace
from lowerbound.distributions import centre, detached
from lowerbound.errors import SettingError
from lowerbound.objectives import Objective
from lowerbound.seeding import seeded
from lowerbound.testing.references.linear_gaussian import Joint

#: Most numbers that a sum over all draws may hold at a time.
LARGEST = 20_000_000


class Enumerable(Model):
    """A model whose latent variable takes `M` values: evidence and posterior are sums over them.

    Its one group "z" is discrete. A subclass says what the values are and what their log-densities
    are; x has cells that take whole numbers from 0.
    """

    #: The values of z, `(M, D)`, float64.
    states: Tensor
    #: How many values each cell of x takes.
    levels: int
    #: How many cells x has.
    cells: int

    @abstractmethod
    def joint(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return log p(x|z) `(M, B)`, log p(z) `(M, 1)` and log q(z|x) `(M, B)` of every z."""

    @abstractmethod
    def draw(self, state: Tensor) -> Tensor:
        """Draw x ~ p(x|z), `(N, cells)`, for the values of z with these indices, `(N,)`."""

    @property
    def latents(self) -> Mapping[str, Space]:
        """The one group, "z"."""
        return {"z": Space((self.states.shape[1],), discrete=True)}

    def descend(
        self, choose: Choose, batch: Batch | None = None, condition: Tensor | None = None
    ) -> Distribution:
        joint = self.joint(Batch(self.support()[:1]) if batch is None else batch)
        p = OverStates(self.states, joint[1].squeeze(1))
        z = choose("z", p, None if batch is None else OverStates(self.states, joint[2].T))
        return _Given(self, (z.unsqueeze(-2) == self.states).all(dim=-1).long().argmax(dim=-1))

    def trace(self, batch: Batch, samples: int = 1, gradient: Gradient = "total") -> Trace:
        """See `Model.trace`; its densities are read from tables, and draws have no path."""
        joint = self.joint(batch)
        index = OverStates(self.states, joint[2].T).sample_index(samples)
        return self._at(joint, index.unsqueeze(1), gradient)

    def log_evidence(self, x: Tensor, observed: Tensor | None = None) -> Tensor:
        """Return log p(x) = log sum_z p(z) p(x|z) of what was observed, `(B,)`, nats."""
        log_px, log_pz, _ = self.joint(Batch(x, observed))
        return (log_px + log_pz).logsumexp(dim=0)

    def log_posterior(self, x: Tensor, observed: Tensor | None = None) -> Tensor:
        """Return log p(z|x), `(M, B)`."""
        log_px, log_pz, _ = self.joint(Batch(x, observed))
        return (log_px + log_pz).log_softmax(dim=0)

    def posterior(self, x: Tensor) -> "OverStates":
        """Return p(z|x) of each row, batch `(B,)`, event `(D,)`."""
        return OverStates(self.states, self.log_posterior(x).T)

    def simulate(self, count: int, seed: int = 0) -> Joint:
        """Draw z ~ p(z), then x ~ p(x|z)."""
        with seeded(seed), torch.no_grad():
            log_pz = self.joint(Batch(self.support()[:1]))[1]
            index = log_pz.flatten().exp().multinomial(count, replacement=True)
            return Joint(self.states[index], self.draw(index).double())

    def support(self) -> Tensor:
        """Return every value of x, `(levels^cells, cells)`, float64."""
        return every(self.levels, self.cells)

    def expected(self, objective: Objective, batch: Batch) -> Bound:
        """Sum an objective over all draws that there can be: its expectation.

        Draws in another order count as the same: `K` draws of `M` values are (K + M - 1 choose K)
        multisets, each as often as it can be ordered.

        Args:
            objective: A function of the draws whose order it does not see.
            batch: `B` examples.

        Returns:
            Expectations, each `(B,)`, nats, with their gradients.

        Raises:
            SettingError: The sum has more terms than memory should hold.
        """
        joint = self.joint(batch)
        states, rows = joint[2].shape
        size = math.comb(objective.samples + states - 1, states - 1) * objective.samples * rows
        if size > LARGEST:
            raise SettingError(
                f"the expectation over {objective.samples} draws of {states} states is a sum over "
                f"{size:,} numbers; take fewer draws or states"
            )
        draws = combinations_with_replacement(range(states), objective.samples)
        index = torch.tensor(list(draws))  # (C, K)
        counts = nn.functional.one_hot(index, states).sum(dim=1).double()
        orders = math.lgamma(objective.samples + 1) - torch.lgamma(counts + 1).sum(dim=1)
        chance = (joint[2][index].sum(dim=1) + orders.unsqueeze(-1)).exp()  # (C, B)
        bound = objective.reduce(self._at(joint, index.T.unsqueeze(-1).expand(-1, -1, rows)))
        parts = (bound.value, bound.distortion, bound.rate)
        return Bound(*((chance * part.reshape(-1, rows)).sum(dim=0) for part in parts))

    def _at(
        self, joint: tuple[Tensor, Tensor, Tensor], index: Tensor, gradient: Gradient = "total"
    ) -> Trace:
        """Trace at states `(K, C, B)`, its batch `C` times that of the joint."""
        log_px, log_pz, log_q = joint
        copies = index.shape[1]
        index = index.flatten(start_dim=1)
        log_px, log_q = log_px.repeat(1, copies), log_q.repeat(1, copies)
        kl = (log_q.exp() * (log_q - log_pz)).sum(dim=0)
        still = log_q.detach() if gradient == "path" else log_q
        latent = Latent.known(
            self.states[index],
            log_pz.expand_as(log_px).gather(0, index),
            still.gather(0, index),
            OverStates(self.states, log_pz.T),
            OverStates(self.states, log_q.T),
            kl.reshape(1, -1, 1),
        )
        return Trace(log_px.gather(0, index), {"z": latent})


class OverStates(Distribution):
    """A law over `M` vectors: a table of probabilities.

    Args:
        states: The vectors, `(M, D)`.
        log_probabilities: `(M,)`, or `(B, M)` for a batch of laws, normalised, nats.
    """

    has_rsample = False

    def __init__(self, states: Tensor, log_probabilities: Tensor) -> None:
        self.states, self.log_probabilities = states, log_probabilities
        super().__init__(log_probabilities.shape[:-1], states.shape[1:], validate_args=False)

    def sample_index(self, samples: int) -> Tensor:
        """Draw which of the vectors, `(samples, *batch)`."""
        with torch.no_grad():
            chance = self.log_probabilities.exp()
            return chance.multinomial(samples, replacement=True).movedim(-1, 0)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw vectors, `(*sample_shape, B, D)`."""
        drawn = self.states[self.sample_index(math.prod(sample_shape))]
        return drawn.reshape(*sample_shape, *drawn.shape[1:])

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same table for every law of a batch."""
        return OverStates(self.states, self.log_probabilities.expand(*batch_shape, -1))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-probability of vectors `(..., B, D)`, nats; -inf for those it lacks."""
        equal = (value.unsqueeze(-2) == self.states).all(dim=-1)
        return torch.where(equal, self.log_probabilities, -math.inf).logsumexp(dim=-1)

    @property
    def mean(self) -> Tensor:
        """E[z], `(B, D)`."""
        return self.log_probabilities.exp() @ self.states

    @property
    def variance(self) -> Tensor:
        """Var[z], `(B, D)`."""
        return self.log_probabilities.exp() @ self.states.square() - self.mean.square()


class _Given(Distribution):
    """p(x|z) at states of a model, by their indices `(..., B)`."""

    def __init__(self, model: Enumerable, index: Tensor) -> None:
        self.model, self.index = model, index
        super().__init__(index.shape, torch.Size([model.cells]), validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """Whole numbers from 0 in every cell."""
        return constraints.independent(constraints.integer_interval(0, self.model.levels - 1), 1)

    @property
    def mean(self) -> Tensor:
        """E[x], `(..., B, cells)`."""
        support = self.model.support()
        chance = self.model.joint(Batch(support))[0].exp()  # (M, values of x)
        return (chance @ support)[self.index]

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw examples, `(*sample_shape, ..., B, cells)`."""
        with torch.no_grad():
            index = self.index.expand(*sample_shape, *self.index.shape)
            return self.model.draw(index.flatten()).double().reshape(*index.shape, -1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-probability of `(B, cells)`, `(..., B)`, nats."""
        table = self.model.joint(Batch(value))[0]
        return table.T.expand(*self.index.shape, -1).gather(-1, self.index.unsqueeze(-1))[..., 0]


@centre.register
def _(distribution: OverStates) -> Tensor:
    return distribution.states[distribution.log_probabilities.argmax(dim=-1)]


@detached.register
def _(distribution: OverStates) -> OverStates:
    return OverStates(distribution.states, distribution.log_probabilities.detach())


def every(levels: int, cells: int) -> Tensor:
    """Return all vectors of whole numbers 0 ... levels - 1, `(levels^cells, cells)`, float64."""
    count = torch.arange(levels**cells)
    places = levels ** torch.arange(cells).flip(0)
    return (count.unsqueeze(-1) // places % levels).double()
