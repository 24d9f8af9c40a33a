"""What free bits and annealing must keep, on a trace whose rates are chosen."""

from collections.abc import Callable

import torch
from torch import Tensor

from lowerbound.core.trace import Trace
from lowerbound.objectives import Objective
from lowerbound.seeding import seeded
from lowerbound.testing.assertions import check_close
from lowerbound.testing.traces import made

#: Where annealing is looked at, as fractions of the training.
_FRACTIONS = (0.0, 0.25, 0.6, 1.0)


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
    for fraction in _FRACTIONS:
        weight = min(1.0, 0.1 + fraction)
        bound = annealed.at(fraction).reduce(trace)
        when = f"annealed at {fraction:g} of the training"
        check_close(bound.value, -(distortion + weight * rate), f"the value {when}")
        check_close(bound.rate, rate, f"the rate {when}")
        check_close(bound.distortion, distortion, f"the distortion {when}")


def _trace(kl: Tensor) -> Trace:
    """Two draws of as many rows as `kl`, `(B, D)`, has."""
    with seeded(0):
        densities = torch.randn(3, 2, len(kl), dtype=torch.float64)
    return made(*densities, kl=kl.unsqueeze(0))
