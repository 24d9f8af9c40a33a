"""Counts of the cells of an example, given their total."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from lowerbound.distributions.autocorrelated import fill
from lowerbound.distributions.independent import Independent, accumulate, filled


class Multinomial(Distribution):
    """Counts of cells on the last axis, whose shares of a total are softmax(logits).

    The log-mass of a cell is that of a binomial law given the cells before it and the total: those
    of all cells sum to log(n! / prod x_i! prod p_i^x_i). n is the sum of the value that is weighed;
    `total` is that of draws and of the mean.

    Args:
        logits: Of the shares, `(..., n)`, of any sum.
        total: Whole numbers, `(...)`, broadcasting against the logits without their last axis.
    """

    has_rsample = False

    def __init__(self, logits: Tensor, total: Tensor) -> None:
        self.given = accumulate(logits, 0)
        self.logits = self.given.log_softmax(dim=-1)
        self.total = accumulate(total, 0).expand(logits.shape[:-1])
        super().__init__(logits.shape, validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """The logits are real."""
        return {"logits": constraints.real}

    @property
    def support(self) -> constraints.Constraint:
        """Whole numbers from 0."""
        return constraints.nonnegative_integer

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same distribution under a larger batch shape."""
        shape = torch.Size(batch_shape)
        return Multinomial(self.given.expand(shape), self.total.expand(shape[:-1]))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-mass of each cell given those before it and the total, nats."""
        value = value.to(self.logits.dtype)
        left = value.flip(-1).cumsum(dim=-1).flip(-1)  # of the total, from this cell on
        after = left - value
        share = self.logits.flip(-1).logcumsumexp(dim=-1).flip(-1)
        beyond = torch.cat([share[..., 1:], torch.zeros_like(share[..., :1])], dim=-1)
        ways = torch.lgamma(left + 1) - torch.lgamma(value + 1) - torch.lgamma(after + 1)
        return ways + value * self.logits + after * beyond - left * share

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        """Draw counts: the total is parted in two by a binomial law, and each half again."""
        shape, cells = torch.Size(sample_shape), self.logits.shape[-1]
        shares = self.logits.exp()
        width = 1 << (cells - 1).bit_length()
        sums = [torch.nn.functional.pad(shares, (0, width - cells))]
        while sums[0].shape[-1] > 1:
            sums.insert(0, sums[0].unflatten(-1, (-1, 2)).sum(dim=-1))
        counts = self.total.expand(*shape, *self.total.shape).unsqueeze(-1)
        for whole, halves in pairwise(sums):
            first = (halves[..., ::2] / whole.clamp(min=1e-300)).clamp(0.0, 1.0)
            left = torch.binomial(counts.contiguous(), first.expand_as(counts).contiguous())
            counts = torch.stack([left, counts - left], dim=-1).flatten(start_dim=-2)
        return counts[..., :cells]

    @property
    def mean(self) -> Tensor:
        """The total times the shares."""
        return self.total.unsqueeze(-1) * self.logits.exp()

    @property
    def variance(self) -> Tensor:
        """Of each cell, n p (1 - p)."""
        return self.mean * -torch.expm1(self.logits)


class Parted(Independent):
    """The cells of a `Multinomial` as one event.

    Of an example with gaps the observed cells are weighed given their own total, which is again
    multinomial: this is exact, and says nothing of how much lies in the gaps.
    """

    base_dist: Multinomial

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same cells under a larger batch shape."""
        whole = super().expand(batch_shape)
        return Parted(whole.base_dist, self.reinterpreted_batch_ndims, self.filler)

    def cells(self, value: Tensor, observed: Tensor | None = None) -> Tensor:
        """Return log p of each cell given the observed ones before it and their total, nats."""
        if observed is None:
            return self.base_dist.log_prob(value)
        found = _among(self.base_dist, observed).log_prob(filled(value, observed, 0.0))
        return torch.where(observed, found, 0.0)


def _among(law: Multinomial, cells: Tensor, total: Tensor | None = None) -> Multinomial:
    """Return the law of some cells alone: others have no share that could be counted."""
    # a number, and not minus infinity: 0 counts of a share of 0 are nothing, and no nan
    logits = torch.where(cells, law.given, -1e6)
    return Multinomial(logits, law.total if total is None else total)


@fill.register
def _(law: Parted, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
    """What the known cells leave of the total is parted among the gaps, by their shares."""
    base = law.base_dist
    known = accumulate(filled(x, observed, 0.0).to(base.logits.dtype), 1)
    rest = _among(base, ~observed, (base.total - known).clamp(min=0.0))
    return rest.sample(), rest.mean
