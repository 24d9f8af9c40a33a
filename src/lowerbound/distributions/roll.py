"""Rolls of notes: each step given the steps before it, each note given the lower ones."""

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.nn.functional import binary_cross_entropy_with_logits

from lowerbound.distributions.centre import expected
from lowerbound.distributions.independent import accumulate
from lowerbound.errors import SupportError

Weights = tuple[Tensor, Tensor, Tensor]


class Notes(Protocol):
    """A network that predicts notes one after the other."""

    units: int
    channels: int

    def logits(self, z: Tensor, x: Tensor) -> Tensor:
        """Predict every note of `(B, T, C)`: `(..., B, T, C)` for z `(..., B, D)`."""
        ...

    def begin(self, z: Tensor) -> Any:
        """Return the state before the first step, for z `(N, D)`."""
        ...

    def told(self, z: Tensor, before: Tensor, state: Any, t: int) -> tuple[Tensor, Any]:
        """Return what the head is told at step t, after a step `(N, C)`, and the state."""
        ...

    def weights(self) -> Weights:
        """Return the weights of the head."""
        ...

    def head(self, context: Tensor, x: Tensor, weights: Weights) -> Tensor:
        """Predict each note of `(N, C)` from what the head is told and the lower notes."""
        ...


class Roll(Distribution):
    """p(x|z) = prod_t prod_c Bernoulli(x_tc; x_<t, x_t,<c, z), event `(T, C)`.

    Lengths are given, not drawn: steps after the last that was observed count nothing.

    Args:
        network: Predicts notes.
        z: `(*batch, T Z)`: T steps of Z units.
    """

    def __init__(self, network: Notes, z: Tensor) -> None:
        self.network, self.z = network, z
        event = torch.Size([z.shape[-1] // network.units, network.channels])
        super().__init__(z.shape[:-1], event, validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """None: z may be anything."""
        return {}

    @property
    def support(self) -> constraints.Constraint:
        """Zeros and ones."""
        return constraints.independent(constraints.boolean, 2)  # pyright: ignore[reportReturnType]

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same law under a larger batch shape."""
        return Roll(self.network, self.z.expand(*batch_shape, self.z.shape[-1]))

    def cells(self, value: Tensor, observed: Tensor | None = None) -> Tensor:
        """Return log p of each note, `(..., T, C)`, nats; 0 after the end.

        Raises:
            SupportError: A note before the end is not observed: later ones are predicted from it.
        """
        if observed is not None:
            last = observed.flip(-2).any(dim=-1).cummax(dim=-1).values.flip(-1).unsqueeze(-1)
            if not bool((observed | ~last).all()):
                raise SupportError(
                    "a cell inside a series is not observed, and those after it are predicted from "
                    "it; use --set context=no for series with gaps"
                )
            value = torch.where(observed, value, 0)
        z = self.z
        shape = torch.broadcast_shapes(self.batch_shape, value.shape[:-2])
        x = value.to(z.dtype)
        if not (x.ndim == 3 and z.ndim > 1 and z.shape[-2] == len(x)):  # states would not be shared
            x = x.expand(*shape, *self.event_shape).reshape(-1, *self.event_shape)
            z = z.expand(*shape, z.shape[-1]).reshape(-1, z.shape[-1])
        found = self.network.logits(z, x).reshape(*shape, *self.event_shape)
        target = value.to(found.dtype).expand_as(found)
        found = -binary_cross_entropy_with_logits(found, target, reduction="none")
        return found if observed is None else torch.where(observed, found, 0.0)

    def log_prob(self, value: Tensor, observed: Tensor | None = None) -> Tensor:
        """Return log p(x|z) of what was observed, `(...)`, nats, float64."""
        return accumulate(self.cells(value, observed), 2)

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw step by step, and in a step from the lowest note up, `(..., T, C)`."""
        shape = torch.Size(sample_shape) + self.batch_shape
        return self._write(self.z.expand(*shape, self.z.shape[-1]), greedy=False)

    @torch.no_grad()
    def greedy(self) -> Tensor:
        """Return the more probable of 0 and 1 for each note in turn, `(*batch, T, C)`."""
        return self._write(self.z, greedy=True)

    def _write(self, z: Tensor, *, greedy: bool) -> Tensor:
        batch = z.shape[:-1]
        flat = z.reshape(-1, z.shape[-1])
        steps, channels = self.event_shape
        x = flat.new_zeros(len(flat), steps, channels)
        state, weights = self.network.begin(flat), self.network.weights()
        before = x[:, 0].clone()
        for t in range(steps):
            context, state = self.network.told(flat, before, state, t)
            now = x[:, t]
            for note in range(channels):
                chance = self.network.head(context, now, weights)[:, note].sigmoid()
                drawn = chance > 0.5 if greedy else torch.rand_like(chance) < chance
                now[:, note] = drawn.to(now.dtype)
            before = now
        return x.reshape(*batch, steps, channels)


@expected.register
def _(distribution: Roll) -> Tensor:
    return distribution.greedy()
