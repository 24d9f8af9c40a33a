"""There and back: what the model keeps of an example."""

from torch import Tensor

from lowerbound.applications.chunks import of_examples
from lowerbound.core import Batch, Model, device_of
from lowerbound.data import Source
from lowerbound.distributions import expected
from lowerbound.seeding import seeded


def reconstruct(
    model: Model,
    examples: Source | Tensor,
    *,
    until: str | None = None,
    draw: bool = False,
    seed: int | None = None,
) -> Tensor:
    """Encode examples and decode the centres of q(z|x).

    Args:
        model: A trained model.
        examples: `N` examples, or an array `(N, *event)`.
        until: The last group of latents, from the top, that is kept of an example; the groups
            below are drawn from p(z_l | groups above). None to keep all.
        draw: Draw x from p(x|z) instead of giving its mean, or the most probable class.
        seed: Of the draws; None for a fresh one.

    Returns:
        `(N, *event)`, in the units of the data, on the CPU.

    Raises:
        ShapeError: The examples have another shape than the model's.
        UnknownNameError: There is no such group.
    """

    def step(batch: Batch) -> Tensor:
        law = model.reconstruct(batch, until)
        return law.sample() if draw else expected(law)

    drawn = draw or until not in (None, list(model.latents)[-1])
    with seeded(seed, device_of(model)):
        return of_examples(model, examples, step, drawn=drawn)
