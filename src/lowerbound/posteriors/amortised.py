"""Posteriors whose numbers a network puts out for each x."""

from torch import nn

from lowerbound.core.conditional import Conditional


class Amortised(Conditional):
    """q(z|x) of a network that maps `(B, *event)` to `(B, rows, D)`; a subclass says the law.

    Args:
        network: See the subclass.
    """

    #: Numbers for each unit of z.
    rows = 1

    @classmethod
    def parameters_shape(cls, latents: int) -> tuple[int, int]:
        """Output shape that the network must have for one example: `(rows, D)`."""
        return (cls.rows, latents)

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
