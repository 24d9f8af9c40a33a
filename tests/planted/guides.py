"""Errors in what guides a training by a batch, and in bounds between two bounds."""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.distributions import Normal

from lowerbound.core import Latent, Trace
from lowerbound.distributions import Independent
from lowerbound.objectives import CIWAE, ELBO, IWAE, Renyi
from lowerbound.objectives.aggregate import discrepancy, total_correlation
from lowerbound.priors import StandardNormal
from lowerbound.testing.assertions import assert_mean, check_close
from planted.subject import Subject


def _latent() -> Latent:
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(6, 3, dtype=torch.float64, generator=generator)
    q = Independent(Normal(mean, torch.full_like(mean, 0.5)), 1)
    z = mean + 0.5 * torch.randn(5, 6, 3, dtype=torch.float64, generator=generator)
    return Latent(z, StandardNormal(3).double()(), q)


def check_correlation(correlation: Callable[[Latent], Tensor]) -> None:
    """Information, total correlation and divergences of units add up to the rate, in nats."""
    latent = _latent()
    units = latent.q.base_dist.log_prob(latent.z.unsqueeze(2))  # type: ignore[attr-defined]
    log_q = units.sum(dim=-1).logsumexp(dim=2) - math.log(6)
    each = (units.logsumexp(dim=2) - math.log(6)).sum(dim=-1)
    others = (latent.log_q - log_q + each - latent.log_p).mean(dim=0)
    rate = (latent.log_q - latent.log_p).mean(dim=0)
    check_close(others + correlation(latent), rate, "the sum of the parts of the rate")


def check_discrepancy(measure: Callable[[Tensor, Tensor], Tensor]) -> None:
    """The squared discrepancy of one law is 0 on average."""
    generator = torch.Generator().manual_seed(0)
    pairs = torch.randn(800, 2, 10, 2, dtype=torch.float64, generator=generator)
    found = torch.stack([measure(a, b) for a, b in pairs])
    assert_mean(found, 0.0, resolves=0.1, name="the squared discrepancy of one law")


def check_between(make: Callable[[], CIWAE | Renyi]) -> None:
    """At its ends a bound between two bounds is one of them."""
    latent = _latent()
    trace = Trace(-latent.z.square().sum(dim=-1), {"z": latent})
    ends = IWAE(5).reduce(trace).value, ELBO(5, analytic=False).reduce(trace).value
    field = "share" if isinstance(make(), CIWAE) else "alpha"
    for place, end in enumerate(ends):
        value = replace(make(), **{field: float(place)}).reduce(trace).value
        check_close(value, end, "the end of a bound between two")


GUIDES = Subject(
    "guides",
    {
        "correlation": check_correlation,
        "discrepancy": check_discrepancy,
        "between": check_between,
    },
)


@GUIDES.plant("correlation", "parts of the rate", total_correlation)
def _without_count(latent):
    """The minibatch estimate of log q(z) and of its units lacks the logarithm of the batch."""
    units = latent.q.base_dist.log_prob(latent.z.unsqueeze(2))
    return (units.sum(-1).logsumexp(2) - units.logsumexp(2).sum(-1)).mean(0)


@GUIDES.plant("correlation", "parts of the rate", total_correlation)
def _of_other_draws(latent):
    """Every unit is weighed under its own example alone."""
    units = latent.q.base_dist.log_prob(latent.z.unsqueeze(2))
    together = units.sum(-1).logsumexp(2) - math.log(units.shape[2])
    return (together - latent.q.base_dist.log_prob(latent.z).sum(-1)).mean(0)


@GUIDES.plant("discrepancy", "squared discrepancy", discrepancy)
def _with_own(a, b):
    """The discrepancy counts each point with itself."""
    kernel = lambda x, y: 2 / (2 + torch.cdist(x, y).square())  # noqa: E731
    return kernel(a, a).mean() + kernel(b, b).mean() - 2 * kernel(a, b).mean()


@GUIDES.plant("discrepancy", "squared discrepancy", discrepancy)
def _once(a, b):
    """The discrepancy takes the cross term once."""
    kernel = lambda x, y: 2 / (2 + torch.cdist(x, y).square())  # noqa: E731
    pairs = len(a) * (len(a) - 1)
    own = sum((kernel(x, x).sum() - len(x)) / pairs for x in (a, b))
    return own - kernel(a, b).mean()


@GUIDES.plant("between", "bound between two", CIWAE)
class _Exchanged(CIWAE):
    """The weights of the two bounds are exchanged."""

    def reduce(self, trace, beta=1.0):
        return CIWAE(self.samples, 1 - self.share).reduce(trace, beta)


@GUIDES.plant("between", "bound between two", Renyi)
class _Undivided(Renyi):
    """The Renyi bound is not divided by its order."""

    def reduce(self, trace, beta=1.0):
        bound = super().reduce(trace, beta)
        return replace(bound, value=bound.value * (2.0 if self.alpha else 0.5))


@GUIDES.plant("between", "bound between two", Renyi)
class _Summed(Renyi):
    """The Renyi bound sums over draws where it should average."""

    def reduce(self, trace, beta=1.0):
        bound = super().reduce(trace, beta)
        return replace(bound, value=bound.value + math.log(len(trace.log_px)))
