"""Errors in posteriors: their scale, the closed form of their rate, their rows."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, Normal, register_kl

from lowerbound import distributions
from lowerbound.core.conditional import Conditional
from lowerbound.distributions import Independent, UnitNormal
from lowerbound.networks import MLP
from lowerbound.posteriors import DiagonalGaussian, FullGaussian
from lowerbound.testing.calibration import check_known_answer
from lowerbound.testing.conformance import check_posterior
from lowerbound.testing.references.linear_gaussian import LinearGaussian
from planted.subject import Subject

_REFERENCE = LinearGaussian.random(2, 4, orthogonal=True)
_X = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))

POSTERIORS = Subject(
    "posteriors",
    {
        "posterior": lambda make: check_posterior(make(MLP((4,), (2, 3), (8,))), _X),
        "full posterior": lambda make: check_posterior(make(MLP((4,), (4, 3), (8,))), _X),
        "known answer": lambda make: check_known_answer(_REFERENCE, _REFERENCE.vae(make)),
    },
)


# --- the network's output


@POSTERIORS.plant("known answer", "it should", DiagonalGaussian)
class _LogVariance(DiagonalGaussian):
    """The log of the scale is taken for the log of the variance."""

    def forward(self, context=None):
        mean, log_variance = self.network(context).unbind(dim=-2)
        return Independent(Normal(mean, (0.5 * log_variance).exp()), 1)


@POSTERIORS.plant("known answer", "it should", DiagonalGaussian)
class _VarianceAsScale(DiagonalGaussian):
    """Wrong scale: the variance is taken for the scale."""

    def forward(self, context=None):
        mean, log_scale = self.network(context).unbind(dim=-2)
        return Independent(Normal(mean, (2 * log_scale).exp()), 1)


@POSTERIORS.plant("known answer", "it should", DiagonalGaussian)
class _SwappedOutputs(DiagonalGaussian):
    """Swapped terms: mean and log-scale are exchanged."""

    def forward(self, context=None):
        log_scale, mean = self.network(context).unbind(dim=-2)
        return Independent(Normal(mean, log_scale.exp()), 1)


@POSTERIORS.plant("known answer", "it should", DiagonalGaussian)
class _Softplus(DiagonalGaussian):
    """The scale is softplus of what is the log of the scale."""

    def forward(self, context=None):
        mean, h = self.network(context).unbind(dim=-2)
        return Independent(Normal(mean, nn.functional.softplus(h)), 1)


@POSTERIORS.plant("posterior", "not finite", DiagonalGaussian)
class _NoClamp(DiagonalGaussian):
    """An extreme network overflows the scale."""

    def forward(self, context=None):
        mean, log_scale = self.network(context).unbind(dim=-2)
        return Independent(Normal(mean, log_scale.exp(), validate_args=False), 1)


@POSTERIORS.plant("posterior", "not finite", DiagonalGaussian)
class _NegativeScale(DiagonalGaussian):
    """The scale is not made positive."""

    def forward(self, context=None):
        mean, scale = self.network(context).unbind(dim=-2)
        return Independent(Normal(mean, scale, validate_args=False), 1)


@POSTERIORS.plant("posterior", "batch \\(4,\\)", DiagonalGaussian)
class _NoEvent(DiagonalGaussian):
    """The units of the posterior are a batch, not an event."""

    def forward(self, context=None):
        return super().forward(context).base_dist  # type: ignore[return-value]


# --- closed forms of the rate


class _Cell(Normal):
    """A normal law whose closed KL is about to be wrong."""


class _NoMeanCell(_Cell):
    """The closed rate forgets the mean."""


class _WrongSignCell(_Cell):
    """The closed rate has the log-variance with the wrong sign."""


class _ReverseCell(_Cell):
    """Swapped terms: the closed rate is KL(p || q)."""


@register_kl(_NoMeanCell, Normal)
@register_kl(_NoMeanCell, UnitNormal)
def _(q: Normal, p: Normal) -> Tensor:
    return (q.scale.square() - 1) / 2 - q.scale.log()


@register_kl(_WrongSignCell, Normal)
@register_kl(_WrongSignCell, UnitNormal)
def _(q: Normal, p: Normal) -> Tensor:
    return (q.scale.square() + q.loc.square() - 1) / 2 + q.scale.log()


@register_kl(_ReverseCell, Normal)
@register_kl(_ReverseCell, UnitNormal)
def _(q: Normal, p: Normal) -> Tensor:
    return q.scale.log() + (1 + q.loc.square()) / (2 * q.scale.square()) - 0.5


def _far(cell: type[Normal]) -> type[Conditional]:
    """A posterior far from the prior, where a wrong rate is a different number."""

    class Posterior(DiagonalGaussian):
        def forward(self, context: Tensor | None = None) -> Independent:
            q = super().forward(context).base_dist
            return Independent(cell(1.5 + q.loc, 0.5 * q.scale, validate_args=False), 1)

    return Posterior


_FAR = _far(Normal)
for _cell in (_NoMeanCell, _WrongSignCell, _ReverseCell):
    POSTERIORS.plant("posterior", "closed KL", _FAR, make=_far)(_cell)


# --- rows and copies


@POSTERIORS.plant("posterior", "another row", DiagonalGaussian)
class _BatchMean(DiagonalGaussian):
    """Rows are centred by the mean of their batch."""

    def forward(self, context=None):
        x = torch.as_tensor(context)
        return super().forward(x - x.mean(dim=0, keepdim=True))


@POSTERIORS.plant("posterior", "another row", DiagonalGaussian)
class _PooledScale(DiagonalGaussian):
    """The scale is pooled over the batch."""

    def forward(self, context=None):
        q = super().forward(context).base_dist
        return Independent(Normal(q.loc, q.scale.mean(dim=0, keepdim=True).expand_as(q.scale)), 1)


@POSTERIORS.plant("posterior", "shares weights", DiagonalGaussian)
class _SharedCopies(DiagonalGaussian):
    """Copies share their weights."""

    def __deepcopy__(self, memo: dict) -> Conditional:
        twin = type(self)(self.network)
        memo[id(self)] = twin
        return twin


# --- correlated units

_SHEAR = torch.ones(3, 3) + 0.5 * torch.ones(3, 3).tril(-1)


def _full_of(law: Any) -> type[Conditional]:
    class Posterior(FullGaussian):
        def forward(self, context: Tensor | None = None) -> MultivariateNormal:
            q = super().forward(context)
            return law(q.loc, scale_tril=q.scale_tril, validate_args=False)

    return Posterior


@POSTERIORS.plant("full posterior", "integral", FullGaussian, make=_full_of)
class _NoDeterminant(MultivariateNormal):
    """The log-determinant of L is forgotten."""

    def log_prob(self, value):
        diagonal = torch.diagonal(self.scale_tril, dim1=-2, dim2=-1)
        return super().log_prob(value) + diagonal.log().sum(dim=-1)


@POSTERIORS.plant("full posterior", "scale", FullGaussian, make=_full_of)
class _TransposedFactor(MultivariateNormal):
    """Draws use the transpose of L."""

    def rsample(self, sample_shape=()):
        noise = torch.randn(*sample_shape, *self.loc.shape, dtype=self.loc.dtype)
        return self.loc + torch.einsum("...ji,...j->...i", self.scale_tril * _SHEAR, noise)

    def sample(self, sample_shape=()):
        return self.rsample(sample_shape).detach()


@distributions.detached.register(_NoDeterminant)
@distributions.detached.register(_TransposedFactor)
def _(law: MultivariateNormal) -> MultivariateNormal:
    return type(law)(law.loc.detach(), scale_tril=law.scale_tril.detach(), validate_args=False)


@POSTERIORS.plant("full posterior", "integral|scale", FullGaussian)
class _UpperTriangle(FullGaussian):
    """L keeps its upper triangle."""

    def forward(self, context=None):
        q, square = super().forward(context), self.network(context)[..., 1:, :]
        factor = q.scale_tril + 0.5 * square.triu(1)
        return MultivariateNormal(q.loc, scale_tril=factor, validate_args=False)
