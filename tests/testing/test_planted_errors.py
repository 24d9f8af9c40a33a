"""The checks of parts are checked: each of these errors is planted, and a check must say so.

See `lowerbound.testing.Planted`: the same part without the error must pass.
"""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal, Normal

from lowerbound import distributions, likelihoods, posteriors, priors
from lowerbound.distributions import Independent, accumulate
from lowerbound.networks import MLP
from lowerbound.testing import (
    LinearGaussian,
    Planted,
    check_known_answer,
    check_likelihood,
    check_posterior,
    check_prior,
    latent_batch,
)

REFERENCE = LinearGaussian.random(2, 4, orthogonal=True)
X = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))

CHECKS: dict[str, Callable] = {
    "prior": lambda part: check_prior(part(3)),
    "known prior": lambda part: check_known_answer(
        REFERENCE, REFERENCE.vae(posteriors.DiagonalGaussian, part)
    ),
    "posterior": lambda part: check_posterior(part(MLP((4,), (2, 3), (8,))), X),
    "full posterior": lambda part: check_posterior(part(MLP((4,), (4, 3), (8,))), X),
    "known answer": lambda part: check_known_answer(REFERENCE, REFERENCE.vae(part)),
    "logistic": lambda part: check_likelihood(part(MLP((3,), (2, 2), (8,)), 9), latent_batch()),
    "bernoulli": lambda part: check_likelihood(part(MLP((3,), (1, 2), (8,))), latent_batch()),
    "gaussian": lambda part: check_likelihood(
        part(MLP((3,), (1, 2), (8,)), likelihoods.FixedScale(0.4), 3.0, 2.0),
        latent_batch().float(),
    ),
}

PLANTED: dict[str, Planted] = {}


def enter(words: str, check: str, says: str, wrong, right) -> None:
    PLANTED[f"{check}: {words}"] = Planted(words, CHECKS[check], says, wrong, right)


def plant(words: str, check: str, says: str, right) -> Callable:
    def decorate(wrong):
        enter(words, check, says, wrong, right)
        return wrong

    return decorate


# --- priors


class Law(Independent):
    """Independent normal units, of which one method is about to be wrong."""

    def __init__(self, mean, scale) -> None:
        super().__init__(Normal(mean, scale, validate_args=False), 1)

    @property
    def loc(self):
        return self.base_dist.loc

    @property
    def spread(self):
        return self.base_dist.scale


@distributions.detached.register
def _(law: Law) -> Law:
    return type(law)(law.loc.detach(), law.spread.detach())


def prior_of(law: type[Law]) -> type:
    class Prior(priors.StandardNormal):
        def forward(self, context=None):
            return law(self.zero, self.one)

    return Prior


def plant_prior(words: str, says: str, check: str = "prior") -> Callable:
    def decorate(law):
        enter(words, check, says, prior_of(law), priors.StandardNormal)
        return law

    return decorate


@plant_prior("the constant log 2 pi is dropped", "integral")
@plant_prior(
    "the constant log 2 pi is dropped, seen by the known answer", "it should be", "known prior"
)
class NoConstant(Law):
    def log_prob(self, value, observed=None):
        return super().log_prob(value) + 0.5 * self.event_shape[0] * math.log(2 * math.pi)


@plant_prior("the constant is that of one dimension, not of D", "integral")
class OneConstant(Law):
    def log_prob(self, value, observed=None):
        return -0.5 * (value.double().square().sum(dim=-1) + math.log(2 * math.pi))


@plant_prior("the half before the square is missing", "integral")
class NoHalf(Law):
    def log_prob(self, value, observed=None):
        return super().log_prob(value) - 0.5 * value.double().square().sum(dim=-1)


@plant_prior("draws are wider than the density says", "scale")
class WideDraws(Law):
    def sample(self, sample_shape=()):
        return 1.2 * super().sample(sample_shape)


@plant_prior("draws are rotated against the density", "shift|scale")
class SkewDraws(Law):
    def sample(self, sample_shape=()):
        z = super().sample(sample_shape)
        return z + 0.4 * z.roll(1, dims=-1)


@plant_prior("the density overflows far from the origin", "not finite")
class Overflows(Law):
    def log_prob(self, value, observed=None):
        return super().log_prob(value.half().square().sqrt().to(value.dtype))


# --- posteriors

DIAGONAL, FULL = posteriors.DiagonalGaussian, posteriors.FullGaussian


def posterior_of(law: type[Law]) -> type:
    class Posterior(DIAGONAL):
        def forward(self, context=None):
            q = super().forward(context)
            return law(q.base_dist.loc, q.base_dist.scale)

    return Posterior


@plant(
    "the log of the scale is taken for the log of the variance",
    "known answer",
    "it should",
    DIAGONAL,
)
class LogVariance(DIAGONAL):
    def forward(self, context=None):
        mean, log_variance = self.network(context).unbind(dim=-2)
        return Independent(Normal(mean, (0.5 * log_variance).exp()), 1)


