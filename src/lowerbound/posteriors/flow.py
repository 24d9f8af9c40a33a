"""The posterior that an invertible map makes of a diagonal Gaussian."""

from typing import Literal

from torch import Tensor, nn

from lowerbound.distributions import CellNormal, Flow, Independent
from lowerbound.errors import SettingError, ShapeError
from lowerbound.flows import Chain, Coupling, Masked, unit_map
from lowerbound.posteriors.amortised import Amortised
from lowerbound.posteriors.scale import positive_scale


class FlowPosterior(Amortised):
    """z = f(u; h(x)) with u ~ N(m(x), diag s(x)^2), f coupling layers or autoregressive ones.

    f starts as the identity, q(z|x) as the diagonal Gaussian.

    Args:
        network: Maps `(B, *event)` to `(B, 3, D)`: m, the number that s is made of by
            `positive_scale`, and what the layers are told of x.
        latents: Number `D` of latent units; None for what the network puts out.
        layers: Number of layers, from 1 to 64.
        maps: "coupling", cheap both ways, or "autoregressive" (IAF): a draw and its density are one
            pass, the density of any other value is one pass a unit and layer.
        units: How a layer maps a unit: "affine", or "spline" for rational quadratics.
        width: Of the two hidden layers of each layer's network.

    Raises:
        SettingError: A number is out of range.
        ShapeError: The network's output is not `(B, 3, D)` (raised by `forward`).

    Source: Rezende & Mohamed (2015), section 3, arXiv 1505.05770; Kingma et al. (2016),
        section 4, arXiv 1606.04934, for autoregressive layers.
    Differs: a unit becomes u exp(s) + t with |s| < 3, where Kingma et al. gate it.

    Example:
        >>> import torch
        >>> from lowerbound.networks import MLP
        >>> q = FlowPosterior(MLP((4,), FlowPosterior.parameters_shape(3)), layers=2)
        >>> q(torch.zeros(5, 4)).rsample((7,)).shape
        torch.Size([7, 5, 3])
    """

    formula = "f(u; h(x)), u ~ N(m(x), diag s(x)^2)"
    rows = 3

    def __init__(
        self,
        network: nn.Module,
        latents: int | None = None,
        *,
        layers: int = 4,
        maps: Literal["coupling", "autoregressive"] = "coupling",
        units: Literal["affine", "spline"] = "affine",
        width: int = 128,
    ) -> None:
        super().__init__(network)
        if not (1 <= layers <= 64 and 1 <= width <= 65536):
            raise SettingError(
                "a flow has from 1 to 64 layers, from 1 to 65536 wide, got "
                f"{layers} layers of width {width}"
            )
        size: int = network.outputs[-1] if latents is None else latents  # type: ignore[index,assignment]
        kind = Coupling if maps == "coupling" else Masked
        self.maps = Chain(
            [kind(size, unit_map(units), turn, (width, width), size) for turn in range(layers)]
        )

    def forward(self, context: Tensor | None = None) -> Flow:
        """The posterior of each x in `context`, `(B, *event)`."""
        output = self.network(context)
        if output.ndim < 3 or output.shape[-2] != 3:
            raise ShapeError(
                "a flow needs a network that puts out (batch, 3, latents), "
                f"got {tuple(output.shape)}; build it with outputs=(3, latents)"
            )
        mean, h, told = output.unbind(dim=-2)
        base = Independent(CellNormal(mean, positive_scale(h)), 1)
        return Flow(base, self.maps, told, outward=True)
