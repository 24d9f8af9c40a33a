"""Whether latents are used, and not only paid for."""

from collections.abc import Callable

import torch
from torch import Tensor

from lowerbound.core import Model, on
from lowerbound.data import Source
from lowerbound.errors import DataError
from lowerbound.evaluation.estimate import Estimate
from lowerbound.seeding import seeded

#: Examples at a time; each is given the z of its neighbour among these.
AT_ONCE = 256


def swap(model: Model, examples: Source, *, seed: int | None = None) -> Estimate:
    """Measure the distortion under another example's z minus that under an example's own, nats.

    0 where p(x|z) does not look at z, whatever the rate: a rate can be paid and not used.

    Args:
        model: A model whose latents are `(B, ...)` by group.
        examples: At least 2; the z of each, drawn from q(z|x), is handed on to the next.
        seed: Of the draws; None for a fresh one.

    Raises:
        DataError: There are fewer than 2 examples.
    """
    if len(examples) < 2:
        raise DataError(f"latents are swapped between 2 examples or more, got {len(examples)}")
    return _worth(model, examples, lambda z: z.roll(1, dims=1), seed)


def saved(model: Model, examples: Source, *, seed: int | None = None) -> Estimate:
    """Measure the distortion at z = 0 minus that under an example's own z, nats.

    Where it is less than the rate, the model does better without z. The decoder at z = 0 stands
    for one that was never told z: it can be worse than that, and then this is too high.

    Args:
        model: A model whose latents are `(B, ...)` by group.
        examples: Their z are drawn from q(z|x).
        seed: Of the draws; None for a fresh one.
    """
    return _worth(model, examples, torch.zeros_like, seed)


@torch.no_grad()
def _worth(
    model: Model, examples: Source, change: Callable[[Tensor], Tensor], seed: int | None
) -> Estimate:
    """Measure what a change of all latents costs."""
    found: list[Tensor] = []
    starts = list(range(0, len(examples), AT_ONCE))
    if len(examples) - starts[-1] == 1 and len(starts) > 1:
        starts.pop()  # the last one goes along with those before it
    with on(model) as device, seeded(seed, device, stream="swap"):
        for start, stop in zip(starts, [*starts[1:], len(examples)], strict=True):
            batch = examples.batch(slice(start, stop)).to(device)
            own = model.trace(batch, 1)
            moved = {name: change(latent.z) for name, latent in own.latents.items()}
            other = model.trace_at(batch, moved).log_px
            found.append((own.log_px - other).squeeze(0).double().cpu())
    return Estimate.of(torch.cat(found))
