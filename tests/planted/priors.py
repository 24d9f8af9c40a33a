"""Errors in priors, and in any law: constants, draws, what is summed and in which precision."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Laplace, Normal

from lowerbound import distributions, posteriors, priors
from lowerbound.core.conditional import Conditional
from lowerbound.distributions import Independent
from lowerbound.testing.calibration import check_known_answer
from lowerbound.testing.conformance import check_prior
from lowerbound.testing.references.linear_gaussian import LinearGaussian
from planted.subject import Subject

_REFERENCE = LinearGaussian.random(2, 4, orthogonal=True)
_LOG_TWO_PI = math.log(2 * math.pi)

PRIORS = Subject(
    "priors",
    {
        "prior": lambda make: check_prior(make(3)),
        "known prior": lambda make: check_known_answer(
            _REFERENCE, _REFERENCE.vae(posteriors.DiagonalGaussian, make)
        ),
    },
)


class Law(Independent):
    """Independent normal units, of which one method is about to be wrong."""

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        super().__init__(Normal(mean, scale, validate_args=False), 1)

    @property
    def loc(self) -> Tensor:
        """Means."""
        return self.base_dist.loc

    @property
    def spread(self) -> Tensor:
        """Standard deviations."""
        return self.base_dist.scale

    def noise(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Standard normal noise of the draws' shape."""
        return torch.randn(*sample_shape, *self.loc.shape, dtype=self.loc.dtype)


@distributions.detached.register
def _(law: Law) -> Law:
    return type(law)(law.loc.detach(), law.spread.detach())


def prior_of(law: type[Law], mean: float = 0.0, scale: float = 1.0) -> type[Conditional]:
    """A prior with that law."""

    class Prior(priors.StandardNormal):
        def forward(self, context: Tensor | None = None) -> Independent:
            return law(self.zero + mean, self.one * scale)

    return Prior


def _plant(check: str, says: str) -> Any:
    return PRIORS.plant(check, says, priors.StandardNormal, make=prior_of)


_WIDE = prior_of(Law, 1.0, 2.0)


def _plant_wide(check: str, says: str) -> Any:
    """The same for N(1, 2^2), where it shows."""
    return PRIORS.plant(check, says, _WIDE, make=lambda law: prior_of(law, 1.0, 2.0))


@_plant("known prior", "it should be")
@_plant("prior", "integral")
class _NoConstant(Law):
    """Dropped constant: log 2 pi is left out of log p(z)."""

    def log_prob(self, value, observed=None):
        return super().log_prob(value) + 0.5 * self.event_shape[0] * _LOG_TWO_PI


@_plant("prior", "integral")
class _OneConstant(Law):
    """The constant is that of one dimension, not of D."""

    def log_prob(self, value, observed=None):
        return -0.5 * (value.double().square().sum(dim=-1) + _LOG_TWO_PI)


@_plant("prior", "integral")
class _NoHalf(Law):
    """The half before the square is missing."""

    def log_prob(self, value, observed=None):
        return super().log_prob(value) - 0.5 * value.double().square().sum(dim=-1)


@_plant("prior", "integral")
class _UnitMean(Law):
    """Averaged instead of summed: log p(z) is the mean over its units."""

    def log_prob(self, value, observed=None):
        return super().log_prob(value) / self.event_shape[0]


@_plant("prior", "integral")
class _Bits(Law):
    """Log p(z) is in bits, not in nats."""

    def log_prob(self, value, observed=None):
        return super().log_prob(value) / math.log(2)


@_plant("prior", "has shape")
class _Unsummed(Law):
    """Log p(z) is not summed over the units."""

    def log_prob(self, value, observed=None):
        return self.base_dist.log_prob(value).double()


@_plant("prior", "scale")
class _WideDraws(Law):
    """Draws are wider than the density says."""

    def sample(self, sample_shape=()):
        return 1.2 * super().sample(torch.Size(sample_shape))


@_plant("prior", "shift|scale")
class _SkewDraws(Law):
    """Draws are rotated against the density."""

    def sample(self, sample_shape=()):
        z = super().sample(torch.Size(sample_shape))
        return z + 0.4 * z.roll(1, dims=-1)


@_plant("prior", "shape")
class _LaplaceDraws(Law):
    """Draws are of another family with the same mean and variance."""

    def sample(self, sample_shape=()):
        law = Laplace(self.loc, self.spread / math.sqrt(2))
        return law.sample(torch.Size(sample_shape))


@_plant("prior", "same draw")
class _OneDraw(Law):
    """One draw stands for all of them."""

    def sample(self, sample_shape=()):
        z = super().sample()
        return z.expand(*sample_shape, *z.shape)


@_plant("prior", "integral|scale")
class _SharedUnits(Law):
    """Shared noise: all units of z have the same draw."""

    def sample(self, sample_shape=()):
        return (
            super().sample(torch.Size(sample_shape))[..., :1].expand(*sample_shape, *self.loc.shape)
        )


@_plant("prior", "scale")
class _OnlySample(Law):
    """Draws by `sample` are narrowed by a temperature, those by `rsample` are not."""

    def sample(self, sample_shape=()):
        return 0.7 * super().sample(torch.Size(sample_shape))


@_plant("prior", "not finite")
class _Overflows(Law):
    """The density overflows far from the origin."""

    def log_prob(self, value, observed=None):
        return super().log_prob(value.half().square().sqrt().to(value.dtype))


@_plant_wide("prior", "integral")
class _NoLogScale(Law):
    """The log-determinant of the prior's scale is left out."""

    def log_prob(self, value, observed=None):
        return super().log_prob(value) + self.spread.log().double().sum()


@_plant_wide("prior", "scale")
class _ScaleAsVariance(Law):
    """Wrong scale: the prior draws with its scale taken for the variance."""

    def sample(self, sample_shape=()):
        return self.loc + self.spread.sqrt() * self.noise(sample_shape)


@_plant_wide("prior", "shift")
class _NoMean(Law):
    """Draws of the prior leave out its mean."""

    def sample(self, sample_shape=()):
        return self.spread * self.noise(sample_shape)


@PRIORS.plant("prior", "batch \\(\\)", priors.StandardNormal)
class _OverTheBatch(priors.StandardNormal):
    """The prior is broadcast over a batch."""

    def forward(self, context=None):
        return Law(self.zero.expand(4, -1), self.one.expand(4, -1))


@PRIORS.plant("prior", "batch \\(\\)", priors.StandardNormal)
class _UnitsAsBatch(priors.StandardNormal):
    """The units of the prior are a batch, not an event."""

    def forward(self, context=None) -> Any:
        return Normal(self.zero, self.one)


@PRIORS.plant("prior", "loses|does not fit", prior_of(Law))
class _LostWeights(priors.StandardNormal):
    """A learned mean is lost from the saved weights."""

    def __init__(self, latents: int) -> None:
        super().__init__(latents)
        self.mean = torch.nn.Parameter(torch.zeros(latents))

    def forward(self, context=None):
        return Law(self.zero + self.mean, self.one)

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        state = super().state_dict(*args, **kwargs)
        state.pop("mean", None)
        return state
