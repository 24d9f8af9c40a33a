"""Rules for an objective, on models whose every expectation is a finite sum, and its wrappers."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from lowerbound.core.trace import Bound, Trace
from lowerbound.data import Batch
from lowerbound.errors import SettingError
from lowerbound.objectives import ELBO, Objective
from lowerbound.objectives.objective import Wrapper
from lowerbound.seeding import seeded
from lowerbound.testing.assertions import check_close
from lowerbound.testing.laws import check_finite, check_reached, check_shape
from lowerbound.testing.references.belief_net import SigmoidBeliefNet
from lowerbound.testing.references.enumerable import Enumerable
from lowerbound.testing.references.mixtures import BernoulliMixture, CategoricalMixture
from lowerbound.testing.traces import changed, made, selected, with_rates

#: Models whose expectations are finite sums, each made with `exact=` and `seed=`.
ENUMERABLE: Mapping[str, Callable[..., Enumerable]] = {
    "Bernoulli mixture": BernoulliMixture,
    "categorical mixture": CategoricalMixture,
    "sigmoid belief net": partial(SigmoidBeliefNet, (2,), 3),
    "deep sigmoid belief net": partial(SigmoidBeliefNet, (1, 2), 3),
}


def check_objective(objective: Objective, *, bound: bool = True, tight: bool = True) -> None:
    """Run the conformance ladder on an objective.

    Values are `(B,)`, float64 and finite; the order of rows and of draws means nothing; a nat of
    log p(x|z) is a nat of the value; rate and distortion are those of the model, neither weighted
    nor floored, and so are their gradients; the expectation is at most log p(x), and equal to it
    under the exact posterior, where its gradient is that of log p(x) and none for the encoder
    (Fisher's identity); gradients reach every part of the model; when training is done nothing is
    annealed. Expectations are finite sums, on each of `ENUMERABLE`.

    Args:
        objective: The objective checked; its expectation is a sum over multisets of its draws, so
            that some tens of draws are the most.
        bound: It claims to be at most log p(x) in expectation.
        tight: It claims to equal log p(x) where the posterior is exact.

    Example:
        >>> from lowerbound.objectives import IWAE
        >>> check_objective(IWAE(samples=2))
    """
    _on_each(partial(_check_on, objective, bound=bound, tight=tight))


def _on_each(check: Callable[[Callable[..., Enumerable]], None]) -> None:
    for name, build in ENUMERABLE.items():
        with seeded(0):
            try:
                check(build)
            except AssertionError as error:
                raise AssertionError(f"on a {name}: {error}") from error


def _check_on(
    objective: Objective, build: Callable[..., Enumerable], *, bound: bool, tight: bool
) -> None:
    model = build(seed=1)
    batch = Batch(model.simulate(5, seed=1).x)
    trace = model.trace(batch, objective.samples)
    result = objective.reduce(trace)
    for name in ("value", "distortion", "rate"):
        check_shape(getattr(result, name), (len(batch),), f"the {name}")
        check_finite(getattr(result, name), f"the {name}")
    _check_order(objective, trace)
    _check_units(objective, trace)
    _check_groups(objective, trace)
    _check_expectation(objective, model, batch, bound)
    check_reached(model, model.expected(objective, batch).value.sum(), "the value")
    if tight:
        exact = build(exact=True, seed=1)
        value, evidence = exact.expected(objective, batch).value, exact.log_evidence(batch.x)
        check_close(value, evidence, "the value at the exact posterior")
        name = "the gradient of the expected value at the exact posterior for"
        check_equal_gradients(value.sum(), evidence.sum(), dict(exact.named_parameters()), name)
    finished = objective.at(1.0).reduce(trace)
    check_close(finished.value, result.value, "the value when all of the training is done")
    check_shape(objective.criterion.reduce(trace).value, (5,), "the criterion's value")


def check_importance_weighted(build: Callable[[int], Objective]) -> None:
    """Assert that an objective is the importance-weighted bound of so many draws.

    Its exponential estimates p(x) without bias for every number of draws, it is the drawn ELBO at
    one, and it grows with their number: exactly, by sums over all draws of a discrete model.

    Args:
        build: From the number of draws to the objective.

    Source: Burda, Grosse & Salakhutdinov (2016), theorem 1, arXiv 1509.00519.
    """
    _on_each(partial(_check_weights, build))


def _check_weights(build: Callable[[int], Objective], model_of: Callable[..., Enumerable]) -> None:
    model = model_of(seed=1)
    batch = Batch(model.support()[1:5])
    evidence = model.log_evidence(batch.x).exp()
    parameters = dict(model.named_parameters())
    for samples in (1, 2, 3):
        estimate = model.expected(_Exponential(build(samples)), batch).value
        check_close(estimate, evidence, f"E[exp(value)] of {samples} draws, p(x),", unit="plain")
        name = f"the gradient of E[exp(value)] of {samples} draws for"
        check_equal_gradients(estimate.sum(), evidence.sum(), parameters, name)
    with torch.no_grad():
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


def _check_order(objective: Objective, trace: Trace) -> None:
    value = objective.reduce(trace).value
    rows = torch.arange(trace.log_px.shape[1]).roll(2)
    moved = objective.reduce(selected(trace, rows)).value
    check_close(moved, value[rows], "the value of moved rows")
    flipped = changed(trace, lambda part: part.flip(0), units=lambda kl: kl)
    check_close(objective.reduce(flipped).value, value, "the value with draws in another order")
    everything = torch.arange(trace.log_px.shape[1])
    if not torch.equal(objective.reduce(selected(trace, everything)).value, value):
        raise AssertionError("the same trace gives two values: an objective holds no state")


def _check_units(objective: Objective, trace: Trace) -> None:
    before = objective.reduce(trace)
    # an image has thousands of nats: whatever leaves the logarithm over- or underflows there
    for shift in (7.0, -5000.0, 5000.0):
        after = objective.reduce(replace(trace, log_px=trace.log_px + shift))
        nats = f"{shift:g} nats more of log p(x|z)"
        check_close(after.value, before.value + shift, f"the value after {nats}")
        check_close(after.distortion, before.distortion - shift, f"the distortion after {nats}")
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


def _check_groups(objective: Objective, trace: Trace) -> None:
    """Assert that units count alike in one group or in two, whose rate may vary with the draws."""
    if not trace.kl:
        return
    samples, rows = trace.log_px.shape
    units = torch.cat([kl.expand(samples, rows, -1) for kl in trace.kl.values()], dim=-1)
    draws = torch.arange(float(samples), dtype=torch.float64).view(-1, 1, 1)
    second = (3.0 + draws).expand(samples, rows, 2)
    try:
        objective.reduce(with_rates(trace, {"z": units, "second": second}))
    except SettingError:  # some are not for several groups, and say so
        return
    alone, together, apart = (
        objective.reduce(with_rates(trace, kl))
        for kl in (
            {"z": units},
            {"z": torch.cat([units, second], dim=-1)},
            {"z": units, "second": second},
        )
    )
    check_close(apart.value, together.value, "the value of units in two groups, not one,")
    check_close(apart.rate, together.rate, "the rate of units in two groups, not one,")
    added = apart.rate - alone.rate
    # nothing where the rate is estimated from draws of z
    expected = second.sum(dim=-1).mean(dim=0) if bool((added != 0).any()) else torch.zeros(())
    check_close(added, expected, "the rate that a second of two groups adds")


def _check_expectation(objective: Objective, model: Enumerable, batch: Batch, bound: bool) -> None:
    expected = model.expected(objective, batch)
    log_px, log_pz, log_q = model.joint(batch)
    rate = (log_q.exp() * (log_q - log_pz)).sum(dim=0)
    distortion = -(log_q.exp() * log_px).sum(dim=0)
    parameters = dict(model.named_parameters())
    for got, sum_of, name in (
        (expected.rate, rate, "rate, KL(q(z|x) || p(z)),"),
        (expected.distortion, distortion, "distortion, -E[log p(x|z)],"),
    ):
        check_close(got, sum_of, f"the expected {name}")
        what = f"the gradient of the expected {name} for"
        check_equal_gradients(got.sum(), sum_of.sum(), parameters, what)
    evidence = model.log_evidence(batch.x)
    if bound and not bool((expected.value <= evidence + 1e-9).all()):
        over = float((expected.value - evidence).detach().max())
        raise AssertionError(f"the expected value exceeds log p(x) by {over:.4g} nats")


def check_equal_gradients(
    value: Tensor, expected: Tensor, parameters: Mapping[str, Tensor], name: str
) -> None:
    """Raise AssertionError unless two numbers have one gradient for every parameter; unused: 0."""
    wanted = list(parameters.values())
    got, should = (
        torch.autograd.grad(number, wanted, retain_graph=True, materialize_grads=True)
        if number.requires_grad
        else [torch.zeros_like(parameter) for parameter in wanted]
        for number in (value, expected)
    )
    for key, one, other in zip(parameters, got, should, strict=True):
        check_close(one, other, f"{name} '{key}'", 1e-8, "plain")


def check_free_bits(build: Callable[[float], Objective]) -> None:
    """Assert that an objective floors the rate of each unit, averaged over the batch.

    Its value is -(distortion + rate) - sum_j max(0, nats - KL_j) with KL_j the mean over the batch:
    seen with units below and above the floor, and with one that is below it for some rows only. A
    unit below the floor has no gradient.

    Args:
        build: From the floor in nats to the objective, an ELBO with free bits.

    Source: Kingma et al. (2016), equation 15, arXiv 1606.04934.

    Example:
        >>> from lowerbound.objectives import ELBO, FreeBits
        >>> check_free_bits(lambda nats: FreeBits(ELBO(2), nats))
    """
    rates = torch.tensor(
        [[0.1, 0.1, 2.0, 0.0], [0.3, 1.5, 3.0, 0.0], [0.2, 0.8, 1.0, 0.0]], dtype=torch.float64
    )
    for nats in (0.0, 0.5, 4.0):
        kl = rates.clone().requires_grad_()
        trace = _trace(kl)
        bound = build(nats).reduce(trace)
        mean = rates.mean(dim=0)
        excess = (nats - mean).clamp(min=0.0).sum()
        floored = trace.log_px.mean(dim=0) - rates.sum(dim=1) - excess
        check_close(bound.value, floored, f"the value whose rates are floored at {nats:g} nats")
        check_close(bound.rate, rates.sum(dim=1), "the rate of floored units, which is no part,")
        (gradient,) = torch.autograd.grad(bound.value.sum(), kl)
        below = gradient[:, mean < nats]
        check_close(below, torch.zeros(()), "the gradient of a unit below the floor", unit="plain")


def check_annealed(build: Callable[[Callable[[float], float]], Objective]) -> None:
    """Assert that an objective weighs its rate by a schedule, and nothing else.

    At a fraction f of the training its value is -(distortion + w(f) rate); rate and distortion are
    told as they are.

    Args:
        build: From the schedule w to the objective, an annealed ELBO.

    Source: Bowman et al. (2016), section 3.1, arXiv 1511.06349.
    """
    trace = _trace(torch.tensor([[0.5, 1.0], [0.0, 3.0], [2.0, 0.25]], dtype=torch.float64))
    rate, distortion = trace.kl["z"].sum(dim=-1).mean(dim=0), -trace.log_px.mean(dim=0)
    annealed = build(lambda done: min(1.0, 0.1 + done))
    for fraction in (0.0, 0.25, 0.6, 1.0):
        weight = min(1.0, 0.1 + fraction)
        bound = annealed.at(fraction).reduce(trace)
        when = f"annealed at {fraction:g} of the training"
        check_close(bound.value, -(distortion + weight * rate), f"the value {when}")
        check_close(bound.rate, rate, f"the rate {when}")
        check_close(bound.distortion, distortion, f"the distortion {when}")


def _trace(kl: Tensor) -> Trace:
    """Trace two draws of as many rows as `kl`, `(B, D)`, has."""
    with seeded(0):
        densities = torch.randn(3, 2, len(kl), dtype=torch.float64)
    return made(*densities, kl=kl.unsqueeze(0))
