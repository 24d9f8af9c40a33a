"""First weights of layers in between."""

import math

import torch
from torch import nn


def start_hidden(layer: nn.Linear | nn.Conv2d) -> None:
    """Draw weights from N(0, 1 / inputs) and set biases to 0: what comes in keeps its size.

    torch's own weights have a third of this variance, and signals wane from layer to layer.

    Source: LeCun, Bottou, Orr & Mueller (1998), Efficient BackProp, section 4.6.
    """
    inputs = layer.weight[0].numel()
    nn.init.normal_(layer.weight, std=1 / math.sqrt(inputs))
    if layer.bias is not None:
        with torch.no_grad():
            layer.bias.zero_()
