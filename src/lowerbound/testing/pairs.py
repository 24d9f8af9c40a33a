"""Rules for an encoder and its decoder: run this on a pair of your own.

Example:
    >>> from lowerbound.networks import BUILDERS
    >>> check_pair(BUILDERS["mlp"](hidden=(4,)))
"""

import torch
from torch import Tensor

from lowerbound.networks import Network, Pair
from lowerbound.testing.assertions import assert_close_gradient, check_close
from lowerbound.testing.laws import check_copies, check_finite, check_reached, check_rows

_LATENTS = 3


def check_pair(pair: Pair) -> None:
    """Run the conformance ladder on an encoder and its decoder.

    They map any shapes that they are built for, images and series of odd sizes included; no row
    sees another; gradients reach every parameter and are those of finite differences; the encoder
    starts near zero, and the decoder where it is told.

    Args:
        pair: Makes both. It must know the starts "small" and "torch".
    """
    images: list[tuple[int, ...]] = [(1, 1, 1), (2, 5, 4), (1, 17, 31)]
    shapes = images if pair.images else [(1,), (4,), *images]
    for shape in [(1, 1), (5, 2), (21, 3)] if pair.series else shapes:
        # an encoder of series is given their mask below them
        seen = (2 * shape[0], *shape[1:]) if pair.series else shape
        encoder = pair.encoder(seen, (2, _LATENTS))
        decoder = pair.decoder((_LATENTS,), (2, *shape))
        encoder.start("torch")
        decoder.start("small")
        _check(encoder, torch.randn(4, *seen), (2, _LATENTS), "the encoder")
        _check(decoder, torch.randn(4, _LATENTS), (2, *shape), "the decoder")
        # one number a channel, which both an MLP and convolutions can begin with
        units = (1, shape[1]) if pair.series else (shape[0], *(1,) * (len(shape) - 1))
        values = torch.randn(2, *units).expand(2, *shape)
        _check_starts(encoder, decoder, torch.randn(4, *seen), values)


def _check(network: Network, rows: Tensor, outputs: tuple[int, ...], name: str) -> None:
    for batch in ((4,), (2, 2), ()):
        x = rows[0] if not batch else rows.reshape(*batch, *rows.shape[1:])
        with torch.no_grad():
            shape = tuple(network(x).shape)
        if shape != (*batch, *outputs):
            raise AssertionError(f"{name} has shape {shape}, it should be {(*batch, *outputs)}")
    value = network(rows)
    check_finite(value, f"what {name} puts out")
    # a residual block starts as the identity: what is inside it has no gradient until it learns
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    check_reached(network, network(rows).square().sum(), f"what {name} puts out")
    check_rows(network, rows, name)
    precise = network.double()
    few = rows[:1].double()
    if few.numel() <= 40:
        assert_close_gradient(precise, [few], name=f"the gradient of {name}")
    network.float()
    check_copies(network, name)


def _check_starts(encoder: Network, decoder: Network, x: Tensor, values: Tensor) -> None:
    z = torch.randn(4, _LATENTS)
    before = encoder(x).square().mean()
    encoder.start_small()
    if not bool(encoder(x).square().mean() < before):
        raise AssertionError("start_small() does not bring what the encoder puts out nearer to 0")
    decoder.start_at(torch.zeros_like(values))
    before = decoder(z)
    decoder.start_at(values)
    name = "what start_at() adds to the outputs of the decoder"
    check_close(decoder(z) - before, values, name, 1e-5, "plain")
