"""A model as one walk from the top, and everything that is written over it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.func import functional_call

from lowerbound.core.batch import Batch
from lowerbound.core.conditional import Conditional
from lowerbound.core.space import Latents, Space
from lowerbound.core.trace import Gradient, Latent, Pick, Trace
from lowerbound.distributions import Markov, centre, detached, log_prob, tempered
from lowerbound.errors import SettingError, ShapeError, UnknownNameError

#: Chooses the value of a group from its name, its p, and its q (None without data).
Choose = Callable[[str, Distribution, Distribution | None], Tensor]


@dataclass(frozen=True)
class Sample:
    """Latents drawn from the top, and the law of x given them.

    Attributes:
        latents: By group, `(N, *shape)`.
        law: p(x|z), batch `(N,)`.
    """

    latents: Latents
    law: Distribution


@dataclass(frozen=True)
class Factor:
    """One factor of a model, in words.

    Attributes:
        name: Such as "prior".
        symbol: Such as "p(z)".
        formula: How its law is written, or what it is called.
        parameters: How many numbers of it are trained.
    """

    name: str
    symbol: str
    formula: str
    parameters: int


@dataclass(frozen=True)
class Inferred:
    """The centre of q(z|x), group by group given the centres above.

    Attributes:
        latents: By group, `(B, *shape)`.
        laws: The q of each group whose centre it is, batch `(B,)`.
    """

    latents: Latents
    laws: Mapping[str, Distribution]


class _EnoughError(Exception):
    """Ends a walk whose p(x|z) nobody wants."""


class Model(nn.Module, ABC):
    """p(x, z) = p(z_1) p(z_2|z_1) ... p(x|z), with q(z_1|x) q(z_2|z_1, x) ... for its posterior.

    Every use of a model is the same walk from the top, in which, group by group, somebody chooses
    z: training draws it from q, generating draws it from p, decoding is given it, encoding takes
    the centre of q. A model says the walk (`descend`) and the sizes of its groups (`latents`);
    everything else is written here once.
    """

    @property
    @abstractmethod
    def latents(self) -> Mapping[str, Space]:
        """The groups of latents, top first; known without data."""

    @abstractmethod
    def descend(
        self, choose: Choose, batch: Batch | None = None, condition: Tensor | None = None
    ) -> Distribution:
        """Ask `choose` for each group of latents, from the top; return p(x|z).

        Args:
            choose: From a group's name, its p and its q to its value. Values may have any leading
                axes that the laws of the groups below then have, too.
            batch: `B` examples for q; None where there is no data: each q is then None.
            condition: Codes that a conditional model is told, `(B, ...)`.
        """

    def describe(self) -> list[Factor]:
        """List the factors in words; the whole of a model that does not tell them apart."""
        groups = ", ".join(self.latents)
        size = sum(parameter.numel() for parameter in self.parameters())
        return [Factor("model", f"p(x, {groups})", type(self).__name__, size)]

    def check(self, x: Tensor, observed: Tensor | None = None, name: str = "x") -> None:
        """Raise `SupportError` with the remedy if p(x|z) gives a value of `x` no density.

        A model whose p(x|z) has a support overrides it.

        Args:
            x: Examples, `(N, *event)`.
            observed: Which of their cells count, bool; None for all.
            name: Their name in the message.
        """

    def with_prior(self, prior: Conditional) -> "Model":
        """Return the model with another p(z) of its top group; it shares the other parts.

        Raises:
            SettingError: The model has no prior that can be replaced.
        """
        raise SettingError(f"{type(self).__name__} has no prior that can be replaced")

    def forward(
        self, choose: Choose, batch: Batch | None = None, condition: Tensor | None = None
    ) -> Distribution:
        """Walk as `descend` does: what makes a model callable as a module of torch is."""
        return self.descend(choose, batch, condition)

    def trace(self, batch: Batch, samples: int = 1, gradient: Gradient = "total") -> Trace:
        """Draw z ~ q(z|x) and return the densities of the batch.

        Args:
            batch: `B` examples; an unobserved cell has no influence whatever it holds.
            samples: Number `K` of draws for each example.
            gradient: "total", or "path" for a log q(z|x) differentiated through z alone.

        Returns:
            A `Trace` with `(K, B)` densities in nats.

        Raises:
            SettingError: `samples` is less than 1.
            ShapeError: Two parts of the model, or x and p(x|z), disagree on a shape.
        """
        if samples < 1:
            raise SettingError(f"samples must be at least 1, got {samples}")

        def draw(name: str, p: Distribution, q: Distribution) -> tuple[Tensor, Distribution]:
            count = torch.Size([samples]) if len(q.batch_shape) < 2 else torch.Size()
            return (q.rsample(count) if q.has_rsample else q.sample(count)), q

        trace = self.trace_by(draw, batch)
        return self._by_path(trace, batch) if gradient == "path" else trace

    def trace_by(self, pick: Pick, batch: Batch) -> Trace:
        """Return the densities of a batch at values that `pick` chooses.

        Args:
            pick: From a group's name, its p and its q to its value `(K, B, *shape)`, and the law
                that stands in for q.
            batch: `B` examples.
        """
        latents: dict[str, Latent] = {}

        def choose(name: str, p: Distribution, q: Distribution | None) -> Tensor:
            if q is None:
                raise ShapeError(f"the model has no q for group '{name}' although it was given x")
            if q.event_shape != p.event_shape:
                raise ShapeError(
                    f"the posterior has {_sizes(q.event_shape)} latent units, the prior "
                    f"{_sizes(p.event_shape)}; build both with the same number of latents"
                )
            z, law = pick(name, p, q)
            latents[name] = Latent(z, p, law)
            return z

        law = self.descend(choose, batch, batch.condition)
        if law.event_shape != batch.x.shape[1:]:
            raise ShapeError(
                f"the likelihood is over {_sizes(law.event_shape)}, the data is "
                f"{_sizes(batch.x.shape[1:])}; build the decoder for the data's shape"
            )
        return Trace(log_prob(law, batch.x, batch.observed), latents)

    def trace_at(self, batch: Batch, latents: Latents) -> Trace:
        """Return the densities of a batch at given latents, `(K, B, *shape)` by group."""
        return self.trace_by(lambda name, p, q: (latents[name], q), batch)

    def log_joint(self, batch: Batch, latents: Latents) -> tuple[Tensor, Tensor]:
        """Return log p(x|z) and log p(z) at given latents, each `(K, B)`, nats, float64.

        Args:
            batch: `B` examples.
            latents: By group, `(K, B, *shape)`.
        """
        log_pz: list[Tensor] = []

        def given(name: str, p: Distribution, q: Distribution | None) -> Tensor:
            log_pz.append(log_prob(p, latents[name]))
            return latents[name]

        law = self.descend(given, None, batch.condition)
        return log_prob(law, batch.x, batch.observed), sum(log_pz[1:], log_pz[0])

    def sample(
        self,
        count: int,
        temperature: float = 1.0,
        given: Latents | None = None,
        condition: Tensor | None = None,
    ) -> Sample:
        """Draw z ~ p(z) from the top down.

        Args:
            count: Number `N` of draws.
            temperature: Factor on the spread of every p(z_l | groups above); 1 is the model.
            given: Groups that are not drawn, `(N, *shape)` by name.
            condition: Codes that a conditional model is told, `(N, ...)`.

        Raises:
            SettingError: A temperature other than 1 for a law without a scale.
        """
        chosen: dict[str, Tensor] = {}

        def draw(name: str, p: Distribution, q: Distribution | None) -> Tensor:
            if given is not None and name in given:
                chosen[name] = given[name]
            else:
                law = p if temperature == 1.0 else tempered(p, temperature)
                chosen[name] = law.sample(() if p.batch_shape else (count,))
            return chosen[name]

        law = self.descend(draw, None, condition)
        return Sample(chosen, law)

    def infer(self, choose: Choose, batch: Batch) -> None:
        """Walk as `descend` does, and stop before p(x|z), which costs most and is not wanted.

        Args:
            choose: Asked for each group of latents.
            batch: `B` examples.
        """
        waiting = set(self.latents)

        def ask(name: str, p: Distribution, q: Distribution | None) -> Tensor:
            z = choose(name, p, q)
            waiting.discard(name)
            if not waiting:
                raise _EnoughError
            return z

        with suppress(_EnoughError):
            self.descend(ask, batch, batch.condition)

    def encode(self, batch: Batch) -> Inferred:
        """Return the centre of q(z|x), group by group given the centres above.

        Args:
            batch: `B` examples.

        Returns:
            Latents `(B, *shape)` by group; no noise is drawn.
        """
        chosen: dict[str, Tensor] = {}
        laws: dict[str, Distribution] = {}

        def take(name: str, p: Distribution, q: Distribution | None) -> Tensor:
            laws[name] = p if q is None else q
            chosen[name] = centre(laws[name])
            return chosen[name]

        self.infer(take, batch)
        return Inferred(chosen, laws)

    def decode(self, latents: Latents, condition: Tensor | None = None) -> Distribution:
        """Return p(x|z) at given latents, `(..., *shape)` by group."""
        return self.descend(lambda name, p, q: latents[name], None, condition)

    def reconstruct(self, batch: Batch, until: str | None = None) -> Distribution:
        """Return p(x|z) at the centres of q(z|x), of all groups or of the upper ones.

        Args:
            batch: `B` examples.
            until: The last group that x is asked about; the groups below are drawn from
                p(z_l | groups above). None for all groups.

        Raises:
            UnknownNameError: There is no such group.
        """
        names = list(self.latents)
        if until is not None and until not in names:
            raise UnknownNameError("group of latents", until, names)
        if until in (None, names[-1]):
            return self.decode(self.encode(batch).latents, batch.condition)
        kept = names[: names.index(until) + 1]

        def mix(name: str, p: Distribution, q: Distribution | None) -> Tensor:
            if name in kept and q is not None:
                return centre(q)
            return p.sample(() if p.batch_shape else (len(batch),))

        return self.descend(mix, batch, batch.condition)

    def _by_path(self, trace: Trace, batch: Batch) -> Trace:
        """Weigh the draws of a trace under q with constant parameters.

        With one group the parameters of q are held constant. With more, or steps, those of a lower
        one depend on the draws above, whose way must stay open: the walk is gone a second time with
        the weights of all networks held constant, and the draws that there are.
        """
        ((name, one), *more) = trace.latents.items()
        if not (more or isinstance(one.q, Markov)):
            held = {name: Latent(one.z, one.p, one.q, detached(one.q))}
            return Trace(trace.log_px, held, trace.penalties, trace.ordered)
        laws: dict[str, Distribution] = {}

        def again(name: str, p: Distribution, q: Distribution | None) -> Tensor:
            if q is not None:
                laws[name] = q
            return trace.latents[name].z

        still = {name: value.detach() for name, value in self.named_parameters()}
        functional_call(self, still, (again, batch, batch.condition))
        held = {
            name: Latent(one.z, one.p, one.q, laws[name]) for name, one in trace.latents.items()
        }
        return Trace(trace.log_px, held, trace.penalties, trace.ordered)


def _sizes(shape: torch.Size) -> str:
    return "x".join(str(size) for size in shape) or "a scalar"
