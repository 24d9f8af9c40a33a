"""Weights of convolutions laid out channels last, for as long as they are trained."""

import torch
from torch import Tensor, nn


class ChannelsLast:
    """The convolutions of a model, their weights laid out as their kernels are fastest with.

    It must be there before an optimiser or an average copies the weights: their kernels go through
    memory in order and expect all copies laid out alike.

    Args:
        model: Changed in place; other weights, and those laid out so already, stay as they are.
    """

    def __init__(self, model: nn.Module) -> None:
        self.weights: list[Tensor] = [
            part.weight
            for part in model.modules()
            if isinstance(part, nn.Conv2d | nn.ConvTranspose2d) and part.weight.is_contiguous()
        ]
        for weight in self.weights:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)

    def release(self) -> None:
        """Lay the weights out as before."""
        for weight in self.weights:
            weight.data = weight.data.contiguous()
