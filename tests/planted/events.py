"""Errors in the event of p(x|z): the sum over cells, their mask, what counts as data."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lowerbound import likelihoods
from lowerbound.distributions import Independent, accumulate
from lowerbound.likelihoods import Likelihood
from lowerbound.networks import MLP
from lowerbound.testing.conformance import check_likelihood
from lowerbound.testing.table import latent_batch
from planted.likelihoods import LIKELIHOODS
from planted.subject import Subject

_LOGISTIC, _BERNOULLI, _GAUSSIAN = (
    likelihoods.DiscretizedLogistic,
    likelihoods.Bernoulli,
    likelihoods.Gaussian,
)
_RIGHT: dict[str, type[Likelihood]] = {"bernoulli": _BERNOULLI, "gaussian": _GAUSSIAN}

EVENTS = Subject(
    "events",
    {
        **{name: LIKELIHOODS.checks[name] for name in ("logistic", "bernoulli", "gaussian")},
        "learned scale": lambda scale: check_likelihood(
            _GAUSSIAN(MLP((3,), (1, 2), (8,)), scale(0.4)), latent_batch().float()
        ),
    },
)


# --- the sum over cells


def _sums(check: str, says: str) -> Any:
    """Plant a function of (cells, axes of the event, mask) as the sum over cells."""

    def make(reduce: Callable) -> type[Likelihood]:
        class Sums(Independent):
            def log_prob(self, value: Tensor, observed: Tensor | None = None) -> Tensor:
                cells = self.base_dist.log_prob(value)
                return reduce(cells, self.reinterpreted_batch_ndims, observed)

        class Changed(_RIGHT[check]):
            def forward(self, context: Tensor | None = None) -> Independent:
                law = super().forward(context)
                return Sums(law.base_dist, law.reinterpreted_batch_ndims)

        return Changed

    return EVENTS.plant(check, says, _RIGHT[check], make=make)


def _kept(cells: Tensor, observed: Tensor | None) -> Tensor:
    return cells if observed is None else torch.where(observed, cells, 0.0)


@_sums("gaussian", "sum of its cells")
def _averaged(cells, axes, observed):
    """Averaged instead of summed: log p(x|z) is the mean over the event."""
    return accumulate(_kept(cells, observed), axes) / cells[0, 0].numel()


@_sums("gaussian", "sum of its cells")
def _over_the_batch(cells, axes, observed):
    """The cells are averaged over the batch too."""
    total = accumulate(_kept(cells, observed), axes)
    return total.mean(dim=-1, keepdim=True).expand_as(total)


@_sums("gaussian", "sum of its cells in float64")
def _in_float32(cells, axes, observed):
    """The cells are summed in float32."""
    return _kept(cells, observed).flatten(-axes).sum(-1).double()


@_sums("bernoulli", "log p\\(nothing|a sum over cells")
def _ignored(cells, axes, observed):
    """Ignored mask: unobserved cells are counted."""
    return accumulate(cells, axes)


@_sums("bernoulli", "a sum over cells|nothing")
def _inverted(cells, axes, observed):
    """The mask is inverted: what was observed is left out."""
    return accumulate(_kept(cells, None if observed is None else ~observed), axes)


@_sums("gaussian", "a sum over cells")
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


@EVENTS.plant("logistic", "batch of z|another row", _LOGISTIC)
class _MeanOverDraws(_LOGISTIC):
    """The decoder is given the mean of its rows."""

    def forward(self, context=None):
        z = torch.as_tensor(context)
        return super().forward(z + 0.1 * z.mean(dim=-2, keepdim=True))


@EVENTS.plant("learned scale", "no gradient of p.* reaches 'scale", likelihoods.SharedScale)
class _StillScale(likelihoods.SharedScale):
    """The scale of p(x|z) is detached, and never learned."""

    def forward(self):
        return super().forward().detach()
