"""Penalties on the mean of q(z|x) over a batch: they guide training, and bound nothing."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.core.trace import Bound, Latent, Trace
from lowerbound.distributions import Independent, accumulate
from lowerbound.errors import SettingError
from lowerbound.objectives.objective import Objective, Wrapper
from lowerbound.processes import current


@dataclass(frozen=True)
class TotalCorrelation(Wrapper):
    """A bound less a weight of the total correlation of z, KL(q(z) || prod_d q(z_d)).

    q(z) is the mean of q(z|x) over the batch. With the ELBO inside, mutual information, total
    correlation and the divergences of single units from the prior add up to the rate; here the
    second counts 1 + `weight` times: beta = 1 + weight of the beta-TC-VAE.

    Args:
        objective: The bound.
        weight: Of the total correlation, beside the 1 that the rate holds.

    Raises:
        SettingError: The units of q(z|x) are correlated, there is more than one group of latents,
            or several processes share a batch (raised by `reduce`).

    Source: Chen et al. (2018), equation 4, arXiv 1802.04942.
    Differs: q(z) is that of the batch and not an estimate for the data set, from which its
        logarithm differs by a constant: gradients are those of minibatch-weighted sampling, and
        the values nats.
    """

    objective: Objective
    weight: float = 5.0

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`."""
        latent = only_group(trace)
        return _less(self.objective.reduce(trace, beta), self.weight * total_correlation(latent))

    def at(self, fraction: float) -> Objective:
        """Return the penalty over the objective in force at that fraction."""
        return replace(self, objective=self.objective.at(fraction))


def total_correlation(latent: Latent) -> Tensor:
    """Return log q(z) - sum_d log q(z_d) under the batch's own mean of q(z|x), `(B,)`, nats."""
    q = latent.q
    if not isinstance(q, Independent) or len(q.batch_shape) != 1:
        raise SettingError(
            "total correlation needs a posterior of independent units; use posterior=diagonal"
        )
    units = accumulate(q.base_dist.log_prob(latent.z.unsqueeze(2)), 0)  # (K, B, B, D)
    rows = math.log(units.shape[2])
    together = units.sum(dim=-1).logsumexp(dim=2) - rows
    apart = (units.logsumexp(dim=2) - rows).sum(dim=-1)
    return (together - apart).mean(dim=0)


@dataclass(frozen=True)
class Disentangled(Wrapper):
    """A bound less the distance of the covariance of z from the identity (DIP).

    Args:
        objective: The bound.
        off_diagonal: Weight of the squared covariances of two units.
        diagonal: Weight of the squared distances of variances from 1.
        whole: Take the covariance of z itself (DIP-II) and not of the means of q(z|x) (DIP-I).

    Raises:
        SettingError: q(z|x) knows no mean; there is more than one group of latents, or several
            processes share a batch (raised by `reduce`).

    Source: Kumar, Sattigeri & Balakrishnan (2018), equations 6 and 7, arXiv 1711.00848.
    """

    objective: Objective
    off_diagonal: float = 10.0
    diagonal: float = 10.0
    whole: bool = True

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`; every example bears the penalty alike."""
        q = only_group(trace).q
        try:
            mean, variance = q.mean.double(), q.variance.double()
        except NotImplementedError:
            raise SettingError(
                f"a covariance needs the mean and variance of q(z|x), which {type(q).__name__} "
                "does not know; use posterior=diagonal"
            ) from None
        covariance = torch.cov(mean.mT, correction=0).reshape(q.event_shape * 2)
        if self.whole:
            covariance = covariance + torch.diag(variance.mean(dim=0))
        own = torch.diagonal(covariance)
        across = covariance.square().sum() - own.square().sum()
        penalty = self.off_diagonal * across + self.diagonal * (own - 1).square().sum()
        return _less(self.objective.reduce(trace, beta), penalty)

    def at(self, fraction: float) -> Objective:
        """Return the penalty over the objective in force at that fraction."""
        return replace(self, objective=self.objective.at(fraction))


@dataclass(frozen=True)
class Discrepancy(Wrapper):
    """A bound less the maximum mean discrepancy between the batch's z and draws of p(z).

    With `rate` 0 it is the Wasserstein autoencoder, between 0 and 1 an InfoVAE.

    Args:
        objective: The bound.
        weight: Of the squared discrepancy.
        rate: Weight of the rate that is left, in [0, 1].

    Raises:
        SettingError: `rate` is outside [0, 1]; there is more than one group of latents, one
            example, or several processes share a batch (raised by `reduce`).

    Source: Zhao, Song & Ermon (2019), equation 6, arXiv 1706.02262; Tolstikhin et al. (2018),
        algorithm 2, arXiv 1711.01558, for the kernels C / (C + |a - b|^2).
    """

    objective: Objective
    weight: float = 100.0
    rate: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise SettingError(f"rate must lie in [0, 1], got {self.rate!r}")

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`; every example bears the penalty alike."""
        latent = only_group(trace)
        z = latent.z[0]
        law: Distribution = latent.p
        drawn = law.sample(torch.Size([len(z)])) if not law.batch_shape else law.sample()
        bound = self.objective.reduce(trace, beta * self.rate)
        return _less(bound, self.weight * discrepancy(z, drawn))

    def at(self, fraction: float) -> Objective:
        """Return the penalty over the objective in force at that fraction."""
        return replace(self, objective=self.objective.at(fraction))


def discrepancy(a: Tensor, b: Tensor) -> Tensor:
    """Estimate the squared maximum mean discrepancy of two samples, without bias.

    Args:
        a: `(N, D)`, at least 2 rows.
        b: `(N, D)`, draws of the law whose spread sets the kernels' scales.

    Returns:
        A number, negative at times.

    Source: Gretton et al. (2012), equation 3.
    """
    count = len(a)
    if count < 2:
        raise SettingError("a discrepancy needs at least 2 examples in a batch")
    a, b = a.double(), b.double()
    base = 2.0 * b.square().sum(dim=1).mean().detach()

    def kernel(first: Tensor, second: Tensor) -> Tensor:
        squares = (first.unsqueeze(1) - second.unsqueeze(0)).square().sum(dim=-1)
        scales = [base * factor for factor in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)]
        return torch.stack([scale / (scale + squares) for scale in scales]).sum(dim=0)

    def without_own(pairs: Tensor) -> Tensor:
        return (pairs.sum() - torch.diagonal(pairs).sum()) / (count * (count - 1))

    return without_own(kernel(a, a)) + without_own(kernel(b, b)) - 2 * kernel(a, b).mean()


def only_group(trace: Trace) -> Latent:
    """Return the one group of latents; `SettingError` if the batch's mean is not to be had."""
    if len(trace.latents) > 1:
        raise SettingError(
            f"this penalty is for one group of latents, and the model has {len(trace.latents)}"
        )
    if current().size > 1:
        raise SettingError(
            f"this penalty compares the rows of a batch, which {current().size} processes share; "
            "train in one process"
        )
    return next(iter(trace.latents.values()))


def _less(bound: Bound, penalty: Tensor) -> Bound:
    return Bound(bound.value - penalty, bound.distortion, bound.rate)
