"""The importance-weighted bound for more and more draws, and whether it has stopped rising."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lowerbound.evaluation.estimate import CONFIDENCE, Estimate
from lowerbound.evaluation.tails import heavy as heavy_beyond

#: A bound that the last doubling of draws raised by less, in nats, has converged.
TOLERANCE = 0.1
#: Unless the weights of more than this share of the examples have a heavy tail.
HEAVY_SHARE = 0.1


def rungs(samples: int) -> tuple[int, ...]:
    """Choose the numbers of draws at which the bound is stated: 1, 5, 10, 50 ..., K/2 and K."""
    steps = {1, samples, max(1, samples // 2)}
    for digits in range(len(str(samples))):
        steps |= {k for k in (10**digits, 5 * 10**digits) if k < samples}
    return tuple(sorted(steps))


def climb(log_weight: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Average the bound of k draws out of K, and give its variance over draws.

    The draws fall into groups of k, whose bounds are averaged: the expectation is that of k
    draws, the variance what K draws allow.

    Returns:
        From log-weights `(K, B)` the bound, `(B,)`, nats, and its variance over draws, `(B,)`,
        square nats: that between groups, or with fewer than two groups `log_mean_variance`.
    """
    groups = len(log_weight) // k
    used = log_weight[: groups * k].reshape(groups, k, -1)
    bounds = used.logsumexp(dim=1) - math.log(k)
    if groups > 1:
        return bounds.mean(dim=0), bounds.var(dim=0) / groups
    return bounds[0], log_mean_variance(used[0])


def log_mean_variance(log_weight: Tensor) -> Tensor:
    """Estimate the variance of the log of a mean of K weights, `(B,)`, square nats; nan for one.

    The larger of two estimates: to first order 1/ESS - 1/K, which the heaviest of tails keep
    below one, and half the variance between the logs of the means of two halves.
    """
    half = len(log_weight) // 2
    if half == 0:
        return torch.full(log_weight.shape[1:], math.nan, dtype=torch.float64)
    halves = torch.stack([part.logsumexp(dim=0) for part in log_weight[: 2 * half].split(half)])
    return torch.maximum(first_order_variance(log_weight), halves.var(dim=0) / 2)


def first_order_variance(log_weight: Tensor) -> Tensor:
    """Estimate Var[w] / (K E[w]^2) from `(K, B)` log-weights, K at least 2: `(B,)`.

    It is 1/ESS - 1/K with the divisor K - 1, because the mean comes from the same weights.
    """
    count = len(log_weight)
    shares = log_weight.double().log_softmax(dim=0)
    inverse = (2 * shares).logsumexp(dim=0).exp()
    return (inverse - 1 / count).clamp_min(0.0) * count / (count - 1)


@dataclass(frozen=True)
class Rung:
    """The bound of so many draws.

    Attributes:
        samples: Draws for each example.
        bound: Its mean over examples.
    """

    samples: int
    bound: Estimate


@dataclass(frozen=True)
class Convergence:
    """Whether more draws would still raise the bound on log p(x).

    Attributes:
        converged: The last doubling gained less than `TOLERANCE`, with 95 % confidence, and the
            tails of the weights are light enough for that to mean something.
        gain: Nats that the last doubling of draws gained; None where there was one draw only. Under
            the 1/K law of the bias, as much again is missing.
        effective_samples: Median over examples of the effective sample size.
        heavy_tailed: Share of examples whose weights have too large a Pareto shape for so many
            draws (see `lowerbound.evaluation.tails.heavy`); None for fewer than 25 of them.
        words: The verdict in a sentence.
    """

    converged: bool
    gain: Estimate | None
    effective_samples: float
    heavy_tailed: float | None
    words: str


def convergence(
    ladder: Mapping[int, Tensor], effective_samples: Tensor, tail: Tensor
) -> Convergence:
    """State whether a ladder has converged in K.

    Args:
        ladder: The bound of each number of draws, `(N,)` each, nats; see `rungs`.
        effective_samples: Of the largest number of draws, `(N,)`.
        tail: Pareto shapes, `(N,)`.
    """
    samples = max(ladder)
    effective = float(effective_samples.median())
    known = tail[~tail.isnan()]
    heavy = float((known > heavy_beyond(samples)).double().mean()) if len(known) else None
    if samples == 1:
        words = "one draw cannot show whether more would help: use more samples"
        return Convergence(False, None, effective, heavy, words)
    gain = Estimate.of(ladder[samples] - ladder[max(1, samples // 2)])
    least = gain.mean + CONFIDENCE * (gain.standard_error or 0.0)
    words = f"doubling the draws from {samples // 2:,} to {samples:,} raised the bound by {gain}"
    converged = heavy is not None and least < TOLERANCE and heavy <= HEAVY_SHARE
    if heavy is None:
        words += "; 25 draws at least are needed to judge the tails of the weights"
    elif converged:
        words = f"converged: {words}"
    elif least >= TOLERANCE:
        words = f"not converged: {words}, and more draws will raise it further"
    else:
        words = (
            f"not converged: {words}, but the weights of {heavy:.0%} of the examples are so "
            "heavy-tailed that draws which matter are missing; annealed importance sampling "
            "(ais) is tighter"
        )
    return Convergence(converged, gain, effective, heavy, words)
