"""Errors in what is put around an objective: free bits and annealing."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from lowerbound.core.trace import Bound, Trace
from lowerbound.objectives import ELBO, Annealed, FreeBits, Objective
from lowerbound.objectives.objective import Wrapper
from lowerbound.testing.objectives import check_annealed, check_free_bits, check_objective
from planted.subject import Subject

WRAPPERS = Subject(
    "wrappers",
    {
        "objective": check_objective,
        "loose objective": lambda objective: check_objective(objective, tight=False),
        "free bits": check_free_bits,
        "annealed": check_annealed,
    },
)


# --- free bits


@dataclass(frozen=True)
class _Floored(Wrapper):
    objective: Objective
    nats: float
    floor: Callable[[torch.Tensor, float], torch.Tensor]

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        bound = self.objective.reduce(trace, beta)
        excess = self.floor(trace.kl["z"].mean(dim=0), self.nats) - bound.rate
        return replace(bound, value=bound.value - beta * excess)


def _floor(says: str) -> Any:
    """Plant a function from the rate `(B, D)` of each unit to the floored one `(B,)`."""

    def make(floor: Callable) -> Callable[[float], Objective]:
        return lambda nats: _Floored(ELBO(2), nats, floor)

    return WRAPPERS.plant("free bits", says, lambda nats: FreeBits(ELBO(2), nats), make=make)


@_floor("floored")
def _whole(kl, nats):
    """Free bits are given to the batch as a whole, not to each unit."""
    total = kl.sum(dim=1)
    return total + total.mean().clamp(min=nats) - total.mean()


@_floor("floored")
def _each_example(kl, nats):
    """The floor is taken on each example, before the mean over the batch."""
    return kl.clamp(min=nats).sum(dim=1)


@_floor("floored")
def _in_bits(kl, nats):
    """Free bits are taken in bits."""
    mean = kl.mean(dim=0)
    return kl.sum(dim=1) + (mean.clamp(min=nats * 0.6931) - mean).sum()


@_floor("floored")
def _free_of_charge(kl, nats):
    """What is below the floor costs nothing at all."""
    mean = kl.mean(dim=0)
    return (kl * (mean > nats)).sum(dim=1)


@_floor("floored")
def _capped(kl, nats):
    """Swapped terms: the rate is capped, not floored."""
    mean = kl.mean(dim=0)
    return kl.sum(dim=1) + (mean.clamp(max=nats) - mean).sum()


@_floor("gradient of a unit below")
def _still_learning(kl, nats):
    """A unit below the floor is pushed to the prior all the same."""
    mean = kl.mean(dim=0)
    excess = (mean.clamp(min=nats) - mean).detach()
    return kl.sum(dim=1) + excess.sum()


def _told(bound: Bound, trace: Trace, beta: float) -> Bound:
    return replace(bound, rate=bound.rate.clamp(min=3.0))


def _cap(bound: Bound, trace: Trace, beta: float) -> Bound:
    return replace(bound, value=-bound.distortion - beta * bound.rate.clamp(max=0.1))


@dataclass(frozen=True)
class _Changed(Wrapper):
    objective: Objective
    change: Callable[[Bound, Trace, float], Bound]

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        return self.change(self.objective.reduce(trace, beta), trace, beta)


_FREE = FreeBits(ELBO(2), 0.1)
for _words, _says, _change in (
    ("free bits cap the rate", "exceeds|it should", _cap),
    ("free bits are told as the rate", "expected rate|the rate that", _told),
):
    WRAPPERS.enter(_words, "loose objective", _says, _Changed(_FREE, _change), _FREE)


# --- annealing


@dataclass(frozen=True)
class _Schedule(Wrapper):
    objective: Objective
    schedule: Callable[[float], float]
    weigh: Callable[[Objective, Trace, float], Bound]
    done: float = 1.0

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        return self.weigh(self.objective, trace, beta * self.schedule(self.done))

    def at(self, fraction: float) -> Objective:
        return replace(self, done=fraction)


def _anneal(says: str) -> Any:
    """Plant a function of an objective, a trace and the weight of its rate."""

    def make(weigh: Callable) -> Callable[[Callable], Objective]:
        return lambda schedule: _Schedule(ELBO(2), schedule, weigh)

    right = lambda schedule: Annealed(ELBO(2), schedule)  # noqa: E731
    return WRAPPERS.plant("annealed", says, right, make=make)


@_anneal("annealed")
def _twice(objective, trace, weight):
    """The schedule's weight is applied twice."""
    return objective.reduce(trace, weight * weight)


@_anneal("annealed")
def _on_distortion(objective, trace, weight):
    """Swapped terms: the schedule weighs the distortion, not the rate."""
    bound = objective.reduce(trace)
    return replace(bound, value=-weight * bound.distortion - bound.rate)


@_anneal("annealed")
def _backwards(objective, trace, weight):
    """The schedule runs backwards."""
    return objective.reduce(trace, 2.0 - weight)


@_anneal("annealed")
def _never(objective, trace, weight):
    """The schedule is never looked at."""
    return objective.reduce(trace)


@_anneal("annealed")
def _on_everything(objective, trace, weight):
    """The schedule weighs the whole bound."""
    bound = objective.reduce(trace)
    return replace(bound, value=weight * bound.value)


@_anneal("rate .*annealed|annealed.* rate")
def _told_weighted(objective, trace, weight):
    """The rate told is the annealed one."""
    bound = objective.reduce(trace, weight)
    return replace(bound, rate=weight * bound.rate)


WRAPPERS.enter(
    "annealing never ends",
    "objective",
    "training is done",
    wrong=Annealed(ELBO(2), lambda done: 0.9 * done),
    right=Annealed(ELBO(2), lambda done: done),
)
