"""From examples to where they lie in the latent space."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lowerbound.applications.chunks import by_chunks
from lowerbound.data import Source
from lowerbound.errors import DataError


@dataclass(frozen=True)
class Encoding:
    """The posterior q(z|x) of `N` examples, on the CPU.

    Attributes:
        mean: Posterior means, `(N, D)`.
        scale: Posterior standard deviations of single units, `(N, D)`.
    """

    mean: Tensor
    scale: Tensor


def encode(model: nn.Module, examples: Source | Tensor) -> Encoding:
    """Where examples lie in the latent space: mean and spread of q(z|x).

    Args:
        model: A `VAE`.
        examples: `N` examples, or an array `(N, *event)`, in the units of the data.

    Returns:
        Means and standard deviations, `(N, D)`; no noise is drawn, and no row depends on another.

    Raises:
        ShapeError: The examples have another shape than the model's.
        DataError: An example is so extreme that its encoding is not a number.
    """

    def step(chunk: Tensor) -> Tensor:
        q = model.posterior(chunk)  # type: ignore[operator]
        return torch.stack([q.mean, q.variance.sqrt()], dim=1)

    mean, scale = by_chunks(model, examples, step).unbind(dim=1)
    finite = torch.isfinite(mean).flatten(start_dim=1).all(dim=1)
    if not bool(finite.all()):
        bad = (~finite).nonzero().flatten()
        raise DataError(
            f"{len(bad)} of the examples, the first of them number {int(bad[0])}, lie too far from "
            "the training data to be encoded; look for extreme values"
        )
    return Encoding(mean, scale)
