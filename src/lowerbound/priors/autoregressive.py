"""The autoregressive prior over latent units."""

import torch
from torch import Tensor

from lowerbound.core import Conditional
from lowerbound.distributions import Flow, Independent, UnitNormal
from lowerbound.flows import Chain, Masked, unit_map
from lowerbound.priors.flow import UnitMaps, check_layers
from lowerbound.priors.site import Site
from lowerbound.priors.standard_normal import check_latents


class AutoregressivePrior(Conditional):
    """p(z) = prod_d p(z_d | z_1 ... z_{d-1}), each a Gaussian or a spline of one, layer by layer.

    It starts as N(0, I). Its density is one pass, a draw is one pass a unit and layer.

    Args:
        latents: Number `D` of latent units, at least 1.
        layers: Number of autoregressive maps, from 1 to 64; their order of units takes turns.
        units: How a map maps a unit: "affine", or "spline" for rational quadratics.
        width: Of the two hidden layers of each map's network.

    Raises:
        SettingError: A number is out of range.

    Source: Chen et al. (2017), section 3.2, arXiv 1611.02731; Papamakarios, Pavlakou & Murray
        (2017), arXiv 1705.07057.

    Example:
        >>> AutoregressivePrior(2, layers=2)().sample((5,)).shape
        torch.Size([5, 2])
    """

    formula = "prod_d p(z_d | z_1 ... z_{d-1})"
    zero: Tensor
    one: Tensor

    def __init__(
        self, latents: int, layers: int = 4, units: UnitMaps = "affine", width: int = 256
    ) -> None:
        super().__init__()
        check_latents(latents)
        check_layers(layers, width, least=1)
        self.register_buffer("zero", torch.zeros(latents), persistent=False)
        self.register_buffer("one", torch.ones(latents), persistent=False)
        hidden = (width, width)
        self.maps = Chain([Masked(latents, unit_map(units), t, hidden) for t in range(layers)])
        self.size = f"latents={latents}, layers={layers}, units={units}, width={width}"

    def forward(self, context: Tensor | None = None) -> Flow:
        """Return the prior, event `(D,)`; it ignores `context`."""
        return Flow(Independent(UnitNormal(self.zero, self.one), 1), self.maps)

    def extra_repr(self) -> str:
        """Its sizes."""
        return self.size


def autoregressive(
    site: Site, *, layers: int = 4, units: UnitMaps = "affine", width: int = 256
) -> AutoregressivePrior:
    """Each latent unit given those before it.

    Args:
        site: Its place in the model.
        layers: Number of autoregressive maps.
        units: How a map maps a unit, "affine" or "spline".
        width: Of the two hidden layers of each map's network.
    """
    return AutoregressivePrior(site.latents, layers, units, width)
