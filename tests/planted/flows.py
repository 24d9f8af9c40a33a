"""Errors in flows and mixtures: their volume, what a unit sees, how draws follow the density."""

from functools import partial

import torch
from torch import Tensor

from lowerbound import distributions
from lowerbound.core.conditional import Conditional
from lowerbound.distributions import Flow, Independent, UnitNormal
from lowerbound.flows import Affine, Chain, Coupling, Map, Masked, Triangular
from lowerbound.networks import MLP
from lowerbound.posteriors import FlowPosterior
from lowerbound.priors import Mixture
from lowerbound.testing.conformance import check_posterior, check_prior
from planted.subject import Subject

_X = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))

FLOWS = Subject(
    "flows",
    {
        "flow prior": lambda make: check_prior(make(3)),
        "flow posterior": lambda make: check_posterior(make(MLP((4,), (3, 3), (8,))), _X),
    },
)


class Prior(Conditional):
    """A prior of maps, away from the identity that they start as."""

    def __init__(self, latents: int, kind: type[Map], law: type[Flow] = Flow) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        maps = [kind(latents, Affine(), turn, (8,)) for turn in range(2)]  # type: ignore[call-arg]
        self.maps, self.law = Chain([Triangular(latents), *maps]), law
        with torch.no_grad():
            for parameter in self.maps.parameters():
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
        self.register_buffer("zero", torch.zeros(latents), persistent=False)
        self.register_buffer("one", torch.ones(latents), persistent=False)

    def forward(self, context: Tensor | None = None) -> Flow:
        return self.law(Independent(UnitNormal(self.zero, self.one), 1), self.maps)


_COUPLED, _MASKED = partial(Prior, kind=Coupling), partial(Prior, kind=Masked)


def _of(kind: type[Map]):
    return lambda law: partial(Prior, kind=kind, law=law)


@FLOWS.plant("flow prior", "integral", _COUPLED, make=_of(Coupling))
class _NoVolume(Flow):
    """The log-determinant of the flow is left out."""

    def pull(self, z):
        u, log_det = super().pull(z)
        return u, 0 * log_det


@FLOWS.plant("flow prior", "integral", _COUPLED, make=_of(Coupling))
class _VolumeReversed(Flow):
    """The log-determinant of the flow has the sign of the other direction."""

    def pull(self, z):
        u, log_det = super().pull(z)
        return u, -log_det


@FLOWS.plant("flow prior", "integral|shift|scale", _COUPLED, make=_of(Coupling))
class _DrawsTheOtherWay(Flow):
    """Draws go through the flow in the direction of its density."""

    def push(self, u):
        return self.maps(u, self.context, self.outward)


@FLOWS.plant(
    "flow prior", "integral|shift|scale", _MASKED, make=lambda kind: partial(Prior, kind=kind)
)
class _SeesItself(Masked):
    """A unit of an autoregressive map sees itself: its Jacobian is not what is added up."""

    def _conditioned(self, x, context):
        return super()._conditioned(x.roll(-1, dims=-1), context)


@FLOWS.plant(
    "flow prior", "shift|scale|shape|integral", _MASKED, make=lambda kind: partial(Prior, kind=kind)
)
class _OnePassBack(Masked):
    """An autoregressive map goes back in one pass, each unit given what came of the others."""

    def forward(self, x, context=None, inverse=False):
        if not inverse:
            return super().forward(x, context)
        x = x.flip(-1) if self.backwards else x
        y, log_slopes = self.unit_map(x, self._conditioned(x, context), inverse=True)
        return (y.flip(-1) if self.backwards else y), log_slopes.double().sum(dim=-1)


# --- mixtures


@FLOWS.plant("flow prior", "shift|scale|shape", partial(Mixture, components=3))
class _PerUnit(Mixture):
    """A mixture is mixed unit by unit: each unit of a point chooses a component of its own."""

    def __init__(self, latents: int) -> None:
        super().__init__(latents, components=3)

    def forward(self, context=None):
        whole = super().forward(context)

        class Law(type(whole)):
            def log_prob(self, value):
                each = self.components.base_dist.log_prob(value.unsqueeze(-2))
                mixed = (each + self.log_weights.unsqueeze(-1)).logsumexp(dim=-2)
                return mixed.double().sum(dim=-1)

        return Law(self.log_weights, whole.components)


def _wide(latents: int) -> Mixture:
    prior = Mixture(latents, components=3)
    with torch.no_grad():
        prior.log_scales.fill_(0.5)
    return prior


@FLOWS.plant("flow prior", "scale|shift", _wide)
class _VarianceAsScale(Mixture):
    """A mixture draws with the variance of a component in place of its standard deviation."""

    def __init__(self, latents: int) -> None:
        super().__init__(latents, components=3)
        torch.nn.init.constant_(self.log_scales, 0.5)

    def forward(self, context=None):
        whole = super().forward(context)
        spread = self.log_scales.exp()

        class Law(type(whole)):
            def sample(self, sample_shape=()):
                base = self.components.base_dist
                wide = distributions.CellNormal(base.loc, spread**2)
                return type(whole)(self.log_weights, Independent(wide, 1)).sample(sample_shape)

        return Law(self.log_weights, whole.components)


# --- posteriors


class _Small(FlowPosterior):
    """A posterior of flows away from its start."""

    law: type[Flow] = Flow

    def __init__(self, network) -> None:
        super().__init__(network, layers=2, width=8)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in self.maps.parameters():
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))

    def forward(self, context=None):
        q = super().forward(context)
        return self.law(q.base, q.maps, q.context, outward=True)


def _around(law: type[Flow]) -> type[_Small]:
    return type("Around", (_Small,), {"law": law})


@FLOWS.plant("flow posterior", "keep the density", _Small, make=_around)
class _RemembersAnything(Flow):
    """The last draw's place in the base is taken for that of any value of its shape."""

    def pull(self, z):
        if self._drawn is not None and self._drawn[0].shape == z.shape:
            return self._drawn[1], -self._drawn[2]
        return super().pull(z)


@FLOWS.plant("flow posterior", "keep the density|integral", _Small, make=_around)
class _BaseDensity(Flow):
    """The density of a draw is that of its base: the entropy of the flow is left out."""

    def log_prob(self, value):
        return distributions.log_prob(self.base, value)


class _Live(Flow):
    """Holding a flow constant leaves the weights of its maps live."""


@distributions.detached.register
def _(law: _Live) -> Flow:
    return Flow(distributions.detached(law.base), law.maps, law.context, law.outward)


FLOWS.plant("flow posterior", "stop its gradient", _Small, make=_around)(_Live)
