"""The uniform law of directions as a prior."""

import torch
from torch import Tensor

from lowerbound.core import Conditional
from lowerbound.distributions import UniformSphere
from lowerbound.errors import SettingError
from lowerbound.priors.site import Site
from lowerbound.priors.standard_normal import check_latents


class Sphere(Conditional):
    """p(z) uniform on the unit sphere: latents that have a direction and no length.

    Args:
        latents: Number `D` of numbers that a direction is written in, at least 2.

    Raises:
        SettingError: `latents` is less than 2.

    Source: Davidson et al. (2018), arXiv 1804.00891.

    Example:
        >>> Sphere(3)().sample().norm().round(decimals=4)
        tensor(1.)
    """

    formula = "U(unit sphere)"
    values = "directions"
    first: Tensor

    def __init__(self, latents: int) -> None:
        super().__init__()
        check_latents(latents)
        if latents < 2:
            raise SettingError("a direction needs at least 2 latents, got 1")
        self.register_buffer("first", torch.eye(latents)[0], persistent=False)

    def forward(self, context: Tensor | None = None) -> UniformSphere:
        """Return the prior, event `(D,)`; it ignores `context`."""
        return UniformSphere(self.first)

    def extra_repr(self) -> str:
        """Its size."""
        return f"latents={len(self.first)}"


def sphere(site: Site) -> Sphere:
    """Directions, none preferred; for the posterior "power-spherical".

    Args:
        site: Its place in the model.
    """
    return Sphere(site.latents)
