"""A model's bounds in their order, and against log p(x) where the model knows it."""

import math
from itertools import pairwise

import torch
from torch import Tensor

from lowerbound.core import Trace, Traceable
from lowerbound.data import Batch
from lowerbound.objectives import ELBO, IWAE, Objective
from lowerbound.testing.assertions import assert_mean_at_most
from lowerbound.testing.ledger import enter
from lowerbound.testing.traces import changed

#: Draws of one group of the largest bound.
LARGEST = 64
#: Groups of that many, for the means that are compared with log p(x).
GROUPS = 512
#: Rounding that an inequality allows for, relative to 1 + |bound|.
_ROUNDING = 1e-12


def check_bounds(model: Traceable, batch: Batch, objective: Objective | None = None) -> None:
    """Assert that a model's bounds are in their order: ELBO <= IWAE_4 <= IWAE_64 <= log p(x).

    The first two hold on the very same draws, without any error rate: the mean over groups of 4
    draws is at least the mean over single ones, by Jensen's inequality. Where the model offers
    `log_evidence`, IWAE_64 and the objective, if it claims to be a bound, are at most log p(x) in
    expectation, and the mean importance weight is at most p(x). That it is not less no sample can
    tell: a rare draw of great weight may have been missed.

    Args:
        model: Anything with a `trace`; with `log_evidence(x)` more is checked.
        batch: Some of its data, all observed.
        objective: Of its training; the ELBO if None.

    Source: Burda, Grosse & Salakhutdinov (2016), theorem 1, arXiv 1509.00519.

    Example:
        >>> from lowerbound.testing import BernoulliMixture
        >>> model = BernoulliMixture()
        >>> check_bounds(model, Batch(model.simulate(3).x))
    """
    objective = objective or ELBO()
    log_evidence = getattr(model, "log_evidence", None)
    few = batch.rows(slice(0, 3))
    with torch.no_grad():
        trace = model.trace(few, LARGEST * (GROUPS if log_evidence else 1))
        bounds = {size: grouped(IWAE(size), trace, size) for size in (1, 4, LARGEST)}
        single = grouped(ELBO(1, analytic=False), trace, 1)
        order = [("the drawn ELBO", single), *((f"IWAE_{k}", b) for k, b in bounds.items())]
        for (name, lower), (larger, upper) in pairwise(order):
            _check_order(lower.mean(dim=0), upper.mean(dim=0), f"{name} <= {larger}")
        if log_evidence is None:
            return
        evidence = log_evidence(few.x)
        ratio = (trace.log_weight - evidence).exp()
        resolves = 0.05 + 9 * ratio.std(dim=0) / len(ratio) ** 0.5
        assert_mean_at_most(ratio, 1.0, resolves=resolves, name="the mean weight, a share of p(x),")
        claims = {f"IWAE_{LARGEST}": bounds[LARGEST]}
        if objective.is_bound:
            present = objective.at(1.0)
            claims["the objective"] = grouped(present, trace, present.samples)
        for name, values in claims.items():
            assert_mean_at_most(values, evidence, resolves=0.5, name=f"{name}, at most log p(x),")


def grouped(objective: Objective, trace: Trace, size: int) -> Tensor:
    """Reduce the draws of a trace in groups of `size`, `(K // size, B)`, nats."""
    groups = trace.log_px.shape[0] // size
    rows = trace.log_px.shape[1]

    def fold(values: Tensor) -> Tensor:  # (K, B, ...) -> (size, groups B, ...)
        kept = values[: groups * size].reshape(groups, size, *values.shape[1:])
        return kept.transpose(0, 1).flatten(start_dim=1, end_dim=2)

    folded = changed(
        trace,
        fold,
        units=lambda kl: fold(kl) if len(kl) > 1 else kl.repeat(1, groups, 1),
        rows=lambda penalty: penalty.repeat(groups),
    )
    return objective.reduce(folded).value.reshape(groups, rows)


def _check_order(lower: Tensor, upper: Tensor, name: str) -> None:
    excess = ((lower - upper) / (1 + upper.abs())).clamp(min=0.0)
    enter(name, excess)
    worst = float(excess.max())
    if not worst <= _ROUNDING:
        at = int(excess.nan_to_num(nan=math.inf).argmax())
        raise AssertionError(
            f"{name} does not hold on the same draws: {float(lower[at]):.9g} and "
            f"{float(upper[at]):.9g}"
        )
