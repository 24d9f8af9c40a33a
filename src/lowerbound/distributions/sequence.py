"""Sequences of tokens that end, each token given those before it."""

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from lowerbound.distributions.centre import expected
from lowerbound.distributions.independent import accumulate
from lowerbound.distributions.pieces import Pieces
from lowerbound.errors import SupportError

#: The token that ends a sequence, and fills what follows it.
END = 0
#: Logits computed at a time where no gradient is wanted.
AT_ONCE = 2**24


class Decoder(Protocol):
    """A network that predicts tokens one after the other."""

    levels: int

    def logits(self, z: Tensor, tokens: Tensor) -> Tensor:
        """Predict every token of `(B, T)` from those before it: `(B, T, levels)`."""
        ...

    def begin(self, z: Tensor) -> Any:
        """Return the state before the first token, for z `(B, D)`."""
        ...

    def step(self, state: Any, tokens: Tensor) -> tuple[Tensor, Any]:
        """Predict the next token, `(B, levels)`, after `tokens` `(B,)`, and return the state."""
        ...


class Sequence(Distribution):
    """p(x|z) = prod_t p(x_t | x_<t, z), up to and including the first end token.

    The end token, 0, is data: its probability is that of the length. Tokens after it are padding,
    and counts neither in value nor in gradient. Lengths have no upper limit in the law; the event
    is as long as the data was stored, and a draw that did not end by then is cut and ended.

    Args:
        decoder: Predicts tokens.
        z: `(*batch, D)`.
        longest: Tokens `T` of the event, the end token included.
        temperature: Divides the logits of draws, positive; `log_prob` is that of the model.
        pieces: How bytes are cut into the tokens of the decoder; None where they are these. Then
            log p is of the one way to cut a text that it gives: at most log p of the text.

    Source: Bowman et al. (2016), section 3, arXiv 1511.06349.
    """

    def __init__(
        self,
        decoder: Decoder,
        z: Tensor,
        longest: int,
        temperature: float = 1.0,
        pieces: Pieces | None = None,
    ) -> None:
        self.decoder, self.z, self.longest = decoder, z, longest
        self.temperature, self.pieces = temperature, pieces
        super().__init__(z.shape[:-1], torch.Size([longest]), validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """None: z may be anything."""
        return {}

    @property
    def support(self) -> constraints.Constraint:
        """Rows of whole numbers from 0 on."""
        return constraints.independent(constraints.nonnegative_integer, 1)  # pyright: ignore[reportReturnType]

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Expand to a larger batch shape."""
        z = self.z.expand(*batch_shape, self.z.shape[-1])
        return Sequence(self.decoder, z, self.longest, self.temperature, self.pieces)

    def cells(self, value: Tensor, observed: Tensor | None = None) -> Tensor:
        """Return log p(x_t | x_<t, z) of every token, `(..., T)`, nats; 0 after the end.

        That of a piece stands at its last byte.

        Raises:
            SupportError: A token within a sequence is not observed: those after it cannot be
                predicted.
        """
        tokens = value.long()
        counts = counted(tokens)
        if observed is not None and not bool((observed | ~counts).all()):
            raise SupportError(
                "a token inside a sequence is not observed, and those after it are predicted from "
                "it; complete the sequences, or leave these out"
            )
        full = torch.broadcast_shapes(self.batch_shape, tokens.shape[:-1])
        ends = None
        if self.pieces is not None:
            cut = self.pieces.cut(tokens.reshape(-1, tokens.shape[-1]))
            ends = self.pieces.ends(cut).reshape(*tokens.shape[:-1], -1)
            tokens = cut.reshape(*tokens.shape[:-1], -1)
            counts = counted(tokens)
        width = int(counts.any(dim=tuple(range(counts.ndim - 1))).sum())
        z = self.z.expand(*full, self.z.shape[-1]).reshape(-1, self.z.shape[-1])
        tokens = tokens[..., :width].expand(*full, width).reshape(-1, width)
        found = self._cells(z, tokens).reshape(*full, width)
        found = torch.where(counts[..., :width], found, 0.0)
        if ends is not None:
            apart = found.new_zeros(*full, value.shape[-1])
            places = ends[..., :width].clamp(max=value.shape[-1] - 1).expand_as(found)
            return apart.scatter_add(-1, places, found)
        return torch.nn.functional.pad(found, (0, value.shape[-1] - width))

    def _cells(self, z: Tensor, tokens: Tensor) -> Tensor:
        rows = max(1, AT_ONCE // (tokens.shape[1] * self.decoder.levels))
        if torch.is_grad_enabled() or len(z) <= rows:
            return _of_tokens(self.decoder.logits(z, tokens), tokens)
        parts = zip(z.split(rows), tokens.split(rows), strict=True)
        return torch.cat([_of_tokens(self.decoder.logits(*some), some[1]) for some in parts])

    def log_prob(self, value: Tensor, observed: Tensor | None = None) -> Tensor:
        """Return log p(x|z), `(...)`, nats, float64.

        Args:
            value: Tokens `(..., T)`.
            observed: Which are known: all up to the end.
        """
        return accumulate(self.cells(value, observed), 1)

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw sequences, `(*sample_shape, *batch, T)`."""
        shape = torch.Size(sample_shape) + self.batch_shape
        z = self.z.expand(*shape, self.z.shape[-1]).reshape(-1, self.z.shape[-1])
        return self._write(z, greedy=False).reshape(*shape, self.longest)

    @torch.no_grad()
    def greedy(self) -> Tensor:
        """Return sequences of the most probable next token, `(*batch, T)`."""
        found = self._write(self.z.reshape(-1, self.z.shape[-1]), greedy=True)
        return found.reshape(*self.batch_shape, self.longest)

    def _write(self, z: Tensor, *, greedy: bool) -> Tensor:
        x = torch.full((len(z), self.longest), END, device=z.device)
        token, state = x[:, 0], self.decoder.begin(z)
        going = torch.ones(len(z), dtype=torch.bool, device=z.device)
        for place in range(self.longest - 1):  # the last place is the end's
            logits, state = self.decoder.step(state, token)
            if greedy:
                token = logits.argmax(dim=-1)
            else:
                odds = torch.softmax(logits.float() / self.temperature, dim=-1)
                token = torch.multinomial(odds, 1).squeeze(-1)
            token = torch.where(going, token, END)
            x[:, place] = token
            going = going & (token != END)
            if not bool(going.any()):
                break
        return x if self.pieces is None else self.pieces.spelt(x, self.longest)


def counted(tokens: Tensor) -> Tensor:
    """Tell which tokens of `(..., T)` count: all up to and including the first end."""
    ended = (tokens == END).cumsum(dim=-1)
    return (ended == 0) | ((ended == 1) & (tokens == END))


def _of_tokens(logits: Tensor, tokens: Tensor) -> Tensor:
    chances = (
        torch.log_softmax(logits.float(), dim=-1)
        if logits.dtype != torch.float64
        else (torch.log_softmax(logits, dim=-1))
    )
    return chances.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


@expected.register
def _(distribution: Sequence) -> Tensor:
    return distribution.greedy()
