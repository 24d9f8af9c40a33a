"""Errors in exemplars, directions, shares and codes, and in the gradients of codes."""

from functools import partial

import torch
from torch.distributions import Dirichlet as TorchDirichlet

from lowerbound import priors
from lowerbound.core.trace import Bound
from lowerbound.distributions import Codes, PowerSpherical, Settled, detached
from lowerbound.distributions.codes import points_of
from lowerbound.networks import MLP
from lowerbound.objectives import RLOO, DisARM
from lowerbound.objectives.elbo import mean_of_draws
from lowerbound.posteriors import (
    DirichletPosterior,
    FiniteScalar,
    PowerSphericalPosterior,
    ResidualQuantised,
    VectorQuantised,
)
from lowerbound.seeding import seeded
from lowerbound.testing.codes import check_gradient_of_codes
from lowerbound.testing.conformance import check_posterior, check_prior
from planted.subject import Subject

_X = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))


def _network(rows: int, units: int = 3) -> MLP:
    """A network whose outputs depend much on x, always the same."""
    with seeded(0):
        network = MLP((4,), (rows, units), (8,))
    with torch.no_grad():
        for layer in network.linear:
            layer.weight.mul_(3.0)
    return network


PARTS = Subject(
    "parts",
    {
        "exemplars": lambda make: check_prior(make(3)),
        "codes prior": lambda make: check_prior(make(3)),
        "directions": lambda make: check_posterior(make(_network(2)), _X),
        "shares": lambda make: check_posterior(make(_network(1)), _X),
        "codes": lambda make: check_posterior(make(_network(1)), _X),
        "levels": lambda make: check_posterior(make(_network(1, 4)), _X),
        "scores": check_gradient_of_codes,
    },
)


# --- exemplars

_EXEMPLARS = partial(priors.ExemplarPrior, exemplars=5)


def _few(kind):
    return partial(kind, exemplars=5)


@PARTS.plant("exemplars", "knows the example itself", _EXEMPLARS, make=_few)
class _Itself(priors.ExemplarPrior):
    """An example is among its own exemplars."""

    def _about(self, means, log_weights):
        return super()._about(means, torch.zeros_like(log_weights))


@PARTS.plant("exemplars", "integral", _EXEMPLARS, make=_few)
class _Counted(priors.ExemplarPrior):
    """An example is left out of its exemplars, and their number stays as it was."""

    def _about(self, means, log_weights):
        law = super()._about(means, log_weights)
        if law.batch_shape:
            law.log_weights = law.log_weights + torch.tensor(1 - 1 / len(means)).log()
        return law


# --- directions


class _Around(PowerSphericalPosterior):
    """A posterior of directions of another law."""

    law: type[PowerSpherical] = PowerSpherical

    def forward(self, context=None):
        q = super().forward(context)
        return self.law(q.direction, q.concentration)


def _on(law):
    return type("On", (_Around,), {"law": law})


def _held(kind):
    detached.register(kind, lambda q: kind(q.direction.detach(), q.concentration.detach()))
    return kind


@PARTS.plant("directions", "off the unit sphere", PowerSphericalPosterior, make=_on)
@_held
class _Guarded(PowerSpherical):
    """The reflection divides by a length to which a small number was added."""

    def rsample(self, sample_shape=()):
        z = super().rsample(sample_shape)
        u = self.direction - torch.eye(self.event_shape[0], dtype=z.dtype)[0]
        u = u / (u.norm(dim=-1, keepdim=True) + 0.1)
        return z - 2 * u * (u * z).sum(dim=-1, keepdim=True)

    def sample(self, sample_shape=()):
        with torch.no_grad():
            return self.rsample(sample_shape)


@PARTS.plant("directions", "integral", PowerSphericalPosterior, make=_on)
@_held
class _OfTheCosine(PowerSpherical):
    """The density of directions is that of their cosine alone."""

    def _log_constant(self):
        from lowerbound.distributions.sphere import log_area

        return super()._log_constant() + log_area(self.event_shape[0] - 1)


@PARTS.plant("directions", "closed KL", PowerSphericalPosterior, make=_on)
@_held
class _EntropySign(PowerSpherical):
    """The entropy of directions has the mean logarithm with the wrong sign."""

    def entropy(self):
        return -2 * self._log_constant() - super().entropy()


@PARTS.plant("directions", "gradient of draws", PowerSphericalPosterior, make=_on)
@_held
class _DetachedConcentration(PowerSpherical):
    """Draws of directions carry no gradient to their concentration."""

    def rsample(self, sample_shape=()):
        held = PowerSpherical(self.direction, self.concentration.detach())
        return held.rsample(sample_shape)


# --- shares


@PARTS.plant("shares", "against its density", DirichletPosterior)
class _LogisticNormal(DirichletPosterior):
    """Draws of shares are of a Gaussian's softmax, their density is a Dirichlet's."""

    def forward(self, context=None):
        return _Softmax(super().forward(context).concentration, validate_args=False)


class _Softmax(TorchDirichlet):
    def rsample(self, sample_shape=()):
        logits = self.concentration.log()
        return (logits + torch.randn((*sample_shape, *logits.shape)).to(logits)).softmax(dim=-1)


@detached.register
def _(law: _Softmax) -> _Softmax:
    return _Softmax(law.concentration.detach(), validate_args=False)


# --- codes

_QUANTISED = partial(VectorQuantised, codes=4, size=1)


