"""Errors in the event of p(x|z): the sum over cells, their mask, what counts as data."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lowerbound import likelihoods
from lowerbound.distributions import Columns, Independent, Product, accumulate
from lowerbound.likelihoods import Cells, Fields
from lowerbound.networks import MLP
from lowerbound.testing.cells import check_likelihood
from lowerbound.testing.table import latent_batch
from planted.likelihoods import LIKELIHOODS
from planted.subject import Subject

_BERNOULLI, _GAUSSIAN = likelihoods.Bernoulli, likelihoods.Gaussian
_MIXED = {(2, 0): _GAUSSIAN(likelihoods.FixedScale(0.4), 3.0, 2.0), (1,): _BERNOULLI()}


def _event_of(cells: Cells) -> Callable[[type[Fields]], None]:
    """Climb the ladder with a whole likelihood, made around a network and a law."""
    outputs = (cells.parameters_per_cell, 2)
    return lambda make: check_likelihood(
        make(MLP((3,), outputs, (8,)), cells), latent_batch().float()
    )


EVENTS = Subject(
    "events",
    {
        **{name: LIKELIHOODS.checks[name] for name in ("bernoulli", "gaussian")},
        "event of bits": _event_of(_BERNOULLI()),
        "event of reals": _event_of(_GAUSSIAN(likelihoods.FixedScale(0.4), 3.0, 2.0)),
        "columns": lambda make: check_likelihood(
            make(MLP((3,), (3,), (8,)), _MIXED), latent_batch().float()
        ),
        "learned scale": lambda scale: check_likelihood(
            Fields(MLP((3,), (1, 2), (8,)), _GAUSSIAN(scale(0.4))), latent_batch().float()
        ),
    },
)


# --- the sum over cells


def _sums(check: str, says: str) -> Any:
    """Plant a function of (cells, axes of the event, mask) as the sum over cells."""

    def make(reduce: Callable) -> type[Fields]:
        class Sums(Independent):
            def log_prob(self, value: Tensor, observed: Tensor | None = None) -> Tensor:
                cells = self.base_dist.log_prob(value)
                return reduce(cells, self.reinterpreted_batch_ndims, observed)

        class Changed(Fields):
            def forward(self, context: Tensor | None = None) -> Independent:
                law: Any = super().forward(context)
                return Sums(law.base_dist, law.reinterpreted_batch_ndims)

        return Changed

    return EVENTS.plant(check, says, Fields, make=make)


def _kept(cells: Tensor, observed: Tensor | None) -> Tensor:
    return cells if observed is None else torch.where(observed, cells, 0.0)


@_sums("event of reals", "sum of its cells")
def _averaged(cells, axes, observed):
    """Averaged instead of summed: log p(x|z) is the mean over the event."""
    return accumulate(_kept(cells, observed), axes) / cells[0, 0].numel()


@_sums("event of reals", "sum of its cells")
def _over_the_batch(cells, axes, observed):
    """The cells are averaged over the batch too."""
    total = accumulate(_kept(cells, observed), axes)
    return total.mean(dim=-1, keepdim=True).expand_as(total)


@_sums("event of reals", "sum of its cells in float64")
def _in_float32(cells, axes, observed):
    """The cells are summed in float32."""
    return _kept(cells, observed).flatten(-axes).sum(-1).double()


@_sums("event of bits", "log p\\(nothing|a sum over cells")
def _ignored(cells, axes, observed):
    """Ignored mask: unobserved cells are counted."""
    return accumulate(cells, axes)


@_sums("event of bits", "a sum over cells|nothing")
def _inverted(cells, axes, observed):
    """The mask is inverted: what was observed is left out."""
    return accumulate(_kept(cells, None if observed is None else ~observed), axes)


@_sums("event of reals", "a sum over cells")
def _per_observed(cells, axes, observed):
    """Averaged instead of summed: over the observed cells, times all."""
    if observed is None:
        return accumulate(cells, axes)
    share = observed.double().mean().clamp(min=1e-9)
    return accumulate(_kept(cells, observed), axes) / share


# --- what counts as data, and what is learned


@EVENTS.plant("bernoulli", "must refuse", _BERNOULLI)
class _AcceptsAll(_BERNOULLI):
    """Anything is accepted as data."""

    def check(self, x, name="x"):
        pass


@EVENTS.plant("gaussian", "must refuse nan", _GAUSSIAN)
class _AcceptsNan(_GAUSSIAN):
    """Missing values that are nan are accepted as data."""

    def check(self, x, name="x"):
        super().check(x.nan_to_num(nan=0.0, posinf=math.inf, neginf=-math.inf), name)


@EVENTS.plant("event of bits", "batch of z|another row", Fields)
class _MeanOverDraws(Fields):
    """The decoder is given the mean of its rows."""

    def forward(self, context=None):
        z = torch.as_tensor(context)
        return super().forward(z + 0.1 * z.mean(dim=-2, keepdim=True))


@EVENTS.plant("learned scale", "no gradient of p.* reaches '.*scale", likelihoods.SharedScale)
class _StillScale(likelihoods.SharedScale):
    """The scale of p(x|z) is detached, and never learned."""

    def forward(self):
        return super().forward().detach()


# --- columns of several kinds


def _columns(says: str) -> Any:
    """Plant a function of the columns, as the right law has them, that makes other ones."""

    def make(change: Callable) -> type[Fields]:
        class Changed(Fields):
            def forward(self, context: Tensor | None = None) -> Product:
                law: Any = super().forward(context)
                return change(law.parts)

        return Changed

    return EVENTS.plant("columns", says, Fields, make=make)


@_columns("refuses its own draws")
def _other_columns(parts):
    """The columns are put back in another order."""
    reals, bits = parts
    return Product([Columns(torch.tensor([1, 0]), reals.law), Columns(torch.tensor([2]), bits.law)])


@_columns("a sum over cells|nothing")
def _counted_columns(parts):
    """Ignored mask: unobserved cells of one kind are counted."""
    return _Counted(parts)


class _Counted(Product):
    def cells(self, value: Tensor, observed: Tensor | None = None) -> Tensor:
        if observed is None:
            return super().cells(value)
        reals = torch.tensor([True, False, True])
        return torch.where(reals, super().cells(value), super().cells(value, observed))
