"""Errors in the law of a cell of p(x|z): its constant, its bins, its draws."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Normal, Poisson
from torch.distributions import LogNormal as TorchLogNormal

from lowerbound import distributions, likelihoods
from lowerbound.errors import SupportError
from lowerbound.likelihoods import Cells
from lowerbound.seeding import seeded
from lowerbound.testing.assertions import assert_mean, check_close
from lowerbound.testing.cells import check_likelihood
from lowerbound.testing.laws import DRAWS
from lowerbound.testing.table import around_decoder, latent_batch
from planted.subject import Subject


class LogNormal(Cells):
    """Positive numbers: 0 lies outside the support, so an unobserved cell holds 1."""

    formula = "LogNormal(x; m(z), 1/2)"
    name = "log-normal"
    kinds = frozenset({"real"})
    filler = 1.0

    def law(self, parameters: Tensor) -> Distribution:
        mean = parameters.squeeze(-1)
        return TorchLogNormal(mean, torch.full_like(mean, 0.5), validate_args=False)

    def check(self, x: Tensor, name: str = "x") -> None:
        if not bool(((x > 0) & torch.isfinite(x)).all()):
            raise SupportError(f"'{name}' must be positive")


_RIGHT: dict[str, type[Cells]] = {
    "logistic": likelihoods.DiscretizedLogistic,
    "bernoulli": likelihoods.Bernoulli,
    "gaussian": likelihoods.Gaussian,
    "categorical": likelihoods.Categorical,
    "negative binomial": likelihoods.NegativeBinomial,
    "positive": LogNormal,
    "binned": likelihoods.Binned,
    "whole": likelihoods.RoundedLogistic,
    "shares": likelihoods.ContinuousBernoulli,
    "truncated": likelihoods.TruncatedGaussian,
    "censored": likelihoods.CensoredGaussian,
    "total": likelihoods.Multinomial,
}

#: Words, and whole numbers of which some share a range.
_BINS = [
    distributions.Bins((3, 5, 2)),
    distributions.Bins((4, 1, 0, 3, 6, 0), (2.0, 5.0), (0.5, 3.5, 9.5), whole=True, low=0.0),
]


def _check(cells: Cells) -> None:
    """Climb the ladder with two cells of a law, around a small decoder."""
    with seeded(0):
        laws = {(0, 1): cells} if cells.ragged else cells
        check_likelihood(around_decoder(laws, (2,)), latent_batch().float())


def _check_total(cells: Cells) -> None:
    """Sum over all vectors of a total, whole and with a gap; compare draws with their moments."""
    with seeded(0):
        fields = likelihoods.Fields(nn.Unflatten(-1, (1, -1)), cells)
        law = fields(torch.tensor([[0.3, -1.0, 2.0]], dtype=torch.float64))
        for observed in ([True, True, True], [True, False, True]):
            known = torch.tensor(observed)
            every = itertools.product(range(5), repeat=int(known.sum()))
            told = torch.tensor([x for x in every if sum(x) == 4], dtype=torch.float64)
            x = told.new_zeros(len(told), 3).masked_scatter(known.expand(len(told), 3), told)
            whole = distributions.log_prob(law, x, None if all(observed) else known)
            total = whole.exp().sum()
            check_close(total, torch.ones(()), "the sum over the levels of p(x|z)", 1e-9, "plain")
        drawn = law.sample(torch.Size([DRAWS])).double()
        resolves = 0.2 * law.variance.sqrt()
        assert_mean(drawn, law.mean, resolves=resolves, name="the mean of draws of p(x|z)")
        squares = (drawn - law.mean).square() / law.variance
        assert_mean(squares, 1.0, resolves=0.2, name="the spread of draws of p(x|z)")


LIKELIHOODS = Subject(
    "likelihoods",
    {
        "logistic": lambda law: _check(law(9)),
        "bernoulli": lambda law: _check(law()),
        "categorical": lambda law: _check(law(5)),
        "gaussian": lambda law: _check(law(likelihoods.FixedScale(0.4), 3.0, 2.0)),
        "negative binomial": lambda law: _check(law(5.0)),
        "positive": lambda law: _check(law()),
        "binned": lambda law: _check(law(_BINS, ordered=(False, True))),
        "whole": lambda law: _check(law(-4.0, 0.3)),
        "shares": lambda law: _check(law(100.0)),
        "truncated": lambda law: _check(law(-1.0, 2.5, 1.0, 2.0)),
        "censored": lambda law: _check(law(-1.0, 2.5, 1.0, 2.0)),
        "total": lambda law: _check_total(law(total=4.0)),
    },
)


# --- the law of a cell


def _changed(right: Any, name: str, method: Callable) -> type[Cells]:
    """A law of cells with another method, made from the right one."""

    def changed(law: Distribution) -> Distribution:
        kind = type(law)
        law.__class__ = type(f"Planted{kind.__name__}", (kind,), {name: method(kind)})
        return law

    class Changed(right):
        def law(self, parameters: Tensor) -> Distribution:
            return changed(super().law(parameters))

    class ChangedColumns(right):
        def of_columns(self, numbers: Tensor) -> Distribution:
            return changed(super().of_columns(numbers))

    return ChangedColumns if right.ragged else Changed


def _cells(check: str, name: str, says: str) -> Any:
    """Plant a function of (law, value) or (law, shape, right method) as a method of the cells."""

    def make(function: Callable) -> type[Cells]:
        def method(kind: Any) -> Any:
            if name == "mean":
                return property(function)
            right = getattr(kind, name)
            return lambda law, given=(): function(law, given, lambda g=given: right(law, g))

        return _changed(_RIGHT[check], name, method)

    return LIKELIHOODS.plant(check, says, _RIGHT[check], make=make)


def _edges(p: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    rate = (-p.log_scale).exp()
    return (x.double() * p._step - 1 - p.location) * rate, p._step * rate / 2


@_cells("logistic", "log_prob", "sum over the levels")
def _inner_bins(p, x, right):
    """The end bins lack their tails."""
    centre, half = _edges(p, x)
    return (torch.sigmoid(centre + half) - torch.sigmoid(centre - half)).log()


@_cells("logistic", "log_prob", "mean of")
def _half_off(p, x, right):
    """The edges of all bins are off by half a bin."""
    centre, half = _edges(p, x)
    upper = torch.where(x < p.levels - 1, torch.sigmoid(centre + 2 * half), 1.0)
    return (upper - torch.where(x > 0, torch.sigmoid(centre), 0.0)).log()


@_cells("logistic", "log_prob", "sum over the levels")
def _narrow_bins(p, x, right):
    """A bin is as wide as if there were a level more."""
    centre, half = _edges(p, x)
    half = half * (p.levels - 1) / p.levels
    upper = torch.where(x < p.levels - 1, torch.sigmoid(centre + half), 1.0)
    return (upper - torch.where(x > 0, torch.sigmoid(centre - half), 0.0)).log()


@_cells("logistic", "log_prob", "sum over the levels")
def _density(p, x, right):
    """The mass of a bin is a density."""
    centre, half = _edges(p, x)
    return -centre - 2 * nn.functional.softplus(-centre) + (2 * half).log()


@_cells("logistic", "sample", "of draws")
def _rounded_down(p, shape, right):
    """Draws are rounded down."""
    return (right() - 0.5).floor().clamp(min=0)


@_cells("logistic", "sample", "draws")
def _squared_scale(p, shape, right):
    """Wrong scale: draws of grey levels have its square."""
    return distributions.DiscretizedLogistic(p.location, 2 * p.log_scale - 1, p.levels).sample(
        shape
    )


@_cells("logistic", "mean", "the mean of p")
def _mean_in_units(p):
    """The mean is told in [-1, 1], not in levels."""
    return p.location


@_cells("whole", "log_prob", "sum over the levels")
def _density_of_whole_numbers(p, x, right):
    """A whole number has the density of its centre."""
    centre = (x.double() - p.location) * (-p.log_scale).exp()
    return -centre - 2 * nn.functional.softplus(-centre) - p.log_scale


@_cells("whole", "sample", "draws")
def _cut_off(p, shape, right):
    """Draws of whole numbers are rounded down."""
    return (right() - 0.5).floor()


@_cells("bernoulli", "log_prob", "mean of")
def _wrong_sign(p, x, right):
    """The logit has the wrong sign."""
    return right(1 - x)


@_cells("bernoulli", "log_prob", "mean of")
def _twice(p, x, right):
    """The sigmoid is taken twice."""
    law = torch.distributions.Bernoulli(logits=p.probs, validate_args=False)
    return law.log_prob(x.to(p.logits.dtype))


@_cells("bernoulli", "log_prob", "not finite")
def _log_of_sigmoid(p, x, right):
    """The logarithm of a sigmoid that rounds to zero."""
    x = x.to(p.logits.dtype)
    return x * torch.sigmoid(p.logits).log() + (1 - x) * (1 - torch.sigmoid(p.logits)).log()


@_cells("bernoulli", "sample", "refuses its own draws|spread")
def _grey(p, shape, right):
    """Draws are probabilities, not zeros and ones."""
    return p.probs.detach().expand(*shape, *p.probs.shape)


@_cells("categorical", "log_prob", "sum over the levels")
def _wrong_axis(p, x, right):
    """Categorical probabilities are normalised over the wrong axis."""
    logits = p.logits.log_softmax(dim=-2)
    x = x.long().unsqueeze(-1)
    x, logits = torch.broadcast_tensors(x, logits)
    return logits.gather(-1, x[..., :1]).squeeze(-1)


@_cells("categorical", "log_prob", "sum over the levels")
def _unnormalised(p, x, right):
    """Categorical logits are not normalised."""
    return right() + 0.7


@_cells("gaussian", "log_prob", "integral")
def _no_constant(p, x, right):
    """Dropped constant: log 2 pi is left out of log p(x|z)."""
    return right() + 0.5 * math.log(2 * math.pi)


@_cells("gaussian", "log_prob", "integral")
def _squared_error(p, x, right):
    """Dropped constant: log p(x|z) is minus the squared error."""
    return -(x - p.loc).square()


@_cells("gaussian", "log_prob", "integral")
def _no_half(p, x, right):
    """The half before the square is missing."""
    return right() - ((x - p.loc) / p.scale).square() / 2


@_cells("gaussian", "log_prob", "integral")
def _no_unit(p, x, right):
    """Missing Jacobian: the unit of standardised data is forgotten."""
    return right() + math.log(2.0)


@_cells("gaussian", "log_prob", "spread")
def _scale_as_variance(p, x, right):
    """Wrong scale: the density takes the scale for the variance."""
    return Normal(p.loc, p.scale.sqrt() / 2).log_prob(x)


@_cells("gaussian", "sample", "mean of draws")
def _negative_draws(p, shape, right):
    """Draws have the wrong sign."""
    return -right()


@_cells("gaussian", "sample", "spread")
def _wide_draws(p, shape, right):
    """Wrong scale: draws have twice the scale of the density."""
    return p.loc + (right() - p.loc) * 2.0


@_cells("gaussian", "sample", "spread")
def _means(p, shape, right):
    """Draws are means, without noise."""
    return p.loc.detach().expand(*shape, *p.loc.shape)


@_cells("negative binomial", "log_prob", "sum over the levels")
def _no_ways(p, k, right):
    """Dropped constant: the number of ways to k failures is left out."""
    ways = torch.lgamma(k + p.log_size.exp()) - torch.lgamma(p.log_size.exp()) - torch.lgamma(k + 1)
    return right() - ways


@_cells("negative binomial", "log_prob", "the mean of p|mean of")
def _other_probability(p, k, right):
    """Swapped terms: the probability of a failure is taken for that of a success."""
    other = distributions.NegativeBinomial(2 * p.log_size - p.log_mean, p.log_size)
    return other.log_prob(k)


@_cells("negative binomial", "sample", "spread")
def _poisson_draws(p, shape, right):
    """Draws are Poisson's: they have the mean, and spread too little."""
    return Poisson(p.mean, validate_args=False).sample(shape)