@plant("the variance is taken for the scale", "known answer", "it should", DIAGONAL)
class VarianceAsScale(DIAGONAL):
    def forward(self, context=None):
        mean, log_scale = self.network(context).unbind(dim=-2)
        return Independent(Normal(mean, (2 * log_scale).exp()), 1)


class DrawsByVariance(Law):
    def rsample(self, sample_shape=()):
        noise = torch.randn(*sample_shape, *self.loc.shape, dtype=self.loc.dtype)
        return self.loc + self.spread.square() * noise

    def sample(self, sample_shape=()):
        return self.rsample(sample_shape).detach()


class DrawsMirrored(DrawsByVariance):
    def rsample(self, sample_shape=()):
        noise = torch.randn(*sample_shape, *self.loc.shape, dtype=self.loc.dtype)
        return -self.loc + self.spread * noise


class SharedNoise(DrawsByVariance):
    def rsample(self, sample_shape=()):
        noise = torch.randn(*sample_shape, 1, self.loc.shape[-1], dtype=self.loc.dtype)
        return self.loc + self.spread * noise


class StillMean(DrawsByVariance):
    def rsample(self, sample_shape=()):
        noise = torch.randn(*sample_shape, *self.loc.shape, dtype=self.loc.dtype)
        return self.loc.detach() + self.spread.detach() * noise

    def log_prob(self, value, observed=None):
        return Law(self.loc.detach(), self.spread.detach()).log_prob(value)


class NoLogScale(DrawsByVariance):
    def rsample(self, sample_shape=()):
        return Independent.rsample(self, torch.Size(sample_shape))

    def log_prob(self, value, observed=None):
        return super().log_prob(value) + self.spread.log().double().sum(dim=-1)


LAWS = [
    ("draws are scaled by the variance", "scale|integral", DrawsByVariance),
    ("the mean of draws has the wrong sign", "shift|scale", DrawsMirrored),
    ("all rows share their noise", "share their noise", SharedNoise),
    ("draws and density are cut off from the network", "no gradient|does not require", StillMean),
    ("the log-determinant of the scale is forgotten", "integral", NoLogScale),
]
for words, says, law in LAWS:
    enter(words, "posterior", says, posterior_of(law), DIAGONAL)


@plant("rows are centred by the mean of their batch", "posterior", "another row", DIAGONAL)
class BatchMean(DIAGONAL):
    def forward(self, context=None):
        return super().forward(context - context.mean(dim=0, keepdim=True))


@plant("an extreme network overflows the scale", "posterior", "not finite", DIAGONAL)
class NoClamp(DIAGONAL):
    def forward(self, context=None):
        mean, log_scale = (10 * self.network(context)).unbind(dim=-2)
        return Independent(Normal(mean, log_scale.exp(), validate_args=False), 1)


@plant("copies share their weights", "posterior", "shares weights", DIAGONAL)
class SharedCopies(DIAGONAL):
    def __deepcopy__(self, memo):
        twin = type(self)(self.network)
        memo[id(self)] = twin
        return twin


class NoDeterminant(MultivariateNormal):
    def log_prob(self, value):
        return super().log_prob(value) + torch.diagonal(
            self.scale_tril, dim1=-2, dim2=-1
        ).log().sum(-1)


class TransposedFactor(MultivariateNormal):
    def rsample(self, sample_shape=()):
        noise = torch.randn(*sample_shape, *self.loc.shape, dtype=self.loc.dtype)
        return self.loc + torch.einsum("...ji,...j->...i", self.scale_tril * SHEAR, noise)

    def sample(self, sample_shape=()):
        return self.rsample(sample_shape).detach()


SHEAR = torch.ones(3, 3) + torch.ones(3, 3).tril(-1)


@distributions.detached.register(NoDeterminant)
@distributions.detached.register(TransposedFactor)
def _(law):
    return type(law)(law.loc.detach(), scale_tril=law.scale_tril.detach(), validate_args=False)


def full_of(law: type) -> type:
    class Posterior(FULL):
        def forward(self, context=None):
            q = super().forward(context)
            return law(q.loc, scale_tril=q.scale_tril, validate_args=False)

    return Posterior


enter(
    "the log-determinant of L is forgotten",
    "full posterior",
    "integral",
    full_of(NoDeterminant),
    FULL,
)
enter("draws use the transpose of L", "full posterior", "scale", full_of(TransposedFactor), FULL)


# --- likelihoods

LOGISTIC, BERNOULLI, GAUSSIAN = (
    likelihoods.DiscretizedLogistic, likelihoods.Bernoulli, likelihoods.Gaussian,
)  # fmt: skip


def cells_of(likelihood: type, wrong: Callable) -> type:
    """A likelihood whose cells are changed by `wrong`, from the law of the right ones."""

    class Changed(likelihood):
        def cells(self, parameters):
            law = super().cells(parameters)
            law.__class__ = wrong(type(law))
            return law

    return Changed


def plant_cells(words: str, check: str, says: str) -> Callable:
    def decorate(wrong):
        right = {"logistic": LOGISTIC, "bernoulli": BERNOULLI, "gaussian": GAUSSIAN}[check]
        enter(words, check, says, cells_of(right, wrong), right)
        return wrong

    return decorate


