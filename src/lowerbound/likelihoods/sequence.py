"""The likelihoods of a sequence of tokens, and of a roll of notes."""

from typing import cast

import torch
from torch import Tensor, nn

from lowerbound.core import Conditional
from lowerbound.distributions.pieces import BYTES, Pieces
from lowerbound.distributions.roll import Notes, Roll
from lowerbound.distributions.sequence import Decoder, Sequence
from lowerbound.errors import ShapeError
from lowerbound.likelihoods.cells import check_levels


class Autoregressive(Conditional):
    """p(x|z) = prod_t p(x_t | x_<t, z): each token given those before it and z.

    Args:
        network: Predicts tokens: a `lowerbound.distributions.Decoder`.
        longest: Tokens `T` of an example as stored, the end token included.
        pieces: How a text is cut into tokens; None where its bytes are these.
    """

    name = "autoregressive"
    formula = "prod_t Categorical(x_t; softmax f(x_<t, z))"

    def __init__(self, network: nn.Module, longest: int, pieces: Pieces | None = None) -> None:
        super().__init__()
        self.network, self.longest, self.pieces = network, longest, pieces

    def forward(self, context: Tensor | None = None) -> Sequence:
        """Return the law of x given z, `(..., D)`: batch `(...)`, event `(T,)`."""
        if context is None:
            raise ShapeError("likelihood 'autoregressive' needs a latent z as its context")
        return Sequence(cast(Decoder, self.network), context, self.longest, pieces=self.pieces)

    def check(self, x: Tensor, observed: Tensor | None = None, name: str = "x") -> None:
        """Raise `SupportError` unless `x` holds tokens that there are."""
        levels = BYTES if self.pieces else int(self.network.levels)  # pyright: ignore[reportArgumentType]
        check_levels(x, levels, self.name, name, "read the text as the training data were")


class RollLikelihood(Conditional):
    """p(x|z) of a roll `(T, C)`: each note given the steps before, lower notes of its step and z.

    Args:
        network: Predicts notes: a `lowerbound.distributions.roll.Notes`.
    """

    name = "roll"
    formula = "prod_tc Bernoulli(x_tc; f(x_<t, x_t,<c, z_t))"

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, context: Tensor | None = None) -> Roll:
        """Return the law of x given z, `(..., T Z)`: batch `(...)`, event `(T, C)`."""
        if context is None:
            raise ShapeError("likelihood 'roll' needs a latent z as its context")
        return Roll(cast(Notes, self.network), context)

    def check(self, x: Tensor, observed: Tensor | None = None, name: str = "x") -> None:
        """Raise `SupportError` unless `x` holds zeros and ones."""
        known = x if observed is None else torch.where(observed, x, 0)
        check_levels(known, 2, self.name, name, "leave out --set context=yes")
