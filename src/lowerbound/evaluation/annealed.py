"""Annealed importance sampling: from q(z|x) to p(x, z) in many small steps, and back."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.core import Model, Trace, constant, flatten, on, unflatten
from lowerbound.data import Batch, Examples
from lowerbound.distributions import spread
from lowerbound.errors import DataError, SettingError
from lowerbound.evaluation.evidence import chunk_sizes
from lowerbound.evaluation.hmc import Moved, hamiltonian
from lowerbound.evaluation.ladder import log_mean_variance
from lowerbound.objectives.objective import whole
from lowerbound.seeding import seeded

#: Acceptance that the pilot run steers each chain's step length to.
#: Source: Beskos et al. (2013), theorem 3.6 (0.651 in the limit of many dimensions).
ACCEPTANCE = 0.65
#: Draws of the upper groups over which the spread of q of a lower group is averaged.
SPREAD_DRAWS = 8
#: Length of a step at the start of the pilot run, in standard deviations of q(z|x).
FIRST_STEP = 0.3


@dataclass(frozen=True)
class Annealing:
    """Settings of the way from q(z|x) to p(x, z).

    Args:
        temperatures: Steps of the way, at least 1; more make both bounds tighter.
        chains: Independent ways for each example, at least 2.
        leapfrog: Steps of each Hamiltonian trajectory, at least 1.

    Raises:
        SettingError: A number is out of range.
    """

    temperatures: int = 100
    chains: int = 16
    leapfrog: int = 5

    def __post_init__(self) -> None:
        for name, least in (("temperatures", 1), ("chains", 2), ("leapfrog", 1)):
            whole(name, getattr(self, name), least)

    def weights(self) -> Tensor:
        """Return 0 = b_0 < ... < b_T = 1 along a sigmoid, `(T + 1,)`: small steps at both ends.

        Source: Wu et al. (2017), section 4.2 (the schedule of Grosse et al. 2015),
            arXiv 1611.04273.
        """
        steps = torch.linspace(-1.0, 1.0, self.temperatures + 1, dtype=torch.float64)
        bend = torch.sigmoid(4 * steps)
        return (bend - bend[0]) / (bend[-1] - bend[0])


@dataclass(frozen=True)
class Annealed:
    """Weights of the ways, all tensors on the CPU in float64.

    Attributes:
        log_weight: `(C, N)`, nats. Forward: exp of it estimates p(x) without bias. Reverse: exp
            of minus it estimates 1 / p(x) without bias.
        reverse: Whether the ways went from p(z|x) to q(z|x).
        acceptance: Mean acceptance of the transitions, `(N,)`.
    """

    log_weight: Tensor
    reverse: bool
    acceptance: Tensor

    @property
    def bound(self) -> Tensor:
        """On log p(x), `(N,)`, nats: from below in expectation, from above if `reverse`."""
        sign = -1.0 if self.reverse else 1.0
        return sign * ((sign * self.log_weight).logsumexp(dim=0) - math.log(len(self.log_weight)))

    @property
    def draw_variance(self) -> Tensor:
        """Variance of `bound` over ways, `(N,)`, square nats."""
        return log_mean_variance(-self.log_weight if self.reverse else self.log_weight)


def annealed(
    model: Model,
    examples: Examples,
    annealing: Annealing | None = None,
    *,
    truth: Tensor | None = None,
    seed: int | None = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Annealed:
    """Bound log p(x) by annealed importance sampling with Hamiltonian transitions.

    Every way passes through densities q(z|x)^(1-b) p(x, z)^b with b from 0 to 1, and its weight
    is the product of the ratios of successive densities. A pilot run with chains of its own finds
    the length of the steps, which then stand still, so that the weights are exactly unbiased.

    Args:
        model: With continuous latents; all groups move together, as one vector `(C, B, D)`.
        examples: `N` examples.
        annealing: The settings; the defaults if None.
        truth: Exact draws from p(z|x), all groups in a row, `(N, D)`: the ways go backwards from
            them and the bound is one from above. They are known where x was simulated from the
            model.
        seed: Of the draws; None for a fresh one.
        progress: Called with (examples done, examples in all).

    Returns:
        Weights for each example.

    Raises:
        SettingError: A group of latents is discrete, or its q knows no spread.
        DataError: There are no examples, or weights are not finite.
        ShapeError: `truth` has another shape.

    Source: Neal (2001), equations 7 to 10; for decoders: Wu et al. (2017), arXiv 1611.04273;
        backwards: Grosse, Ghahramani & Adams (2015), arXiv 1511.02543.
    Differs: from Wu et al. by starting at q(z|x) instead of the prior, which is nearer, and by
        steps that a pilot run fixes instead of adapting them on the way.
    """
    annealing = annealing or Annealing()
    for name, space in model.latents.items():
        if space.discrete:
            raise SettingError(
                f"annealing (ais) follows gradients with respect to z, and group '{name}' of the "
                "latents is discrete; evaluate without it"
            )
        if space.on:
            raise SettingError(
                f"annealing (ais) moves z anywhere, and group '{name}' holds {space.on}; evaluate "
                "without it"
            )
    if len(examples) == 0:
        raise DataError("there are no examples to evaluate")
    parts = []
    with on(model) as device, seeded(seed, device, stream="annealing"), constant(model):
        rows, _ = chunk_sizes(model, examples, annealing.chains)
        for start in range(0, len(examples), rows):
            chosen = slice(start, start + rows)
            batch = examples.batch(chosen).to(device)
            exact = None if truth is None else truth[chosen]
            parts.append(_Way(model, batch, annealing).run(exact))
            if progress is not None:
                progress(min(start + rows, len(examples)), len(examples))
    log_weight = torch.cat([weight for weight, _ in parts], dim=1).cpu()
    acceptance = torch.cat([accepted for _, accepted in parts]).cpu()
    if not bool(torch.isfinite(log_weight).all()):
        bad = int((~torch.isfinite(log_weight)).any(dim=0).nonzero()[0])
        raise DataError(f"example {bad} has no finite weight: look for extreme values")
    return Annealed(log_weight, truth is not None, acceptance)


class _Way:
    """The way from q(z|x) to p(x, z) for the examples of one batch."""

    def __init__(self, model: Model, batch: Batch, annealing: Annealing) -> None:
        self.model, self.batch, self.annealing = model, batch, annealing
        self.weights = annealing.weights().tolist()
        scales: dict[str, Tensor] = {}

        def measure(name: str, p: Distribution, q: Distribution) -> None:
            scale = spread(q).expand(*q.batch_shape, *q.event_shape)
            if bool(scale.isnan().all()):
                raise SettingError(
                    f"annealing measures its steps in the spread of q, and {type(q).__name__}, "
                    f"the q of group '{name}', knows none; evaluate without ais"
                )
            if len(q.batch_shape) > 1:  # below other groups: about as wide as over some draws
                scale = scale.square().mean(dim=0).sqrt()
            scales[name] = scale

        self.draw(1 if len(model.latents) == 1 else SPREAD_DRAWS, measure)
        self.scale = flatten(scales, model.latents)

    @torch.no_grad()
    def draw(
        self, count: int, look: Callable[[str, Distribution, Distribution], None] | None = None
    ) -> Tensor:
        """Draw z ~ q(z|x), all groups in a row, `(count, B, D)`; `look` at p and q of each."""
        drawn: dict[str, Tensor] = {}

        def choose(name: str, p: Distribution, q: Distribution | None) -> Tensor:
            if q is None:
                raise SettingError(f"group '{name}' has no q that annealing could begin at")
            if look is not None:
                look(name, p, q)
            drawn[name] = q.sample(torch.Size([count] if len(q.batch_shape) < 2 else []))
            return drawn[name]

        self.model.infer(choose, self.batch)
        return flatten(drawn, self.model.latents)

    def run(self, truth: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return log-weights `(C, B)` and mean acceptances `(B,)`, backward if from `truth`."""
        steps = self.pilot()
        chains = self.annealing.chains
        if truth is None:
            z, order = self.draw(chains), range(len(steps))
        else:
            z = truth.to(self.scale).expand(chains, *truth.shape)
            order = range(len(steps) - 1, -1, -1)
        log_weight = z.new_zeros(z.shape[:2], dtype=torch.float64)
        acceptance = log_weight.new_zeros(z.shape[1])
        for index in order:
            with torch.no_grad():
                log_ratio = self.at(z).log_weight  # log p(x, z) - log q(z|x)
            log_weight += (self.weights[index + 1] - self.weights[index]) * log_ratio
            between = index if truth is None else index - 1
            if 0 <= between < len(steps) - 1:  # nothing is asked of z after the last weight
                moved = self.move(self.weights[between + 1], z, steps[between])
                z = moved.z
                acceptance += moved.acceptance.mean(dim=0).double()
        return log_weight, acceptance / max(1, len(steps) - 1)

    def pilot(self) -> list[Tensor]:
        """Return step lengths `(B,)` at each weight, found by chains that are then forgotten."""
        z = self.draw(2)
        log_step = torch.full_like(self.scale[:, 0], math.log(FIRST_STEP))
        steps = []
        for weight in self.weights[1:]:
            moved = self.move(weight, z, log_step.exp())
            z = moved.z
            surprise = moved.acceptance.mean(dim=0) - ACCEPTANCE
            log_step = (log_step + 0.1 * surprise.to(log_step.dtype)).clamp(-10.0, 1.0)
            steps.append(log_step.exp())
        return steps

    def move(self, weight: float, z: Tensor, step: Tensor) -> Moved:
        return hamiltonian(self.density(weight), z, self.scale, step, self.annealing.leapfrog)

    def density(self, weight: float) -> Callable[[Tensor], Tensor]:
        """Return (1 - b) log q(z|x) + b log p(x, z)."""

        def of(z: Tensor) -> Tensor:
            trace = self.at(z)
            return (1 - weight) * trace.log_qz + weight * (trace.log_px + trace.log_pz)

        return of

    def at(self, z: Tensor) -> Trace:
        return self.model.trace_at(self.batch, unflatten(z, self.model.latents))