@PARTS.plant("codes", "no gradient", FiniteScalar)
class _Rounded(FiniteScalar):
    """Rounding stops the gradient."""

    def forward(self, context=None):
        return Settled(super().forward(context).value.detach())


@PARTS.plant("codes", "from a code", FiniteScalar)
class _NearLevels(FiniteScalar):
    """Levels are computed in bfloat16."""

    def __init__(self, network, levels=8):
        super().__init__(network, levels=levels)

    def forward(self, context=None):
        value = super().forward(context).value
        return Settled(value + (value.bfloat16().to(value) - value).detach())


@PARTS.plant("codes", "its own codes", _QUANTISED, make=lambda kind: partial(kind, codes=4, size=1))
class _PullAsNats(VectorQuantised):
    """What pulls codes and encoder to each other is told as nats."""

    def forward(self, context=None):
        return _Priced(*vars_of(super().forward(context)))


def vars_of(law):
    return law.value, law.pull


class _Priced(Settled):
    def log_prob(self, value):
        return super().log_prob(value) + self.pull


_RESIDUAL = partial(ResidualQuantised, codes=4, size=1, levels=2)
_residual = {"make": lambda kind: partial(kind, codes=4, size=1, levels=2)}


@PARTS.plant("levels", "from a code", _RESIDUAL, **_residual)
class _Summed(ResidualQuantised):
    """Every level gives the sum of the codes so far, which no codebook has."""

    def forward(self, context=None):
        law = super().forward(context)
        sums = law.value.unflatten(-1, (-1, 2)).cumsum(dim=-1).flatten(start_dim=-2)
        return Settled(sums, law.pull)


@PARTS.plant("levels", "from a code", _RESIDUAL, **_residual)
class _FineFirst(ResidualQuantised):
    """The levels stand in the other order: a prior reads them by the wrong codebooks."""

    def forward(self, context=None):
        law = super().forward(context)
        return Settled(law.value.unflatten(-1, (-1, 2)).flip(-1).flatten(start_dim=-2), law.pull)


@PARTS.plant("codes", "codes a chance", FiniteScalar)
class _EveryCode(FiniteScalar):
    """Every code has the chance 1 under q(z|x)."""

    def forward(self, context=None):
        return _Anything(super().forward(context).value)


class _Anything(Settled):
    def log_prob(self, value):
        return value.new_zeros(value.shape[:-1], dtype=torch.float64)


_CODES = partial(priors.CodesPrior, codes=3, width=8)


def _moved(kind):
    def make(latents):
        with seeded(0), torch.no_grad():
            prior = kind(latents, codes=3, width=8)
            prior.last.normal_()
        return prior

    return make


@PARTS.plant("codes prior", "sum of p", _moved(priors.CodesPrior), make=_moved)
class _SeesItself(priors.CodesPrior):
    """A code sees itself before its chances are said."""

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.mask2 = torch.roll(self.mask2, -3, dims=0)


@PARTS.plant("codes prior", "products of draws", _moved(priors.CodesPrior), make=_moved)
class _AllAtOnce(priors.CodesPrior):
    """All codes are drawn at once, each as if those before it were still to come."""

    def forward(self, context=None):
        p = super().forward()
        return _Parallel(p.points, p.variables, p.logits)


class _Parallel(Codes):
    @torch.no_grad()
    def sample(self, sample_shape=()):
        nothing = self.points.new_zeros(*sample_shape, *self.event_shape)
        digits = torch.distributions.Categorical(logits=self.logits(nothing)).sample()
        return points_of(self)[digits].flatten(start_dim=-2)


# --- gradients of codes


class _InItsBaseline(RLOO):
    """The baseline of a draw is the mean of all, itself among them."""

    def reduce(self, trace, beta=1.0):
        log_qz = trace.log_qz
        f = trace.log_px + beta * (trace.log_pz - log_qz)
        score = ((f - f.mean(dim=0)).detach() * (log_qz - log_qz.detach())).mean(dim=0)
        rate = mean_of_draws(log_qz - trace.log_pz)
        return Bound(f.mean(dim=0) + score, -trace.log_px.mean(dim=0), rate)


class _NoScore(RLOO):
    """Codes get no score at all."""

    def reduce(self, trace, beta=1.0):
        bound = super().reduce(trace, beta)
        f = trace.log_px + beta * (trace.log_pz - trace.log_qz)
        return Bound(f.mean(dim=0), bound.distortion, bound.rate)


class _Unweighted(DisARM):
    """Mirrored pairs are not weighed by how seldom they differ."""

    def reduce(self, trace, beta=1.0):
        bound, f = super().reduce(trace, beta), trace.log_px + trace.log_pz - trace.log_qz.detach()
        logits = trace.latents["z"].q.base_dist.logits  # type: ignore[attr-defined]
        one, other = trace.latents["z"].z.chunk(2)
        apart = (f[:1] - f[1:]).detach()
        score = 0.5 * apart * ((one - other) * (logits - logits.detach())).sum(dim=-1)
        return Bound(f.mean(dim=0) + score.mean(dim=0), bound.distortion, bound.rate)


for _wrong, _right in (
    (_InItsBaseline, partial(RLOO, 3)),
    (_NoScore, partial(RLOO, 3)),
    (_Unweighted, partial(DisARM, 2)),
):
    _draws = _right.args[0]
    PARTS.plant("scores", "of draws of codes", _right, make=lambda k, d=_draws: partial(k, d))(
        _wrong
    )
