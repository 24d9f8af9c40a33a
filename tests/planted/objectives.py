"""Errors in objectives: what is averaged, what is weighted, what is told as rate and distortion."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lowerbound.core.trace import Bound, Trace
from lowerbound.objectives import ELBO, IWAE, BetaELBO, Objective
from lowerbound.objectives.elbo import penalty_of, rate_of
from lowerbound.objectives.objective import Wrapper
from lowerbound.testing.objectives import check_importance_weighted, check_objective
from planted.subject import Subject

OBJECTIVES = Subject(
    "objectives",
    {
        "objective": check_objective,
        "loose objective": lambda objective: check_objective(objective, tight=False),
        "importance weighted": check_importance_weighted,
    },
)

#: From the right bound, the trace and beta to another bound.
Reduce = Callable[[Bound, Trace, float], Bound]


@dataclass(frozen=True)
class _Changed(Wrapper):
    objective: Objective
    change: Reduce

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        return self.change(self.objective.reduce(trace, beta), trace, beta)


_ELBO, _BETA, _DRAWN, _IWAE = ELBO(2), BetaELBO(2.5, 2), ELBO(2, analytic=False), IWAE(3)


def _enter(right: Any, words: str, check: str, says: str, change: Reduce) -> None:
    wrong: Any = _Changed(right, change)
    if isinstance(right, type):
        wrong = lambda samples: _Changed(right(samples), change)  # noqa: E731
    OBJECTIVES.enter(words, check, says, wrong, right)


def _weights(trace: Trace, beta: float = 1.0) -> Tensor:
    return trace.log_px + beta * (trace.log_pz - trace.log_qz)


def _value(function: Callable[[Trace, float], Tensor]) -> Reduce:
    return lambda bound, trace, beta: replace(
        bound, value=function(trace, beta) - penalty_of(trace)
    )


# --- the value of an ELBO

for _right, _check, _words, _says, _function in (
    (_ELBO, "objective", "the rate is left out", "exceeds log p|beta|it should be",
     lambda t, b: t.log_px.mean(0)),
    (_ELBO, "objective", "the rate has the wrong sign", "exceeds log p|it should be",
     lambda t, b: t.log_px.mean(0) + b * rate_of(t)),
    (_ELBO, "objective", "draws are summed, not averaged", "nats more",
     lambda t, b: t.log_px.sum(0) - b * rate_of(t)),
    (_ELBO, "objective", "only the first draw counts", "another order",
     lambda t, b: t.log_px[0] - b * rate_of(t)),
    (_ELBO, "objective", "the bound is averaged over its batch", "moved rows|beta = 0",
     lambda t, b: (t.log_px.mean(0) - b * rate_of(t)).mean().expand(t.log_px.shape[1])),
    (_ELBO, "objective", "the rate is averaged over its batch", "expected|moved|exact|exceeds",
     lambda t, b: t.log_px.mean(0) - b * rate_of(t).mean()),
    (_ELBO, "objective", "the value is float32", "float64",
     lambda t, b: (t.log_px.mean(0) - b * rate_of(t)).float()),
    (_ELBO, "objective", "the value is in bits", "nats more",
     lambda t, b: (t.log_px.mean(0) - b * rate_of(t)) / math.log(2)),
    (_ELBO, "objective", "averaged instead of summed: the value is for each cell of x",
     "nats more", lambda t, b: t.log_px.mean(0) / 4 - b * rate_of(t)),
    (_ELBO, "objective", "the value is a loss, not a bound", "nats more",
     lambda t, b: b * rate_of(t) - t.log_px.mean(0)),
    (_ELBO, "objective", "a rate below zero is clamped, and one above capped",
     "exceeds log p|it should be", lambda t, b: t.log_px.mean(0) - b * rate_of(t).clamp(0, 0.01)),
    (_ELBO, "objective", "the value is not a number where it is small", "nats",
     lambda t, b: (t.log_px.mean(0) - b * rate_of(t)).exp().log()),
    (_BETA, "loose objective", "beta weighs the distortion", "nats more",
     lambda t, b: 2.5 * t.log_px.mean(0) - b * rate_of(t)),
    (_BETA, "loose objective", "beta divides the rate", "exceeds",
     lambda t, b: t.log_px.mean(0) - b * rate_of(t) / 50),
    (_BETA, "loose objective", "beta weighs the prior alone", "exceeds|beta = 0",
     lambda t, b: (t.log_px - t.log_qz + 0.05 * t.log_pz).mean(0)),
):  # fmt: skip
    _enter(_right, _words, _check, _says, _value(_function))

# --- importance weights

_K = "importance weighted"
for _right, _check, _words, _says, _function in (
    (IWAE, _K, "missing log K", "it should be", lambda t, b: _weights(t, b).logsumexp(0)),
    (_IWAE, "objective", "missing log K, seen by the ladder", "exceeds|beta|it should be",
     lambda t, b: _weights(t, b).logsumexp(0)),
    (IWAE, _K, "log K is that of the batch", "it should be",
     lambda t, b: _weights(t, b).logsumexp(0) - math.log(t.log_px.shape[1])),
    (IWAE, _K, "the mean is over log-weights", "it should be|grow",
     lambda t, b: _weights(t, b).mean(0)),
    (IWAE, _K, "the weights are inverted", "it should be|grow",
     lambda t, b: math.log(len(t.log_px)) - (-_weights(t, b)).logsumexp(0)),
    (IWAE, _K, "swapped terms: p(z) and q(z|x) are exchanged in the weights", "it should be",
     lambda t, b: (t.log_px + t.log_qz - t.log_pz).logsumexp(0) - math.log(len(t.log_px))),
    (IWAE, _K, "the smallest weight is taken", "it should be|grow",
     lambda t, b: _weights(t, b).amin(0)),
    (IWAE, _K, "the largest weight is taken", "it should be",
     lambda t, b: _weights(t, b).amax(0)),
    (IWAE, _K, "the prior is left out of the weights", "it should be",
     lambda t, b: (t.log_px - b * t.log_qz).logsumexp(0) - math.log(len(t.log_px))),
    (IWAE, _K, "q(z|x) is left out of the weights", "it should be",
     lambda t, b: (t.log_px + b * t.log_pz).logsumexp(0) - math.log(len(t.log_px))),
    (IWAE, _K, "weights are summed over the batch before the logarithm", "it should be",
     lambda t, b: (_weights(t, b).logsumexp((0, 1)) - math.log(t.log_px.numel())).expand(
         t.log_px.shape[1])),
    (IWAE, _K, "log-weights are summed over the batch before the logarithm", "it should be",
     lambda t, b: (_weights(t, b).sum(1).logsumexp(0) - math.log(len(t.log_px))).expand(
         t.log_px.shape[1])),
    (_IWAE, "objective", "weights leave the logarithm, and underflow", "nats",
     lambda t, b: _weights(t, b).exp().mean(0).log()),
    (_IWAE, "objective", "weights leave the logarithm in float32", "nats|should be",
     lambda t, b: _weights(t, b).float().exp().mean(0).log().double()),
    (_IWAE, "objective", "the largest weight is taken off and not put back", "nats more",
     lambda t, b: (_weights(t, b) - _weights(t, b).amax(0)).logsumexp(0)),
):  # fmt: skip
    _enter(_right, _words, _check, _says, _value(_function))


# --- what is told, and what is learned from


def _bound(right: Any, check: str, says: str) -> Any:
    return OBJECTIVES.plant(check, says, right, make=lambda change: _Changed(right, change))


@_bound(_ELBO, "objective", "penalty")
def _no_penalty(bound, trace, beta):
    """Penalties are ignored."""
    return replace(bound, value=-(bound.distortion + beta * bound.rate))


@_bound(_ELBO, "objective", "penalty")
def _mean_penalty(bound, trace, beta):
    """Penalties are averaged over the batch."""
    penalty = penalty_of(trace)
    mean = penalty.mean() if isinstance(penalty, Tensor) else penalty
    return replace(bound, value=bound.value + penalty - mean)


@_bound(_BETA, "loose objective", "rate")
def _weighted_rate(bound, trace, beta):
    """The rate told is the weighted one."""
    return replace(bound, rate=2.5 * bound.rate)


@_bound(_ELBO, "objective", "distortion|mean of log p")
def _best_distortion(bound, trace, beta):
    """The distortion told is that of the best draw."""
    return replace(bound, distortion=(-trace.log_px).amin(dim=0))


@_bound(_ELBO, "objective", "distortion")
def _negative_distortion(bound, trace, beta):
    """The distortion told has the wrong sign."""
    return replace(bound, distortion=-bound.distortion)


@_bound(_DRAWN, "objective", "expected rate|should be")
def _clamped_rate(bound, trace, beta):
    """A drawn rate is clamped to zero from below."""
    rate = (trace.log_qz - trace.log_pz).clamp(min=0).mean(dim=0)
    return replace(bound, value=-bound.distortion - beta * rate - penalty_of(trace), rate=rate)


@_bound(_DRAWN, "objective", "exceeds|exact")
def _squared_rate(bound, trace, beta):
    """Swapped terms: the rate is estimated by half the squared log-ratio, unweighted."""
    rate = ((trace.log_qz - trace.log_pz).square() / 2).mean(dim=0)
    return replace(bound, value=-bound.distortion - beta * rate - penalty_of(trace))


@_bound(_ELBO, "objective", "groups")
def _one_group(bound, trace, beta):
    """The rate is that of one group of latents only."""
    first = next(iter(trace.kl.values())).sum(dim=-1).mean(dim=0)
    return Bound(-bound.distortion - beta * first - penalty_of(trace), bound.distortion, first)


@_bound(_ELBO, "objective", "groups")
def _mean_of_units(bound, trace, beta):
    """Averaged instead of summed: the rate is the mean over the units."""
    rate = torch.stack([kl.mean(dim=-1).mean(dim=0) for kl in trace.kl.values()]).sum(dim=0)
    return Bound(-bound.distortion - beta * rate - penalty_of(trace), bound.distortion, rate)


@_bound(_ELBO, "objective", "groups")
def _first_draw_of_rate(bound, trace, beta):
    """A rate that varies with the draws of other groups is that of the first draw."""
    rate = torch.stack([kl.sum(dim=-1)[0] for kl in trace.kl.values()]).sum(dim=0)
    return Bound(-bound.distortion - beta * rate - penalty_of(trace), bound.distortion, rate)


@_bound(_ELBO, "objective", "no gradient|gradient")
def _detached_value(bound, trace, beta):
    """The value is cut off from the model."""
    return replace(bound, value=bound.value.detach() + 0 * bound.value)


@_bound(_ELBO, "objective", "gradient")
def _detached_rate(bound, trace, beta):
    """Detached entropy: the rate is cut off from the model."""
    return replace(bound, value=-bound.distortion - beta * bound.rate.detach() - penalty_of(trace))
