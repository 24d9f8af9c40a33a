"""The evaluation of an entry: the bound of many draws on the test images, and active units."""

import math
from collections.abc import Callable
from typing import Any

import torch

from lowerbound.core import Model
from lowerbound.data import Examples
from lowerbound.evaluation import evidence
from lowerbound.seeding import seeded

#: Draws for every test image, where only some of the images get all of them.
FEW = 50
#: A unit is active if its posterior mean varies by more than this over the test images.
ACTIVE = 0.01


def judge(
    model: Model,
    examples: Examples,
    samples: int,
    images: int | None = None,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Average the importance-weighted bound on -log p(x) over the test images.

    With fewer `images` than there are, every image gets `FEW` draws, and some chosen at random get
    all of them: what these gain on average is added to the mean over all. The error is that of
    the gain, which varies far less from image to image than log p(x) does.

    Args:
        samples: Draws `K` of the bound.
        images: The number of images with `samples` draws; all if None.
        seed: Of draws and choice.
        progress: Called with (done, in all).

    Returns:
        JSON values: `figure` in nats; `standard_error_images`, the error of taking only some of
        the images; `negative_elbo`, `rate`, `distortion`, `active_units`.
    """
    count = len(examples)
    some = count if images is None else min(images, count)
    first = evidence(model, examples, min(FEW, samples) if some < count else samples, seed=seed,
                     progress=progress)  # fmt: skip
    value, error = first.log_likelihood.mean(), 0.0
    if some < count and samples > FEW:
        with seeded(seed, stream="test images"):
            chosen = torch.randperm(count)[:some].sort().values
        second = evidence(model, examples.select(chosen), samples, seed=seed + 1, progress=progress)
        gain = second.log_likelihood - first.log_likelihood[chosen]
        value = value + gain.mean()
        error = float(gain.std()) / math.sqrt(some) * math.sqrt(1 - some / count)
    return {
        "figure": -float(value),
        "standard_error_images": error,
        "samples": samples,
        "images": count,
        "images_with_all_samples": some,
        "negative_elbo": -float(first.elbo.mean()),
        "rate": float(first.rate.mean()),
        "distortion": float(first.distortion.mean()),
        "active_units": int((first.means.var(dim=0) > ACTIVE).sum()),
        "seed": seed,
    }
