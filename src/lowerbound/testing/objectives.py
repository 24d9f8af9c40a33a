"""What an objective must keep, seen on a model whose every expectation is a finite sum."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from lowerbound.data import Batch
from lowerbound.objectives import ELBO, Objective
from lowerbound.objectives.objective import Wrapper
from lowerbound.seeding import seeded
from lowerbound.testing.assertions import check_close
from lowerbound.testing.enumerable import BernoulliMixture
from lowerbound.testing.laws import check_finite, check_shape
from lowerbound.trace import Bound, Trace


def check_objective(objective: Objective, *, bound: bool = True, tight: bool = True) -> None:
    """Run the conformance ladder on an objective.

    Values are `(B,)`, float64 and finite; the order of rows and of draws means nothing; a nat of
    log p(x|z) is a nat of the value; rate and distortion are those of the model, neither weighted
    nor floored; the expectation is at most log p(x), and equal to it under the exact posterior;
    gradients reach every part of the model; when training is done nothing is annealed.

    Args:
        objective: What is checked.
        bound: It claims to be at most log p(x) in expectation.
        tight: It claims to equal log p(x) where the posterior is exact.

    Raises:
        AssertionError: It breaks a rule; the message says which.

    Example:
        >>> from lowerbound.objectives import IWAE
        >>> check_objective(IWAE(samples=2))
    """
    with seeded(0):
        batch = Batch(torch.bernoulli(torch.full((5, 4), 0.5, dtype=torch.float64)))
        model = BernoulliMixture(seed=1)
        trace = model.trace(batch, objective.samples)
        _check_shapes(objective, trace)
        _check_order(objective, trace)
        _check_units(objective, trace)
        _check_expectation(objective, model, batch, bound)
        if tight:
            _check_tight(objective, batch)
        _check_gradients(objective, model, batch)
        now, finished = objective.reduce(trace), objective.at(1.0).reduce(trace)
        check_close(finished.value, now.value, "the value when all of the training is done")
        check_shape(objective.criterion.reduce(trace).value, (5,), "the criterion's value")


def check_importance_weighted(build: Callable[[int], Objective]) -> None:
    """Assert that an objective is the importance-weighted bound of so many draws.

    Its exponential estimates p(x) without bias for every number of draws, it is the drawn ELBO at
    one, and it grows with their number: exactly, by sums over all draws of a discrete model.

    Args:
        build: From the number of draws to the objective.

    Raises:
        AssertionError: One of these is not so.

    Source: Burda, Grosse & Salakhutdinov (2016), theorem 1, arXiv 1509.00519.

    Example:
        >>> from lowerbound.objectives import IWAE
        >>> check_importance_weighted(IWAE)
    """
    model = BernoulliMixture(seed=1)
    batch = Batch(torch.eye(4, dtype=torch.float64))
    with torch.no_grad():
        evidence = model.log_evidence(batch.x)
        for samples in (1, 2, 3):
            estimate = model.expected(_Exponential(build(samples)), batch).value
            check_close(estimate, evidence.exp(), f"E[exp(value)] of {samples} draws, p(x),")
        values = [model.expected(build(samples), batch).value for samples in (1, 2, 3, 4)]
        check_close(values[0], model.expected(ELBO(), batch).value, "the value of one draw")
    for fewer, more in pairwise(values):
        if not bool((fewer < more).all()):
            raise AssertionError("the expected value does not grow with the number of draws")


@dataclass(frozen=True)
class _Exponential(Wrapper):
    """An estimate of p(x) itself, whose expectation says more than that of its logarithm."""

    objective: Objective

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        bound = self.objective.reduce(trace, beta)
        return replace(bound, value=bound.value.exp())


def _check_shapes(objective: Objective, trace: Trace) -> None:
    result = objective.reduce(trace)
    rows = trace.log_px.shape[1]
    for name in ("value", "distortion", "rate"):
        part: Tensor = getattr(result, name)
        check_shape(part, (rows,), f"the {name}")
        check_finite(part, f"the {name}")


def _check_order(objective: Objective, trace: Trace) -> None:
    value = objective.reduce(trace).value
    rows = torch.arange(trace.log_px.shape[1]).roll(2)
    check_close(objective.reduce(_rows(trace, rows)).value, value[rows], "the value of moved rows")
    flipped = replace(
        trace,
        log_px=trace.log_px.flip(0),
        log_pz=trace.log_pz.flip(0),
        log_qz=trace.log_qz.flip(0),
        z=trace.z.flip(0),
    )
    check_close(objective.reduce(flipped).value, value, "the value with draws in another order")
    everything = torch.arange(trace.log_px.shape[1])
    if not torch.equal(objective.reduce(_rows(trace, everything)).value, value):
        raise AssertionError("the same trace gives two values: an objective holds no state")


def _rows(trace: Trace, rows: Tensor) -> Trace:
    return replace(
        trace,
        log_px=trace.log_px[:, rows],
        log_pz=trace.log_pz[:, rows],
        log_qz=trace.log_qz[:, rows],
        z=trace.z[:, rows],
        kl={name: kl[:, rows] for name, kl in trace.kl.items()},
        penalties={name: penalty[rows] for name, penalty in trace.penalties.items()},
    )


def _check_units(objective: Objective, trace: Trace) -> None:
    before, shift = objective.reduce(trace), 7.0
    after = objective.reduce(replace(trace, log_px=trace.log_px + shift))
    check_close(after.value, before.value + shift, "the value after 7 nats more of log p(x|z)")
    check_close(after.distortion, before.distortion - shift, "the distortion after 7 nats less")
    check_close(after.rate, before.rate, "the rate, which log p(x|z) is no part of,")
    penalty = torch.arange(5.0, dtype=torch.float64)
    charged = objective.reduce(replace(trace, penalties={"planted": penalty}))
    check_close(charged.value, before.value - penalty, "the value under a penalty")
    free = objective.reduce(trace, beta=0.0)
    spread = trace.log_px.logsumexp(dim=0) - math.log(len(trace.log_px))
    low, high = -free.distortion - 1e-9, spread + 1e-9
    if not bool(((free.value >= low) & (free.value <= high)).all()):
        raise AssertionError(
            "at beta = 0 the rate must cost nothing: the value lies between the mean of log p(x|z) "
            "and the log-mean of p(x|z)"
        )


def _check_expectation(
    objective: Objective, model: BernoulliMixture, batch: Batch, bound: bool
) -> None:
    with torch.no_grad():
        expected = model.expected(objective, batch)
        log_px, log_pz, log_q = model.joint(batch)
        rate = (log_q.exp() * (log_q - log_pz)).sum(dim=0)
        distortion = -(log_q.exp() * log_px).sum(dim=0)
        check_close(expected.rate, rate, "the expected rate, KL(q(z|x) || p(z)),")
        check_close(expected.distortion, distortion, "the expected distortion, -E[log p(x|z)],")
        evidence = model.log_evidence(batch.x)
        if bound and not bool((expected.value <= evidence + 1e-9).all()):
            over = float((expected.value - evidence).max())
            raise AssertionError(f"the expected value exceeds log p(x) by {over:.4g} nats")


def _check_tight(objective: Objective, batch: Batch) -> None:
    with torch.no_grad():
        exact = BernoulliMixture(exact=True, seed=1)
        value = exact.expected(objective, batch).value
        check_close(value, exact.log_evidence(batch.x), "the value at the exact posterior")


def _check_gradients(objective: Objective, model: BernoulliMixture, batch: Batch) -> None:
    value = model.expected(objective, batch).value.sum()
    parameters = dict(model.named_parameters())
    gradients = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
    for name, gradient in zip(parameters, gradients, strict=True):
        if gradient is None or not bool((gradient != 0).any()):
            raise AssertionError(f"no gradient of the value reaches '{name}'")
        check_finite(gradient, f"the gradient for '{name}'")