@_cells("negative binomial", "mean", "the mean of p")
def _log_mean(p):
    """The mean is told as its logarithm."""
    return p.log_mean


@_cells("binned", "log_prob", "sum over the levels")
def _no_width(p, x, right):
    """The mass of a range is given to each number in it."""
    return right() + p.layout.get_buffer("size")[p.layout.code(x)].clamp(min=1).log()


@_cells("binned", "log_prob", "sum over the levels")
def _one_softmax(p, x, right):
    """All columns share one softmax."""
    return right() + p.layout.normalisers(p.logits) - p.logits.logsumexp(-1, keepdim=True)


@_cells("binned", "sample", "refuses its own draws|draws")
def _atoms_drawn_twice(p, shape, right):
    """Numbers of a range are drawn as if its atoms were among them."""
    x = right()
    ranges = p.layout.get_buffer("ranked")[p.layout.code(x)]
    return torch.where(ranges, x - 1, x).clamp(min=0)


@_cells("binned", "sample", "spread|draws")
def _lowest_of_a_range(p, shape, right):
    """A number of a range is always its first."""
    code = p.layout.code(right())
    first = p.layout.get_buffer("first")[code]
    return torch.where(p.layout.get_buffer("tail")[code] == 0, first, right())


# --- numbers between limits


