"""Recurrent networks over tokens: one that reads a sequence, one that writes it."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lowerbound.networks.pair import Init, Network, start_small


class Reader(Network):
    """A bidirectional GRU over tokens whose states are pooled by their maximum over time.

    Padding is packed away: neither a state nor a maximum sees it, so the encoding of a sequence
    does not depend on the others of its batch.

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
        self.gru = nn.GRU(embedding, hidden, batch_first=True, bidirectional=True)
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
        tokens = tokens[:, : int(lengths.max())]
        packed = pack_padded_sequence(
            self.embed(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        states, _ = pad_packed_sequence(
            self.gru(packed)[0], batch_first=True, padding_value=-math.inf
        )
        return self.last(states.amax(dim=1)).unflatten(1, self.outputs)


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
        self.gru = nn.GRU(embedding + latents, hidden, batch_first=True)
        self.drop = nn.Dropout(dropout)
        self.last = nn.Linear(hidden + latents, levels)

    def __str__(self) -> str:
        width = self.embed.weight.shape[1]
        return f"GRU {width}-{self.gru.hidden_size}-{self.levels}, z in every step"

    def forward(self, z: Tensor, tokens: Tensor) -> Tensor:
        """Predict every token of `(B, T)` from those before it: `(B, T, levels)`."""
        before = nn.functional.pad(tokens[:, :-1], (1, 0))
        every = z.unsqueeze(1).expand(-1, tokens.shape[1], -1)
        inputs = torch.cat([self.drop(self.embed(before)), every], dim=-1)
        states, _ = self.gru(inputs, self.first(z).tanh().unsqueeze(0))
        return self.last(torch.cat([self.drop(states), every], dim=-1))

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
        inputs = torch.cat([self.embed(tokens), z], dim=-1).unsqueeze(1)
        states, hidden = self.gru(inputs, hidden)
        return self.last(torch.cat([states[:, 0], z], dim=-1)), (z, hidden)
