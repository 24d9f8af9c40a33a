"""The autoregressive map."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, silu

from lowerbound.flows.map import Map, total
from lowerbound.flows.units import UnitMap


class Masked(Map):
    """Each unit is mapped as a network of the units before it says.

    Forward is one pass; back takes one pass a unit. Its Jacobian is triangular.

    Args:
        units: Number `D` of units.
        unit_map: How one unit is mapped.
        turn: Which of a chain's layers it is: the order of the units is reversed at odd ones.
        hidden: Widths of the hidden layers of the network, at least one.
        context: Numbers of the context that every unit sees, too.

    Source: Papamakarios, Pavlakou & Murray (2017), section 3.1, arXiv 1705.07057; the masks:
        Germain et al. (2015), equation 12, arXiv 1502.03509.
    """

    def __init__(
        self,
        units: int,
        unit_map: UnitMap,
        turn: int,
        hidden: Sequence[int] = (128, 128),
        context: int = 0,
    ) -> None:
        super().__init__()
        self.unit_map, self.backwards = unit_map, turn % 2 == 1
        count = unit_map.parameters
        # a layer's unit of degree d sees units 0 ... d; -1 sees the context alone
        least = -1 if context else 0
        levels = max(units - 1 - least, 1)
        degrees = [torch.cat([torch.arange(units), torch.full((context,), -1)])]
        degrees += [torch.arange(width) % levels + least for width in hidden]
        ends = torch.arange(units).repeat_interleave(count)
        masks = [after[:, None] >= before for before, after in pairwise(degrees)]
        masks.append(ends[:, None] > degrees[-1])
        self.layers = nn.ModuleList()
        if units > 1 or context:
            for mask in masks:
                self.layers.append(nn.Linear(mask.shape[1], mask.shape[0], bias=False))
            nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]
        for place, mask in enumerate(masks):
            self.register_buffer(f"mask{place}", mask, persistent=False)
        self.biases = nn.ParameterList(
            [nn.Parameter(torch.zeros(len(mask))) for mask in masks[:-1] if len(self.layers)]
        )
        self.bias = nn.Parameter(torch.zeros(units, count))

    def forward(
        self, x: Tensor, context: Tensor | None = None, inverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        """See `Map.forward`."""
        x = x.flip(-1) if self.backwards else x
        if not inverse:
            y, log_slopes = self.unit_map(x, self._conditioned(x, context))
        else:
            y = torch.zeros_like(x)
            for unit in range(x.shape[-1]):
                # of a copy: what a pass has seen may not change before its gradient is taken
                found, _ = self.unit_map(x, self._conditioned(y, context), inverse=True)
                y = torch.cat([y[..., :unit], found[..., unit:]], dim=-1)
            _, log_slopes = self.unit_map(y, self._conditioned(y, context))
            log_slopes = -log_slopes
        return (y.flip(-1) if self.backwards else y), total(log_slopes)

    def _conditioned(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Parameters of every unit given the ones before it, `(..., D, parameters)`."""
        if not self.layers:
            return self.bias.expand(*x.shape, -1)
        h = x.to(self.bias.dtype)
        if context is not None:
            h = torch.cat([h, context.expand(*x.shape[:-1], -1)], dim=-1)
        for place, layer in enumerate(self.layers):
            weight = layer.weight * getattr(self, f"mask{place}")
            h = linear(h, weight, self.biases[place] if place < len(self.biases) else None)
            h = silu(h) if place < len(self.biases) else h
        return h.unflatten(-1, tuple(self.bias.shape)) + self.bias
