"""There and back: what the model keeps of an example."""

import torch
from torch import Tensor

from lowerbound.applications.chunks import by_chunks
from lowerbound.applications.encode import encode
from lowerbound.applications.generate import decode
from lowerbound.core import Model, device_of
from lowerbound.data import Source
from lowerbound.distributions import expected
from lowerbound.errors import UnknownNameError
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
        DataError: An example is so extreme that its encoding is not a number.
    """
    names = list(model.latents)
    if until is not None and until not in names:
        raise UnknownNameError("group of latents", until, names)
    found = encode(model, examples).groups
    if until in (None, names[-1]):
        told = getattr(examples, "condition", None)
        return decode(model, found, draw=draw, seed=seed, condition=told)
    kept = {name: found[name] for name in names[: names.index(until) + 1]}

    def step(some: slice, device: torch.device) -> Tensor:
        given = {name: part[some].to(device) for name, part in kept.items()}
        law = model.sample(some.stop - some.start, given=given).law
        return law.sample() if draw else expected(law)

    with seeded(seed, device_of(model)):
        return by_chunks(model, len(found[until]), step, drawn=True)
