"""Small networks that say how some units are mapped, given others."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class Conditioner(nn.Module):
    """Parameters of a map from what it may see; 0 at the start, so that the map is the identity.

    Args:
        inputs: Numbers it sees; with 0 its outputs are free parameters.
        outputs: Shape of its output.
        hidden: Widths of the layers between.
    """

    def __init__(self, inputs: int, outputs: tuple[int, ...], hidden: Sequence[int]) -> None:
        super().__init__()
        self.outputs = outputs
        self.bias = nn.Parameter(torch.zeros(outputs))
        widths = [inputs, *hidden] if inputs else []
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.SiLU()]
        self.inside = nn.Sequential(*layers)
        self.last = nn.Linear(widths[-1], self.bias.numel(), bias=False) if inputs else None
        if self.last is not None:
            nn.init.zeros_(self.last.weight)

    def forward(self, seen: Tensor) -> Tensor:
        """From `(..., inputs)` to `(..., *outputs)`."""
        if self.last is None:
            return self.bias.expand(*seen.shape[:-1], *self.outputs)
        value = self.last(self.inside(seen.to(self.bias.dtype)))
        return value.unflatten(-1, self.outputs) + self.bias
