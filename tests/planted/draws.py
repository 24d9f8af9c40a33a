"""Errors in the draws of a posterior: their noise, their law and the gradients they carry."""

from typing import Any

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal

from lowerbound import distributions
from lowerbound.core.conditional import Conditional
from lowerbound.distributions import Independent
from lowerbound.networks import MLP
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.testing.calibration import check_calibration
from lowerbound.testing.conformance import check_posterior
from lowerbound.testing.references.linear_gaussian import LinearGaussian
from planted.priors import Law
from planted.subject import Subject

_REFERENCE = LinearGaussian.random(2, 4, orthogonal=True)
_X = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))

DRAWS = Subject(
    "draws",
    {
        "posterior": lambda make: check_posterior(make(MLP((4,), (2, 3), (8,))), _X),
        "calibration": lambda q: check_calibration(_REFERENCE, q),
    },
)


def _posterior_of(law: type[Law]) -> type[Conditional]:
    class Posterior(DiagonalGaussian):
        def forward(self, context: Tensor | None = None) -> Independent:
            q = super().forward(context)
            return law(q.base_dist.loc, q.base_dist.scale)

    return Posterior


def _plant(says: str) -> Any:
    return DRAWS.plant("posterior", says, DiagonalGaussian, make=_posterior_of)


# --- draws


class _Draws(Law):
    """Draws of its own, the same by `sample` and by `rsample`."""

    def sample(self, sample_shape=()):
        return self.rsample(sample_shape).detach()


@_plant("scale|integral")
class _DrawsByVariance(_Draws):
    """Wrong scale: draws are scaled by the variance."""

    def rsample(self, sample_shape=()):
        return self.loc + self.spread.square() * self.noise(sample_shape)


@_plant("shift|scale")
class _DrawsMirrored(_Draws):
    """The mean of draws has the wrong sign."""

    def rsample(self, sample_shape=()):
        return -self.loc + self.spread * self.noise(sample_shape)


@_plant("share their noise")
class _SharedNoise(_Draws):
    """Shared noise: all rows have the same."""

    def rsample(self, sample_shape=()):
        return self.loc + self.spread * self.noise(sample_shape)[..., :1, :]


@_plant("same draw")
class _FirstDraw(_Draws):
    """Shared noise: the first draw is used for all K."""

    def rsample(self, sample_shape=()):
        z = self.loc + self.spread * self.noise()
        return z.expand(*sample_shape, *z.shape)


@_plant("scale")
class _OnlyRsample(Law):
    """Draws by `rsample` have the variance for their scale, those by `sample` do not."""

    def rsample(self, sample_shape=()):
        return self.loc + self.spread.square() * self.noise(sample_shape)


@_plant("shift|scale")
class _NextRow(_Draws):
    """Draws of one row are handed to the next."""

    def rsample(self, sample_shape=()):
        return (self.loc + self.spread * self.noise(sample_shape)).roll(1, dims=-2)


@_plant("shift|scale|shape|integral")
class _Squashed(_Draws):
    """Missing Jacobian: draws are squashed, the density is that before."""

    def rsample(self, sample_shape=()):
        return (self.loc + self.spread * self.noise(sample_shape)).tanh()


@_plant("integral")
class _NoLogScale(_Draws):
    """The log-determinant of the scale is forgotten."""

    def rsample(self, sample_shape=()):
        return Independent.rsample(self, torch.Size(sample_shape))

    def log_prob(self, value, observed=None):
        return super().log_prob(value) + self.spread.log().double().sum(dim=-1)


# --- gradients


@_plant("no gradient")
class _Still(_Draws):
    """Draws and density are cut off from the network."""

    def rsample(self, sample_shape=()):
        return self.loc.detach() + self.spread.detach() * self.noise(sample_shape)

    def log_prob(self, value, observed=None):
        return Law(self.loc.detach(), self.spread.detach()).log_prob(value)


@_plant("gradient of draws")
class _StillScale(_Draws):
    """The scale of draws is detached."""

    def rsample(self, sample_shape=()):
        return self.loc + self.spread.detach() * self.noise(sample_shape)


@_plant("gradient of draws")
class _StillMean(_Draws):
    """The mean of draws is detached."""

    def rsample(self, sample_shape=()):
        return self.loc.detach() + self.spread * self.noise(sample_shape)


@_plant("gradient of log q")
class _StillDensity(Law):
    """Detached entropy: the scale in log q(z|x) is cut off from the network."""

    def log_prob(self, value, observed=None):
        return Law(self.loc, self.spread.detach()).log_prob(value)


@_plant("stop its gradient")
class _NotDetached(Law):
    """A posterior held constant is not constant."""


@distributions.detached.register
def _(law: _NotDetached) -> _NotDetached:
    return law


@_plant("stop its gradient")
class _DetachedElsewhere(Law):
    """A posterior held constant is another one."""


@distributions.detached.register
def _(law: _DetachedElsewhere) -> Law:
    return Law(law.loc.detach(), 2 * law.spread.detach())


# --- what only simulation sees


def _off(shift: float, factor: float) -> Any:
    def posterior(x: Tensor) -> MultivariateNormal:
        q = _REFERENCE.posterior(x)
        return MultivariateNormal(q.mean + shift, q.covariance_matrix * factor**2)

    return posterior


def _independent(x: Tensor) -> Independent:
    """The posterior does not look at x: it is the prior."""
    zero = torch.zeros(len(x), _REFERENCE.latents, dtype=x.dtype)
    return Independent(Normal(0.5 + zero, 1 + zero), 1)


for _words, _says, _wrong in (
    ("wrong scale: the posterior is too wide", "variance", _off(0, 1.2)),
    ("wrong scale: the posterior is too narrow", "variance", _off(0, 0.8)),
    ("the posterior is shifted", "mean", _off(0.1, 1.0)),
    ("the posterior is another law that does not look at x", "mean|variance", _independent),
):
    DRAWS.enter(_words, "calibration", _says, _wrong, _REFERENCE.posterior)