@_cells("shares", "log_prob", "integral")
def _no_normaliser(p, x, right):
    """Dropped constant: shares are given to a Bernoulli law, whose constant C is left out."""
    share = x / p.upper
    return share * p.logit - nn.functional.softplus(p.logit) - p.upper.log()


@_cells("shares", "log_prob", "integral")
def _no_stretch(p, x, right):
    """Missing Jacobian: percentages have the density of shares."""
    return right() + p.upper.log()


@_cells("shares", "mean", "the mean of p")
def _mean_of_bits(p):
    """The mean is told as that of a Bernoulli law."""
    return p.upper * torch.sigmoid(p.logit)


@_cells("shares", "sample", "spread|draws")
def _bits(p, shape, right):
    """Draws are bits, with the right mean."""
    share = (p.mean / p.upper).expand(*shape, *p.batch_shape)
    return p.upper * torch.bernoulli(share)


@_cells("truncated", "log_prob", "integral")
def _not_renormalised(p, x, right):
    """Dropped constant: the density within the limits is the Gaussian's own."""
    return Normal(p.loc, p.scale, validate_args=False).log_prob(x)


@_cells("truncated", "mean", "the mean of p")
def _mean_of_the_gaussian(p):
    """The mean is told as the location."""
    return p.loc.clamp(p.low, p.high)


