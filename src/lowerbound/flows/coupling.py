"""The coupling layer."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lowerbound.flows.conditioner import Conditioner
from lowerbound.flows.map import Map, total
from lowerbound.flows.units import UnitMap


class Coupling(Map):
    """Some units pass; the others are mapped as a network of those that pass says.

    Both directions cost the same. Its Jacobian is triangular.

    Args:
        units: Number `D` of units.
        unit_map: How one unit is mapped.
        turn: Which of a chain's layers it is: even and odd units, then halves, take turns.
        hidden: Widths of the hidden layers of the network.
        context: Numbers of the context that the network sees, too.

    Source: Dinh, Sohl-Dickstein & Bengio (2017), section 3.2, arXiv 1605.08803.

    Example:
        >>> from lowerbound.flows import Affine
        >>> y, log_det = Coupling(4, Affine(), turn=0)(torch.ones(5, 4))
        >>> y.shape, log_det.shape
        (torch.Size([5, 4]), torch.Size([5]))
    """

    passing: Tensor
    moving: Tensor
    order: Tensor

    def __init__(
        self,
        units: int,
        unit_map: UnitMap,
        turn: int,
        hidden: Sequence[int] = (128, 128),
        context: int = 0,
    ) -> None:
        super().__init__()
        self.unit_map = unit_map
        place = torch.arange(units, device="cpu")
        second = place % 2 == 1 if turn % 4 < 2 else place >= (units + 1) // 2
        moves = second if turn % 2 == 0 else ~second
        if units == 1:  # nothing could pass
            moves = torch.ones_like(second)
        for name, index in (("passing", place[~moves]), ("moving", place[moves])):
            self.register_buffer(name, index, persistent=False)
        order = torch.cat([place[~moves], place[moves]]).argsort()
        self.register_buffer("order", order, persistent=False)
        passes = units - int(moves.sum())
        outputs = (units - passes, unit_map.parameters)
        self.conditioner = Conditioner(passes + context, outputs, hidden)

    def forward(
        self, x: Tensor, context: Tensor | None = None, inverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        """See `Map.forward`."""
        passing, moving = x.index_select(-1, self.passing), x.index_select(-1, self.moving)
        seen = passing
        if context is not None:
            seen = torch.cat([passing, context.expand(*x.shape[:-1], -1)], dim=-1)
        mapped, log_slopes = self.unit_map(moving, self.conditioner(seen), inverse)
        y = torch.cat([passing, mapped], dim=-1).index_select(-1, self.order)
        return y, total(log_slopes)
