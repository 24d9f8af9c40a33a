"""The centred isotropic Gaussian prior."""

import torch
from torch import Tensor

from lowerbound.core import Conditional
from lowerbound.distributions import Independent, UnitNormal
from lowerbound.errors import SettingError
from lowerbound.priors.site import Site


class StandardNormal(Conditional):
    """p(z) = N(0, I), the usual strong assumption about the latent space.

    Args:
        latents: Number `D` of latent units, at least 1.

    Raises:
        SettingError: `latents` is not a whole number of at least 1.

    Source: Kingma & Welling (2014), section 3, arXiv 1312.6114.

    Example:
        >>> StandardNormal(2)().log_prob(torch.zeros(2))
        tensor(-1.8379, dtype=torch.float64)
    """

    formula = "N(0, I)"
    zero: Tensor
    one: Tensor

    def __init__(self, latents: int) -> None:
        super().__init__()
        check_latents(latents)
        self.latents = latents
        self.register_buffer("zero", torch.zeros(latents), persistent=False)
        self.register_buffer("one", torch.ones(latents), persistent=False)

    def forward(self, context: Tensor | None = None) -> Independent:
        """Return the prior, event `(D,)`; it ignores `context`."""
        return Independent(UnitNormal(self.zero, self.one), 1)

    def extra_repr(self) -> str:
        """Its size."""
        return f"latents={self.latents}"


def standard_normal(site: Site) -> StandardNormal:
    """The centred isotropic Gaussian."""
    return StandardNormal(site.latents)


def check_latents(latents: int) -> None:
    """Raise `SettingError` unless `latents` is a whole number of at least 1."""
    if isinstance(latents, bool) or not isinstance(latents, int) or latents < 1:
        raise SettingError(f"latents must be a whole number of at least 1, got {latents!r}")
