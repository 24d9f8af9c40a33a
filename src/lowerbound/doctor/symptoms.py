"""The plain numbers that every diagnosis is made from, gathered once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lowerbound.training import Epoch


@dataclass(frozen=True)
class Record:
    """Record of a run in its files."""

    # why training ended, as in `Fit.stopped`; None while it goes on, or was cut off
    stopped: str | None
    epochs: int  # epochs that were asked for
    history: tuple[Epoch, ...] = ()  # one record an epoch, in order
    # whether there are as many latent units as are chosen where none are given
    usual_latents: bool = False
    beta: float = 1.0  # weight of the rate in the objective; 1 for every recipe without one
    free_bits: float = 0.0  # floor of each unit's rate, nats
    # whether training maximised something else than the held-out bound: a warm-up of the
    # rate, stages, or free bits
    annealed: bool = False
    scale: str = ""  # of a Gaussian likelihood: "fixed", "shared" or "per-dimension"; "" for others

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
        """That bound on the training examples, without warm-up or floor."""
        if not self.annealed:
            return [epoch.train.bound for epoch in self.history]
        return [-(e.train.distortion + self.beta * e.train.rate) for e in self.history]


@dataclass(frozen=True)
class Belief:
    """Belief of a model on some training and some validation examples; nats per example."""

    rate: float  # mean rate of the validation examples
    variances: tuple[float, ...]  # of each unit's posterior mean over the validation examples
    elbo: float  # mean ELBO of the validation examples
    train_elbo: float  # mean ELBO of the training examples
    over_baseline: float  # mean of ELBO minus log-likelihood under independent cells, validation
    over_baseline_error: float  # its standard error
    train_over_baseline: float  # the same for the training examples
    train_over_baseline_error: float  # its standard error
    # of each unit, the mean square of z under the aggregated posterior of the training
    # examples about the prior's mean, in units of the prior's variance; 1 if they agree
    spread: tuple[float, ...]
    heavy: float  # share of the validation examples whose importance weights have a heavy tail
    effective_samples: float  # median over examples of the effective sample size
    samples: int  # draws for each example
    last_doubling: float  # what the last doubling of draws raised the bound on log p(x) by
    gap: float  # mean of the bound on log p(x) minus ELBO
    error: float  # standard error of the mean bound on log p(x), were all validation examples used
    examples: int  # validation examples looked at
    # units of each group of latents, by name, in the order of the units
    groups: Mapping[str, int] = field(default_factory=dict)
    # of sequences, what the z of another example costs, and what an example's own saves against
    # z = 0; None for other data
    swap: float | None = None
    saved: float | None = None

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
    """Dependence of the cells of the training examples on each other."""

    correlation: float  # root mean square correlation between two different cells
    chance: float  # what independent cells of so many examples would show
    score: float  # Schott's statistic, standard normal if the cells are independent
    strongest: float  # the largest squared correlation: what a linear latent explains of some cell


@dataclass(frozen=True)
class Cell:
    """One cell of real-valued data under a Gaussian likelihood."""

    name: str  # of the column, or its place
    scale: float  # the model's standard deviation, in units of the data
    unit: float  # the standard deviation in the training split, or 1 where that is 0
    residual: float  # root mean square of x - m(z) over training examples, in units of the data
    step: float  # the smallest difference between two different values; 0 for a constant cell
    distinct: int  # how many different values the training split has
    rows: int  # of how many training examples these are
    # the name of an earlier column that it copies up to shift and sign and unit, or None
    twin: str | None = None


@dataclass(frozen=True)
class Grid:
    """Real-valued data that seem to have been counted."""

    step: float  # between neighbouring values, the same in every cell
    levels: int  # values from the smallest to the largest
    dimensions: int  # cells of an example


@dataclass(frozen=True)
class Neighbours:
    """Distances of held-out examples to training examples."""

    held_out: int  # held-out examples looked at
    pool: int  # training examples they were compared with
    copies: int  # held-out examples that have a near copy among these
    # how many would by chance: were the data as even as they look a little farther off, or
    # their columns unrelated, whichever is more
    chance: float
    nearest: float  # median distance of these copies to their original, in standard deviations
    usual: float  # median distance of a held-out example to its nearest training example


@dataclass(frozen=True)
class Symptoms:
    """Everything that was seen; None where it was not looked at, or does not apply."""

    record: Record  # what the files say
    train: int = 0  # training examples there are; 0 if the record does not say
    belief: Belief | None = None  # what the model believes
    structure: Structure | None = None  # whether there is something for latents to explain
    cells: tuple[Cell, ...] = ()  # of real-valued data; empty for other data
    grid: Grid | None = None  # where real-valued data look discrete as a whole
    neighbours: Neighbours | None = None  # for leaks between the splits
