"""Which cells of a table are gaps, given z: beside p(x|z), and without a part in log p(x)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from lowerbound.networks import MLP

HIDDEN = 64


class Gaps(nn.Module):
    """p(m|z): the law of the gaps of an example, which ones its cells are.

    Some sets of gaps are known. Either each example has exactly one of them (`joint`, a softmax),
    or each set is there by itself, and the gaps are those of all that are (Bernoulli).

    Args:
        units: Of z, all groups together.
        sets: `(P, cells)`, bool: the gaps of each set.
        joint: Whether an example has one set.

    Example:
        >>> law = Gaps(2, torch.tensor([[False, False], [True, True]]), joint=True)
        >>> law.log_prob(torch.zeros(5, 2), torch.ones(5, 2, dtype=torch.bool)).shape
        torch.Size([5])
    """

    sets: Tensor

    def __init__(self, units: int, sets: Tensor, *, joint: bool) -> None:
        super().__init__()
        self.joint = joint
        self.register_buffer("sets", sets)
        self.network = MLP((units,), (len(sets),), (HIDDEN,))

    def start(self, shares: Tensor) -> None:
        """Give every set its share of the examples, `(P,)`, whatever z is."""
        last = self.network.linear[-1]
        with torch.no_grad():
            last.weight.zero_()
            shares = shares.clamp(1e-6, 1 - 1e-6)
            last.bias.copy_(shares.log() if self.joint else shares.logit())

    def forward(self, z: Tensor) -> Tensor:
        """Return the logits of the sets, `(..., P)`, float64, from z, `(..., units)`."""
        return self.network(z).double()

    def log_prob(self, z: Tensor, observed: Tensor) -> Tensor:
        """Return log p(m|z), `(...)`, nats; minus infinity for gaps that are no set.

        Args:
            z: `(..., units)`.
            observed: Which cells are no gaps, bool `(..., cells)`.
        """
        logits = self(z)
        if self.joint:
            other = (~observed.unsqueeze(-2) != self.sets).any(dim=-1)
            chances = logits.log_softmax(dim=-1)
            return chances.masked_fill(other, -torch.inf).logsumexp(dim=-1)
        there = (~observed)[..., self.sets.int().argmax(dim=-1)]
        found = torch.where(there, logsigmoid(logits), logsigmoid(-logits)).sum(dim=-1)
        return found.masked_fill((~observed & ~self.sets.any(dim=0)).any(dim=-1), -torch.inf)

    def log_mass(self, z: Tensor, told: Tensor) -> Tensor:
        """Return the log-probability of what is told of the gaps, `(...)`, nats.

        Args:
            z: `(..., units)`.
            told: `(cells,)`: 1 of a cell that is known, -1 of a gap, 0 of others.
        """
        logits = self(z)
        must, never = self._told(told)
        if self.joint:
            left = logits.masked_fill(never, -torch.inf).logsumexp(dim=-1)
            return left - logits.logsumexp(dim=-1)
        if bool(((told < 0) & ~self.sets.any(dim=0)).any()):  # it is never a gap
            return torch.full_like(logits[..., 0], -torch.inf)
        known = torch.where(must, logsigmoid(logits), 0.0)
        return (known + torch.where(never, logsigmoid(-logits), 0.0)).sum(dim=-1)

    def draw(self, logits: Tensor, told: Tensor | None = None) -> Tensor:
        """Draw which cells are known, bool `(..., cells)`, as `told` of them (see `log_mass`)."""
        if told is None:
            told = torch.zeros(self.sets.shape[1], device=logits.device)
        must, never = self._told(told)
        if self.joint:
            chances = logits.masked_fill(never, -torch.inf).softmax(dim=-1)
            chosen = chances.reshape(-1, len(self.sets)).multinomial(1)
            return ~self.sets[chosen.reshape(logits.shape[:-1])]
        there = (torch.rand_like(logits) < torch.sigmoid(logits)) & ~never | must
        return ~(there.unsqueeze(-1) & self.sets).any(dim=-2)

    def _told(self, told: Tensor) -> tuple[Tensor, Tensor]:
        """Tell which sets must be there, and which cannot, `(P,)` each."""
        gap = told < 0
        never = (self.sets & (told > 0)).any(dim=-1)
        if self.joint:
            never = never | (~self.sets & gap).any(dim=-1)
        return (self.sets & gap).any(dim=-1), never