@_cells("truncated", "sample", "draws")
def _collected(p, shape, right):
    """Draws beyond a limit are moved to it, and not drawn again."""
    return (p.loc + p.scale * torch.randn(*shape, *p.loc.shape).double()).clamp(p.low, p.high)


@_cells("censored", "log_prob", "integral")
def _density_at_the_limit(p, x, right):
    """A limit has the density of the Gaussian there, and no mass."""
    return Normal(p.loc, p.scale, validate_args=False).log_prob(x)


@_cells("censored", "log_prob", "integral")
def _renormalised_too(p, x, right):
    """The density between the limits is renormalised, beside masses at these."""
    between = distributions.TruncatedNormal(p.loc, p.scale, p.low, p.high).log_prob(x)
    return torch.where((x > p.low) & (x < p.high), between, right())


@_cells("censored", "sample", "refuses its own draws")
def _beyond(p, shape, right):
    """Draws are what would have been recorded without limits."""
    return (p.loc + p.scale * torch.randn(*shape, *p.loc.shape).double()).detach()


@_cells("total", "log_prob", "sum over the levels")
def _no_ways_to_share(p, x, right):
    """Dropped constant: the number of ways to share a total out is left out."""
    return right() + torch.lgamma(x + 1) - torch.lgamma(x.sum(dim=-1, keepdim=True) + 1) / 3


@_cells("total", "sample", "spread of draws")
def _independent_counts(p, shape, right):
    """Draws are independent counts, whose total is as it comes."""
    return Poisson(p.mean.expand(*shape, *p.mean.shape), validate_args=False).sample()


@_cells("total", "mean", "mean of draws")
def _mean_share(p):
    """The mean is told as if all cells had the same share."""
    return p.total.unsqueeze(-1).expand(p.logits.shape) / p.logits.shape[-1]


@LIKELIHOODS.plant("total", "sum over the levels", likelihoods.Multinomial)
class _SharesOfAll(likelihoods.Multinomial):
    """Ignored mask: observed cells keep their shares of all cells, and sum to less than one."""

    @property
    def family(self):
        return _PartedOfAll


class _PartedOfAll(distributions.Parted):
    def cells(self, value, observed=None):
        found = self.base_dist.log_prob(value if observed is None else value * observed)
        return found


@LIKELIHOODS.plant("positive", "not finite|changes|unobserved cell", LogNormal)
class _FillerOutside(LogNormal):
    """Ignored mask: an unobserved cell is filled outside the support, and its gradient is nan."""

    filler = 0.0
