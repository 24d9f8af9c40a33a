"""The plain numbers that every diagnosis is made from, gathered once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lowerbound.training import Epoch


@dataclass(frozen=True)
class Record:
    """Record of a run in its files.

    Attributes:
        stopped: Why training ended, as in `Fit.stopped`; None while it goes on, or was cut off.
        epochs: Epochs that were asked for.
        history: One record an epoch, in order.
        usual_latents: Whether there are as many latent units as are chosen where none are given.
        beta: Weight of the rate in the objective; 1 for every recipe without one.
        free_bits: Floor of each unit's rate, nats.
        annealed: Whether training maximised something else than the held-out bound: a warm-up of
            the rate, or free bits.
        scale: Of a Gaussian likelihood: "fixed", "shared" or "per-dimension"; "" for others.
    """

    stopped: str | None
    epochs: int
    history: tuple[Epoch, ...] = ()
    usual_latents: bool = False
    beta: float = 1.0
    free_bits: float = 0.0
    annealed: bool = False
    scale: str = ""

    @property
    def best(self) -> Epoch | None:
        """The epoch with the highest held-out bound."""
        return max(self.history, key=lambda epoch: epoch.held_out.bound, default=None)

    @property
    def kept(self) -> Epoch | None:
        """The epoch whose weights were kept: the best one, or with keep=last the last one."""
        return next((epoch for epoch in reversed(self.history) if epoch.best), self.best)

    @property
    def held_out(self) -> list[float]:
        """Bound by which the weights were judged after each epoch, nats per example."""
        return [epoch.held_out.bound for epoch in self.history]

    @property
    def learned(self) -> list[float]:
        """The same quantity on the training examples, without warm-up or floor."""
        if not self.annealed:
            return [epoch.train.bound for epoch in self.history]
        return [-(e.train.distortion + self.beta * e.train.rate) for e in self.history]


@dataclass(frozen=True)
class Belief:
    """Belief of a model on some training and some validation examples; nats per example.

    Attributes:
        rate: Mean rate of the validation examples.
        variances: Of each unit's posterior mean over the validation examples.
        elbo: Mean ELBO of the validation examples.
        train_elbo: Mean ELBO of the training examples.
        over_baseline: Mean of ELBO minus log-likelihood under independent cells, validation.
        over_baseline_error: Its standard error.
        train_over_baseline: The same for the training examples.
        train_over_baseline_error: Its standard error.
        spread: Of each unit, the mean square of z under the aggregated posterior of the training
            examples about the prior's mean, in units of the prior's variance; 1 if they agree.
        heavy: Share of the validation examples whose importance weights have a heavy tail.
        effective_samples: Median over examples of the effective sample size.
        samples: Draws for each example.
        last_doubling: What the last doubling of draws raised the bound on log p(x) by.
        gap: Mean of the bound on log p(x) minus ELBO.
        error: Standard error of the mean bound on log p(x), were all validation examples used.
        examples: Validation examples looked at.
        groups: Units of each group of latents, by name, in the order of the units.
    """

    rate: float
    variances: tuple[float, ...]
    elbo: float
    train_elbo: float
    over_baseline: float
    over_baseline_error: float
    train_over_baseline: float
    train_over_baseline_error: float
    spread: tuple[float, ...]
    heavy: float
    effective_samples: float
    samples: int
    last_doubling: float
    gap: float
    error: float
    examples: int
    groups: Mapping[str, int] = field(default_factory=dict)

    def by_group(self) -> Iterator[tuple[str, slice]]:
        """Yield the place of the units of each group; all, without a name, where there is one."""
        if len(self.groups) < 2:
            yield "", slice(len(self.variances))
            return
        first = 0
        for name, units in self.groups.items():
            yield name, slice(first, first + units)
            first += units


@dataclass(frozen=True)
class Structure:
    """Dependence of the cells of the training examples on each other.

    Attributes:
        correlation: Root mean square correlation between two different cells.
        chance: What independent cells of so many examples would show.
        score: Schott's statistic, standard normal if the cells are independent.
        strongest: The largest squared correlation: what a linear latent explains of some cell.
    """

    correlation: float
    chance: float
    score: float
    strongest: float


@dataclass(frozen=True)
class Cell:
    """One cell of real-valued data under a Gaussian likelihood.

    Attributes:
        name: Of the column, or its place.
        scale: The model's standard deviation, in units of the data.
        unit: The standard deviation in the training split, or 1 where that is 0.
        residual: Root mean square of x - m(z) over training examples, in units of the data.
        step: The smallest difference between two different values; 0 for a constant cell.
        distinct: How many different values the training split has.
        rows: Of how many training examples these are.
        twin: The name of an earlier column that it copies up to shift and sign and unit, or None.
    """

    name: str
    scale: float
    unit: float
    residual: float
    step: float
    distinct: int
    rows: int
    twin: str | None = None


@dataclass(frozen=True)
class Grid:
    """Real-valued data that seem to have been counted.

    Attributes:
        step: Between neighbouring values, the same in every cell.
        levels: Values from the smallest to the largest.
        dimensions: Cells of an example.
    """

    step: float
    levels: int
    dimensions: int


@dataclass(frozen=True)
class Neighbours:
    """Distances of held-out examples to training examples.

    Attributes:
        held_out: Held-out examples looked at.
        pool: Training examples they were compared with.
        copies: Held-out examples that have a near copy among these.
        chance: How many would by chance: were the data as even as they look a little farther off,
            or their columns unrelated, whichever is more.
        nearest: Median distance of these copies to their original, in standard deviations.
        usual: Median distance of a held-out example to its nearest training example.
    """

    held_out: int
    pool: int
    copies: int
    chance: float
    nearest: float
    usual: float


@dataclass(frozen=True)
class Symptoms:
    """Everything that was seen; None where it was not looked at, or does not apply.

    Attributes:
        record: What the files say.
        train: Training examples there are; 0 if the record does not say.
        belief: What the model believes.
        structure: Whether there is something for latents to explain.
        cells: Of real-valued data; empty for other data.
        grid: Where real-valued data look discrete as a whole.
        neighbours: For leaks between the splits.
    """

    record: Record
    train: int = 0
    belief: Belief | None = None
    structure: Structure | None = None
    cells: tuple[Cell, ...] = ()
    grid: Grid | None = None
    neighbours: Neighbours | None = None
