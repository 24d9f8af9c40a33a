"""A law that an invertible map makes of another one."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, constraints
from torch.func import functional_call

from lowerbound.distributions.centre import centre, spread, tempered
from lowerbound.distributions.detach import detached
from lowerbound.distributions.log_prob import log_prob


class Flow(Distribution):
    """The law of z, where u = f(z) follows a base: log p(z) = log p_0(f(z)) + log |det df/dz|.

    A draw that was made last is remembered with its u: its density inverts nothing.

    Args:
        base: p_0, batch `()` or `(B,)`, event `(D,)`.
        maps: f: called with `(value, context, inverse)`, it returns the mapped value and the
            log-determinant of its Jacobian, as `lowerbound.flows.Map` does.
        context: Inputs of f beside u, `(B, C)`; None for none.
        outward: Whether `maps` goes from u to z, not from z to u: its forward direction is then
            the one of draws.

    Source: Rezende & Mohamed (2015), equation 6, arXiv 1505.05770.
    """

    has_rsample = True

    def __init__(
        self,
        base: Distribution,
        maps: nn.Module,
        context: Tensor | None = None,
        outward: bool = False,
    ) -> None:
        self.base, self.maps, self.context, self.outward = base, maps, context, outward
        self._drawn: tuple[Tensor, Tensor, Tensor] | None = None
        super().__init__(base.batch_shape, base.event_shape, validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """None of its own: the base knows its parameters."""
        return {}

    @property
    def support(self) -> constraints.Constraint:
        """Every vector."""
        return constraints.real_vector

    def push(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Return z at u, `(..., D)`, and log |det dz/du|, `(...)`."""
        return self._mapped(u, not self.outward)

    def pull(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return u at z, `(..., D)`, and log |det du/dz|, `(...)`."""
        if self._drawn is not None and self._drawn[0] is z:
            _, u, log_det = self._drawn
            return u, -log_det
        return self._mapped(z, self.outward)

    def _mapped(self, value: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
        if self.context is not None:
            shape = torch.broadcast_shapes(value.shape[:-1], self.context.shape[:-1])
            value = value.expand(*shape, value.shape[-1])
        return self.maps(value, self.context, inverse)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density of `(..., D)`, `(...)`, nats, float64."""
        u, log_det = self.pull(value)
        return log_prob(self.base, u) + log_det

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        """Draw `(*sample_shape, *batch, D)`, with a gradient to base, maps and context."""
        u = self.base.rsample(torch.Size(sample_shape))
        z, log_det = self.push(u)
        self._drawn = z, u, log_det
        return z

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        """Draw without a gradient."""
        with torch.no_grad():
            return self.push(self.base.sample(torch.Size(sample_shape)))[0]

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same law under a larger batch shape."""
        shape, context = torch.Size(batch_shape), self.context
        if context is not None:
            context = context.expand(*shape, context.shape[-1])
        return Flow(self.base.expand(shape), self.maps, context, self.outward)


class _Still(nn.Module):
    """Maps whose own parameters have no gradient."""

    def __init__(self, maps: nn.Module) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, *given: object) -> object:
        still = {name: value.detach() for name, value in self.maps.named_parameters()}
        return functional_call(self.maps, still, given)


@detached.register
def _(distribution: Flow) -> Flow:
    context = distribution.context
    return Flow(
        detached(distribution.base),
        _Still(distribution.maps),
        None if context is None else context.detach(),
        distribution.outward,
    )


@tempered.register
def _(distribution: Flow, temperature: float) -> Flow:
    base = tempered(distribution.base, temperature)
    return Flow(base, distribution.maps, distribution.context, distribution.outward)


@centre.register
def _(distribution: Flow) -> Tensor:
    """Where the centre of the base goes."""
    return distribution.push(centre(distribution.base))[0]


@spread.register
def _(distribution: Flow) -> Tensor:
    """Root mean square about the centre of 2 D points that stand for the base; exact if linear."""
    middle, scale = centre(distribution.base), spread(distribution.base)
    units = middle.shape[-1]
    steps = torch.diag_embed(scale).movedim(-2, 0) * units**0.5
    points = torch.cat([middle + steps, middle - steps])
    away = distribution.push(points)[0] - distribution.push(middle)[0]
    return away.square().mean(dim=0).sqrt()
