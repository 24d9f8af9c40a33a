"""The Gaussian posterior with independent units."""

from torch import Tensor

from lowerbound.distributions import CellNormal, Independent
from lowerbound.errors import ShapeError
from lowerbound.posteriors.amortised import Amortised
from lowerbound.posteriors.scale import positive_scale


class DiagonalGaussian(Amortised):
    """q(z|x) = N(m(x), diag s(x)^2), the mean-field Gaussian.

    Args:
        network: Maps `(B, *event)` to `(B, 2, D)`: the mean m, and h with s = `positive_scale(h)`,
            which is log s for every s up to 1.

    Raises:
        ShapeError: The network's output is not `(B, 2, D)` (raised by `forward`).

    Source: Kingma & Welling (2014), equation 9, arXiv 1312.6114.
    Differs: in the scale, see `lowerbound.posteriors.scale.positive_scale`.

    Example:
        >>> import torch
        >>> from lowerbound.networks import MLP
        >>> q = DiagonalGaussian(MLP((4,), (2, 3)))
        >>> q(torch.zeros(5, 4)).rsample((7,)).shape
        torch.Size([7, 5, 3])
    """

    formula = "N(m(x), diag s(x)^2)"
    rows = 2

    def forward(self, context: Tensor | None = None) -> Independent:
        """The posterior of each x in `context`, `(B, *event)`."""
        output = self.network(context)
        if output.ndim < 3 or output.shape[-2] != 2:
            raise ShapeError(
                "a diagonal Gaussian needs a network that puts out (batch, 2, latents), "
                f"got {tuple(output.shape)}; build it with outputs=(2, latents)"
            )
        mean, h = output.unbind(dim=-2)
        return Independent(CellNormal(mean, positive_scale(h)), 1)
