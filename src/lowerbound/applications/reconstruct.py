"""There and back: what the model keeps of an example."""

from torch import Tensor, nn

from lowerbound.applications.encode import encode
from lowerbound.applications.generate import decode
from lowerbound.data import Source


def reconstruct(
    model: nn.Module, examples: Source | Tensor, *, draw: bool = False, seed: int | None = None
) -> Tensor:
    """Encode examples and decode the posterior means.

    Args:
        model: A `VAE`.
        examples: `N` examples, or an array `(N, *event)`.
        draw: Draw x from p(x|z) instead of giving its mean.
        seed: Of the draw; None for a fresh one.

    Returns:
        `(N, *event)`, in the units of the data, on the CPU.

    Raises:
        ShapeError: The examples have another shape than the model's.
    """
    return decode(model, encode(model, examples).mean, draw=draw, seed=seed)
