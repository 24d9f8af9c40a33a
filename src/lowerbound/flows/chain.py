"""One invertible map after another."""

from collections.abc import Iterable

from torch import Tensor, nn

from lowerbound.flows.map import Map


class Chain(Map):
    """f = f_n o ... o f_1.

    Args:
        maps: f_1 to f_n, at least one.
    """

    def __init__(self, maps: Iterable[Map]) -> None:
        super().__init__()
        self.maps = nn.ModuleList(maps)

    def forward(
        self, x: Tensor, context: Tensor | None = None, inverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        """See `Map.forward`."""
        first, *others = reversed(self.maps) if inverse else self.maps
        y, log_det = first(x, context, inverse)
        for other in others:
            y, more = other(y, context, inverse)
            log_det = log_det + more
        return y, log_det
