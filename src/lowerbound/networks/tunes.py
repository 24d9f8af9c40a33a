"""Networks over tunes of a few bars: one that reads all places, one that writes all at once."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from lowerbound.networks.convolution import SeriesDecoder, SeriesEncoder
from lowerbound.networks.pair import Init, Network

#: Places that a token is told from, in the numbers of z unfolded in time.
NEAR = 5


class TuneReader(Network):
    """Convolutions over the tokens of a tune, and a linear way past them.

    Whatever stands after the first end is read as ends.

    Args:
        levels: Number of tokens; token 0 ends a tune.
        longest: Tokens `T` of a tune as stored.
        outputs: Shape of one output, such as `(2, 64)`.
        hidden: Units of the fully connected layer.
        embedding: Numbers a token is looked up as.
        channels: Of the convolutions.
        dropout: Share of the fully connected units that a training leaves out.
    """

    def __init__(
        self, levels: int, longest: int, outputs: Sequence[int], hidden: int = 256,
        embedding: int = 64, channels: int = 64, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.outputs = tuple(outputs)
        self.embed = nn.Embedding(levels, embedding)
        seen = (longest, embedding)
        self.net = SeriesEncoder(seen, outputs, longest, channels, hidden, dropout)

    def __str__(self) -> str:
        levels, width = self.embed.weight.shape
        return f"{levels} tokens as {width} numbers, {self.net}"

    def start(self, init: Init) -> None:
        """Leave the layers as torch has them."""

    def start_small(self) -> None:
        """Start near the prior."""
        self.net.start_small()

    def start_at(self, values: Tensor, place: int = 0) -> None:
        """Do nothing: an encoder starts near zero."""

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens `(B, T)` to `(B, *outputs)`."""
        ended = (x == 0).cummax(dim=1).values
        return self.net(self.embed(torch.where(ended, 0, x.long())))


class TuneWriter(nn.Module):
    """Predicts the token of every place from z alone.

    z is unfolded in time by convolutions and a linear way past them. Tokens before are not looked
    at: what a tune is has to be said by z, which a decoder that sees them need not ask.

    Args:
        latents: Size of z.
        levels: Number of tokens; token 0 ends a tune.
        longest: Tokens `T` of a tune as stored.
        hidden: As in `TuneReader`.
        embedding: Numbers that a place is told from.
        channels: As in `TuneReader`.
        dropout: As in `TuneReader`.
    """

    def __init__(
        self, latents: int, levels: int, longest: int, hidden: int = 256, embedding: int = 64,
        channels: int = 64, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.levels = levels
        places = (1, longest, embedding)
        self.net = SeriesDecoder((latents,), places, channels, hidden, dropout)
        self.near = nn.Conv1d(embedding, embedding, NEAR, padding=NEAR // 2)
        self.last = nn.Linear(embedding, levels)

    def __str__(self) -> str:
        return f"{self.net}, to {self.levels} tokens at each place"

    def forward(self, z: Tensor) -> Tensor:
        """From z `(B, D)` to the logits of every place, `(B, T, levels)`."""
        h = self.net(z).squeeze(-3)
        beside = self.near(silu(h).transpose(1, 2)).transpose(1, 2)
        return self.last(h + silu(beside))

    def logits(self, z: Tensor, tokens: Tensor) -> Tensor:
        """Predict the first places, as many as `tokens` `(B, t)` has: `(B, t, levels)`."""
        return self(z)[:, : tokens.shape[1]]

    def begin(self, z: Tensor) -> tuple[Tensor, int]:
        """Return the logits of all places, and the first place."""
        return self(z), 0

    def step(self, state: tuple[Tensor, int], tokens: Tensor) -> tuple[Tensor, tuple[Tensor, int]]:
        """Predict the token of the next place, `(B, levels)`, and return the place after it."""
        every, place = state
        return every[:, place], (every, place + 1)