def overrides(name: str, method: Callable) -> Callable:
    return lambda law: type(f"Planted{law.__name__}", (law,), {name: method(getattr(law, name))})


CELLS = [
    ("the end bins do not reach to infinity", "logistic", "sum over the levels", "log_prob",
     lambda log_prob: lambda p, x: _inner_bins(p, x)),
    ("the edges of all bins are off by half a bin", "logistic", "mean of", "log_prob",
     lambda log_prob: lambda p, x: _half_off(p, x)),
    ("the mass of a bin is a density", "logistic", "sum over the levels", "log_prob",
     lambda log_prob: lambda p, x: _density(p, x)),
    ("draws are rounded down", "logistic", "of draws", "sample",
     lambda sample: lambda p, shape=(): (sample(p, shape) - 0.5).floor().clamp(min=0)),
    ("draws have the squared scale", "logistic", "draws", "sample",
     lambda sample: lambda p, shape=(): _narrow(p, shape)),
    ("the logit has the wrong sign", "bernoulli", "mean of", "log_prob",
     lambda log_prob: lambda p, x: log_prob(p, 1 - x)),
    ("the constant log 2 pi is dropped", "gaussian", "integral", "log_prob",
     lambda log_prob: lambda p, x: log_prob(p, x) + 0.5 * math.log(2 * math.pi)),
    ("the half before the square is missing", "gaussian", "integral", "log_prob",
     lambda log_prob: lambda p, x: log_prob(p, x) - ((x - p.loc) / p.scale).square() / 2),
    ("the unit's Jacobian is forgotten", "gaussian", "integral", "log_prob",
     lambda log_prob: lambda p, x: log_prob(p, x) + math.log(2.0)),
    ("the density takes the scale for the variance", "gaussian", "spread", "log_prob",
     lambda log_prob: lambda p, x: Normal(p.loc, p.scale.sqrt() / 2).log_prob(x)),
    ("draws have the wrong sign", "gaussian", "mean of draws", "sample",
     lambda sample: lambda p, shape=(): -sample(p, shape)),
    ("draws have the variance for their scale", "gaussian", "spread", "sample",
     lambda sample: lambda p, shape=(): p.loc + (sample(p, shape) - p.loc) * 2.0),
]  # fmt: skip


def _edges(p, x):
    rate = (-p.log_scale).exp()
    centre = (x.double() * p._step - 1 - p.location) * rate
    return centre, p._step * rate / 2


def _inner_bins(p, x):
    centre, half = _edges(p, x)
    return (torch.sigmoid(centre + half) - torch.sigmoid(centre - half)).log()


def _half_off(p, x):
    centre, half = _edges(p, x)
    upper = torch.where(x < p.levels - 1, torch.sigmoid(centre + 2 * half), 1.0)
    return (upper - torch.where(x > 0, torch.sigmoid(centre), 0.0)).log()


def _density(p, x):
    centre, half = _edges(p, x)
    return -centre - 2 * nn.functional.softplus(-centre) + (2 * half).log()


def _narrow(p, shape):
    return distributions.DiscretizedLogistic(p.location, 2 * p.log_scale - 1, p.levels).sample(
        shape
    )


for words, check, says, name, method in CELLS:
    plant_cells(words, check, says)(overrides(name, method))


def event_of(likelihood: type, reduce: Callable) -> type:
    """A likelihood whose cells are summed in another way."""

    class Sums(Independent):
        def log_prob(self, value, observed=None):
            cells = self.base_dist.log_prob(value)
            if observed is not None:
                cells = torch.where(observed, cells, 0.0)
            return reduce(cells, self.reinterpreted_batch_ndims)

    class Changed(likelihood):
        def forward(self, context=None):
            law = super().forward(context)
            return Sums(law.base_dist, law.reinterpreted_batch_ndims)

    return Changed


enter(
    "log p(x|z) is the mean over the event",
    "gaussian",
    "sum of its cells",
    event_of(GAUSSIAN, lambda c, n: accumulate(c, n) / c[0, 0].numel()),
    GAUSSIAN,
)
enter(
    "log p(x|z) is summed in float32",
    "gaussian",
    "sum of its cells in float64",
    event_of(GAUSSIAN, lambda c, n: c.flatten(-n).sum(-1).double()),
    GAUSSIAN,
)
enter(
    "log p(x|z) stays float32",
    "gaussian",
    "sum of its cells|float64",
    event_of(GAUSSIAN, lambda c, n: c.flatten(-n).sum(-1)),
    GAUSSIAN,
)


@plant("anything is accepted as data", "bernoulli", "must refuse", BERNOULLI)
class AcceptsAll(BERNOULLI):
    def check(self, x, name="x"):
        pass


def test_there_are_planted_errors_for_every_check():
    assert len(PLANTED) >= 35
    assert {name.split(":")[0] for name in PLANTED} == set(CHECKS)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_caught_by_a_named_check(name: str):
    PLANTED[name].must_be_caught()
