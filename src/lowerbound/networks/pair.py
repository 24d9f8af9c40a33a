"""An encoder and its decoder, and where they start."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

Shape = tuple[int, ...]
Init = Literal["even", "small", "glorot", "torch"]


class Network(nn.Module, ABC):
    """A network of a pair: a module that knows how to begin."""

    @abstractmethod
    def start(self, init: Init) -> None:
        """Give the layers their first weights.

        Raises:
            SettingError: This architecture has no such start.
        """

    @abstractmethod
    def start_small(self) -> None:
        """Start the last layer near zero."""

    @abstractmethod
    def start_at(self, values: Tensor, place: int = 0) -> None:
        """Start the last biases at some outputs, `(some, *shape)`, the first of them at `place`."""

    @abstractmethod
    def forward(self, x: Tensor, /) -> Tensor:
        """Map `(..., *inputs)` to `(..., *outputs)`."""


@dataclass(frozen=True)
class Pair:
    """Two makers of networks, from the shape of inputs and that of outputs.

    Attributes:
        encoder: For q(z|x).
        decoder: For p(x|z).
        images: Whether it takes images alone, and puts out images alone.
        series: Likewise, series.
    """

    encoder: Callable[[Shape, Shape], Network]
    decoder: Callable[[Shape, Shape], Network]
    images: bool = False
    series: bool = False


def start_small(layer: nn.Linear) -> None:
    """Start a last layer near zero, so that q(z|x) starts near the prior and the rate near 0."""
    with torch.no_grad():
        layer.weight.mul_(0.1)
        layer.bias.zero_()
