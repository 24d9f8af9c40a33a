"""The checks of objectives are checked: each of these errors is planted, and must be seen."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from lowerbound.objectives import ELBO, IWAE, Annealed, BetaELBO, FreeBits
from lowerbound.objectives.elbo import penalty_of, rate_of
from lowerbound.objectives.objective import Wrapper
from lowerbound.testing import Planted, check_importance_weighted, check_objective

CHECKS: dict[str, Callable] = {
    "objective": check_objective,
    "loose objective": lambda objective: check_objective(objective, tight=False),
    "importance weighted": check_importance_weighted,
}

PLANTED: dict[str, Planted] = {}


def enter(words: str, check: str, says: str, wrong, right) -> None:
    PLANTED[f"{check}: {words}"] = Planted(words, CHECKS[check], says, wrong, right)


# --- objectives


def reducing(right: object, check: str, words: str, says: str) -> Callable:
    def decorate(reduce: Callable):
        @dataclass(frozen=True)
        class Wrong(Wrapper):
            objective: object

            def reduce(self, trace, beta=1.0):
                return reduce(self.objective.reduce(trace, beta), trace, beta)

        wrong = (lambda k: Wrong(right(k))) if isinstance(right, type) else Wrong(right)
        enter(words, check, says, wrong, right)
        return reduce

    return decorate


def value_of(function: Callable) -> Callable:
    return lambda bound, trace, beta: replace(
        bound, value=function(trace, beta) - penalty_of(trace)
    )


def log_weight(trace, beta=1.0):
    return trace.log_px + beta * (trace.log_pz - trace.log_qz)


VALUES = [
    (ELBO(2), "objective", "the rate is left out", "exceeds log p|beta|it should be",
     lambda t, b: t.log_px.mean(0)),
    (ELBO(2), "objective", "the rate has the wrong sign", "exceeds log p|it should be",
     lambda t, b: t.log_px.mean(0) + b * rate_of(t)),
    (ELBO(2), "objective", "draws are summed, not averaged", "nats more",
     lambda t, b: t.log_px.sum(0) - b * rate_of(t)),
    (ELBO(2), "objective", "the bound is averaged over its batch", "beta = 0",
     lambda t, b: (t.log_px.mean(0) - b * rate_of(t)).mean().expand(t.log_px.shape[1])),
    (ELBO(2), "objective", "the value is float32", "float64",
     lambda t, b: (t.log_px.mean(0) - b * rate_of(t)).float()),
    (BetaELBO(2.5, 2), "loose objective", "beta weighs the distortion", "nats more",
     lambda t, b: 2.5 * t.log_px.mean(0) - b * rate_of(t)),
    (BetaELBO(2.5, 2), "loose objective", "beta divides the rate", "exceeds",
     lambda t, b: t.log_px.mean(0) - b * rate_of(t) / 50),
    (IWAE, "importance weighted", "log K is missing", "it should be",
     lambda t, b: log_weight(t, b).logsumexp(0)),
    (IWAE(3), "objective", "log K is missing, seen by the ladder", "exceeds|beta|it should be",
     lambda t, b: log_weight(t, b).logsumexp(0)),
    (IWAE, "importance weighted", "the mean is over log-weights", "it should be|grow",
     lambda t, b: log_weight(t, b).mean(0)),
    (IWAE, "importance weighted", "the weights are inverted", "it should be|grow",
     lambda t, b: math.log(len(t.log_px)) - (-log_weight(t, b)).logsumexp(0)),
    (IWAE, "importance weighted", "the smallest weight is taken", "it should be|grow",
     lambda t, b: log_weight(t, b).amin(0)),
    (IWAE, "importance weighted", "the largest weight is taken", "it should be",
     lambda t, b: log_weight(t, b).amax(0)),
    (IWAE, "importance weighted", "the prior is left out of the weights", "it should be",
     lambda t, b: (t.log_px - b * t.log_qz).logsumexp(0) - math.log(len(t.log_px))),
]  # fmt: skip
for right, check, words, says, function in VALUES:
    reducing(right, check, words, says)(value_of(function))


@reducing(ELBO(2), "objective", "penalties are ignored", "penalty")
def no_penalty(bound, trace, beta):
    return replace(bound, value=-(bound.distortion + beta * bound.rate))


@reducing(BetaELBO(2.5, 2), "loose objective", "the rate told is the weighted one", "rate")
def weighted_rate(bound, trace, beta):
    return replace(bound, rate=2.5 * bound.rate)


@reducing(ELBO(2), "objective", "the value is cut off from the model", "no gradient")
def detached_value(bound, trace, beta):
    return replace(bound, value=bound.value.detach() + 0 * bound.value)


@reducing(FreeBits(ELBO(2), 0.1), "loose objective", "free bits cap the rate", "exceeds|it should")
def capped(bound, trace, beta):
    return replace(bound, value=-bound.distortion - beta * bound.rate.clamp(max=0.1))


@reducing(FreeBits(ELBO(2), 0.1), "loose objective", "free bits told as the rate", "expected rate")
def floored_rate(bound, trace, beta):
    return replace(bound, rate=bound.rate.clamp(min=3.0))


enter(
    "annealing never ends",
    "objective",
    "training is done",
    wrong=Annealed(ELBO(2), lambda done: 0.9 * done),
    right=Annealed(ELBO(2), lambda done: done),
)


def test_there_are_planted_errors_for_every_check():
    assert len(PLANTED) >= 18
    assert {name.split(":")[0] for name in PLANTED} == set(CHECKS)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_caught_by_a_named_check(name: str):
    PLANTED[name].must_be_caught()
