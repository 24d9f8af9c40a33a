"""The prior that an invertible map makes of the standard normal."""

from typing import Literal

import torch
from torch import Tensor

from lowerbound.core import Conditional
from lowerbound.distributions import Flow, Independent, UnitNormal
from lowerbound.errors import SettingError
from lowerbound.flows import Chain, Coupling, Triangular, unit_map
from lowerbound.priors.site import Site
from lowerbound.priors.standard_normal import check_latents

UnitMaps = Literal["affine", "spline"]


class FlowPrior(Conditional):
    """p(z) = N(f(z); 0, I) |det df/dz|, f a linear map and then coupling layers.

    It starts as N(0, I). With no layers it is the full Gaussian.

    Args:
        latents: Number `D` of latent units, at least 1.
        layers: Number of coupling layers, from 0 to 64.
        units: How a layer maps a unit: "affine", or "spline" for rational quadratics.
        width: Of the two hidden layers of each coupling's network.

    Raises:
        SettingError: A number is out of range.

    Source: Dinh, Sohl-Dickstein & Bengio (2017), arXiv 1605.08803 (affine); Durkan et al. (2019),
        arXiv 1906.04032 (splines); as a prior: Huang et al. (2017), section 3, arXiv 1704.00135.

    Example:
        >>> FlowPrior(2)().sample((5,)).shape
        torch.Size([5, 2])
    """

    formula = "N(f(z); 0, I) |det df/dz|"
    zero: Tensor
    one: Tensor

    def __init__(
        self, latents: int, layers: int = 6, units: UnitMaps = "affine", width: int = 128
    ) -> None:
        super().__init__()
        check_latents(latents)
        check_layers(layers, width)
        self.register_buffer("zero", torch.zeros(latents), persistent=False)
        self.register_buffer("one", torch.ones(latents), persistent=False)
        hidden = (width, width)
        couplings = [Coupling(latents, unit_map(units), turn, hidden) for turn in range(layers)]
        self.maps = Chain([Triangular(latents), *couplings])
        self.size = f"latents={latents}, layers={layers}, units={units}, width={width}"

    def forward(self, context: Tensor | None = None) -> Flow:
        """Return the prior, event `(D,)`; it ignores `context`."""
        return Flow(Independent(UnitNormal(self.zero, self.one), 1), self.maps)

    def put(self, mean: Tensor, covariance: Tensor) -> None:
        """Make N(mean, covariance) of the linear map, and of all while the layers are new."""
        whole = self.maps.maps[0]
        if isinstance(whole, Triangular):
            whole.put(mean, covariance)

    def extra_repr(self) -> str:
        """Its sizes."""
        return self.size


def flow(site: Site, *, layers: int = 6, units: UnitMaps = "affine", width: int = 128) -> FlowPrior:
    """An invertible map of the standard normal.

    Args:
        site: Its place in the model.
        layers: Number of coupling layers.
        units: How a layer maps a unit, "affine" or "spline".
        width: Of the two hidden layers of each coupling's network.
    """
    return FlowPrior(site.latents, layers, units, width)


def check_layers(layers: int, width: int, least: int = 0) -> None:
    """Raise `SettingError` unless layers are from `least` to 64, their width from 1 to 65536."""
    if not least <= layers <= 64:
        raise SettingError(f"layers of a flow must be from {least} to 64, got {layers}")
    if not 1 <= width <= 65536:
        raise SettingError(f"the width of a flow must be from 1 to 65536, got {width}")
