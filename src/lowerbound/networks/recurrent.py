"""Recurrent networks over tokens: one that reads a sequence, one that writes it."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from lowerbound.networks.gated import Gated
from lowerbound.networks.pair import Init, Network, start_small


class Reader(Network):
    """A bidirectional GRU over tokens whose states are pooled by their maximum over time.

    The way back begins at each sequence's own end, and the maximum leaves padding out: neither sees
    it, so the encoding of a sequence does not depend on the others of its batch.

    Args:
        levels: Number of tokens; token 0 ends a sequence.
        outputs: Shape of one output, such as `(2, 32)`.
        hidden: Units of each direction.
        embedding: Numbers a token is looked up as.
        cut: Cuts texts `(B, T)` into tokens; None where they are these.

    Source: pooling: Long et al. (2020), arXiv 1911.03976.
    """

    def __init__(
        self, levels: int, outputs: Sequence[int], hidden: int = 192, embedding: int = 64,
        cut: Callable[[Tensor], Tensor] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.cut = cut
        self.outputs = tuple(outputs)
        self.embed = nn.Embedding(levels, embedding)
        self.gru = Gated(embedding, hidden, both=True)
        self.last = nn.Linear(2 * hidden, math.prod(self.outputs))

    def __str__(self) -> str:
        levels, width = self.embed.weight.shape
        return f"bidirectional GRU {levels}-{width}-{self.gru.hidden_size}, maximum over time"

    def start(self, init: Init) -> None:
        """Leave the layers as torch has them."""

    def start_small(self) -> None:
        """Start near the prior: see `networks.pair.start_small`."""
        start_small(self.last)

    def start_at(self, values: Tensor, place: int = 0) -> None:
        """Do nothing: an encoder starts near zero."""

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens `(B, T)` to `(B, *outputs)`."""
        tokens = x.long() if self.cut is None else self.cut(x.long())
        lengths = (tokens == 0).int().argmax(dim=1) + 1
        lengths = torch.where((tokens == 0).any(dim=1), lengths, tokens.shape[1])
        width = int(lengths.max())
        place = torch.arange(width, device=x.device)
        inside = place < lengths.unsqueeze(1)
        there = tokens[:, :width]
        back = there.gather(1, torch.where(inside, lengths.unsqueeze(1) - 1 - place, place))
        states = self.gru(self.embed(torch.stack([there, back]).permute(2, 0, 1)))
        if not bool(inside.all()):
            states = states.masked_fill(~inside.T.reshape(width, 1, -1, 1), -math.inf)
        most = states.max(dim=0).values  # (2, B, H); its way back is shorter than that of amax
        return self.last(torch.cat([*most], dim=-1)).unflatten(1, self.outputs)


class Writer(nn.Module):
    """A GRU that predicts each token from those before it and z.

    z enters the first state, every step and every prediction, so that it is never far away.

    Args:
        latents: Size of z.
        levels: Number of tokens; token 0 ends a sequence, and stands before the first.
        hidden: Units.
        embedding: Numbers a token is looked up as.
        dropout: Share of inputs and states that a training leaves out.

    Source: Bowman et al. (2016), section 3, arXiv 1511.06349.
    """

    def __init__(
        self, latents: int, levels: int, hidden: int = 384, embedding: int = 64,
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.levels = levels
        self.embed = nn.Embedding(levels, embedding)
        self.first = nn.Linear(latents, hidden)
        self.gru = Gated(embedding + latents, hidden)
        self.drop = nn.Dropout(dropout)
        self.last = nn.Linear(hidden + latents, levels)

    def __str__(self) -> str:
        width = self.embed.weight.shape[1]
        return f"GRU {width}-{self.gru.hidden_size}-{self.levels}, z in every step"

    def forward(self, z: Tensor, tokens: Tensor) -> Tensor:
        """Predict every token of `(B, T)` from those before it: `(B, T, levels)`."""
        before = nn.functional.pad(tokens[:, :-1], (1, 0)).T
        inputs, at_end = self.drop(self.embed(before)).unsqueeze(1), self.gru.hidden_size
        states = self.gru(inputs, z, self.first(z).tanh().unsqueeze(0)).squeeze(1)
        own, said = self.last.weight.split([at_end, z.shape[-1]], dim=1)
        logits = nn.functional.linear(self.drop(states), own, self.last.bias)
        return logits.add_(nn.functional.linear(z, said)).transpose(0, 1)

    def logits(self, z: Tensor, tokens: Tensor) -> Tensor:
        """Predict as `forward` does."""
        return self(z, tokens)

    def begin(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return z and the state before the first token."""
        return z, self.first(z).tanh().unsqueeze(0)

    def step(
        self, state: tuple[Tensor, Tensor], tokens: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Predict the next token after `tokens` `(B,)`: `(B, levels)`, and the state."""
        z, hidden = state
        hidden = self.gru(self.embed(tokens).unsqueeze(0).unsqueeze(0), z, hidden)[0]
        return self.last(torch.cat([hidden[0], z], dim=-1)), (z, hidden)
