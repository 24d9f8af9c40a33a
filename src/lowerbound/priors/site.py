"""Facts that the builder of a prior is told."""

from dataclasses import dataclass

from lowerbound.core import Conditional


@dataclass(frozen=True)
class Site:
    """The place of a prior in a model.

    Attributes:
        latents: Number `D` of latent units.
        inputs: The shape of what the posterior sees of one example.
        posterior: q(z|x), for priors that are made of it.
        levels: How many values each condition can take that the model is told.
    """

    latents: int
    inputs: tuple[int, ...]
    posterior: Conditional
    levels: tuple[int, ...] = ()
