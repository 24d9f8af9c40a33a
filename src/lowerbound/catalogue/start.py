"""Where a training starts: the first weights of a model, by name.

=======  ==================================================================================
even     hidden layers of an MLP hand on numbers of the size they are given; q(z|x) starts
         near the prior, and p(x|z) of a Bernoulli or discretised logistic at the mean of the
         training examples
small    the same with hidden layers as torch draws them, or a residual network has them
glorot   all layers of an MLP as Glorot & Bengio have them, p(x|z) at the mean
torch    all layers as torch draws them
=======  ==================================================================================
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from lowerbound.data import Schema
from lowerbound.networks import MLP, ResidualDecoder, ResidualEncoder

InitName = Literal["auto", "even", "small", "glorot", "torch"]

#: What each does, as part of a sentence; "auto" has been chosen by then.
IN_WORDS: dict[InitName, str] = {
    "even": "hidden layers hand on numbers of the size they are given",
    "small": "hidden layers as they come, the last one of the encoder near zero",
    "glorot": "all layers as Glorot and Bengio have them",
    "torch": "all layers as torch draws them",
}

#: Means of a bit are kept this far from 0 and 1 before the logit is taken.
LEAST = 0.001


def begin(encoder: MLP | ResidualEncoder, decoder: MLP | ResidualDecoder, init: InitName) -> None:
    """Give new networks their first weights; residual ones keep their own hidden ones.

    Args:
        encoder: As torch and its own class have it.
        decoder: Likewise.
        init: Whose.
    """
    for network in (encoder, decoder):
        if isinstance(network, MLP) and init == "even":
            start_even(network)
        if isinstance(network, MLP) and init == "glorot":
            start_glorot(network)
    if init not in ("glorot", "torch"):
        start_small(_linear(encoder)[-1] if isinstance(encoder, MLP) else encoder.head)


def start_even(network: MLP) -> None:
    """Draw the weights of hidden layers from N(0, 1 / inputs), and set their biases to 0.

    The mean square of what a layer puts out is that of what it is given, before the nonlinearity;
    torch's own weights are of a third of this variance.

    Source: LeCun, Bottou, Orr & Mueller (1998), Efficient BackProp, section 4.6.
    Differs: in the nonlinearity, which is 1.7159 tanh(2x / 3) there.
    """
    for layer in _linear(network)[:-1]:
        nn.init.normal_(layer.weight, std=1 / math.sqrt(layer.in_features))
        nn.init.zeros_(layer.bias)


def start_glorot(network: MLP) -> None:
    """Draw all weights from U(-b, b) with b = sqrt(6 / (inputs + outputs)), and set biases to 0.

    What a network puts out side by side, such as mean and scale, counts as layers of their own.

    Source: Glorot & Bengio (2010), equation 16.
    """
    *hidden, last = _linear(network)
    for layer in hidden:
        nn.init.xavier_uniform_(layer.weight)
    sides = network.outputs[0] if len(network.outputs) > 1 else 1
    for side in last.weight.chunk(sides):
        nn.init.xavier_uniform_(side)
    for layer in (*hidden, last):
        nn.init.zeros_(layer.bias)


def start_small(layer: nn.Linear) -> None:
    """Start a last layer near zero, so that q(z|x) starts near the prior and the rate near 0."""
    with torch.no_grad():
        layer.weight.mul_(0.1)
        layer.bias.zero_()


def start_at_mean(decoder: MLP | ResidualDecoder, schema: Schema) -> None:
    """Start a decoder of levels at the mean of the training examples, where the schema has it.

    Its last biases, of all cells or of each channel, become the logits of the mean where the data
    is bits, and else the mean on the axis where the lowest level is -1 and the highest +1.

    Source: Burda, Grosse & Salakhutdinov (2016), the authors' code, for bits.
    """
    if schema.mean is None or schema.levels is None:
        return
    share = (schema.mean.double() / (schema.levels - 1)).expand(schema.shape)
    if isinstance(decoder, MLP):
        bias = _linear(decoder)[-1].bias
    else:
        bias, share = decoder.head.bias, share.mean(dim=(1, 2))
    bits = schema.kind == "binary"
    start = share.clamp(LEAST, 1 - LEAST).logit() if bits else 2 * share - 1
    if isinstance(bias, Tensor):
        with torch.no_grad():
            bias[: start.numel()].copy_(start.flatten())


def _linear(network: MLP) -> list[nn.Linear]:
    return [layer for layer in network.layers if isinstance(layer, nn.Linear)]
