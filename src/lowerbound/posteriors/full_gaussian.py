"""The Gaussian posterior with correlated units."""

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from lowerbound.errors import ShapeError
from lowerbound.posteriors.amortised import Amortised
from lowerbound.posteriors.scale import positive_scale


class FullGaussian(Amortised):
    """q(z|x) = N(m(x), L(x) L(x)^T) with L lower triangular, its diagonal positive.

    Args:
        network: Maps `(B, *event)` to `(B, D + 1, D)`: the mean m, then the rows of a square
            matrix of which the strict lower triangle and `positive_scale` of the diagonal make L.

    Raises:
        ShapeError: The network's output is not `(B, D + 1, D)` (raised by `forward`).

    Source: Kingma & Welling (2019), section 2.5.1, arXiv 1906.02691.

    Example:
        >>> from lowerbound.networks import MLP
        >>> q = FullGaussian(MLP((4,), FullGaussian.parameters_shape(3)))
        >>> q(torch.zeros(5, 4)).rsample((7,)).shape
        torch.Size([7, 5, 3])
    """

    formula = "N(m(x), L(x) L(x)^T)"

    @classmethod
    def parameters_shape(cls, latents: int) -> tuple[int, int]:
        """Output shape that the network must have for one example: `(D + 1, D)`."""
        return (latents + 1, latents)

    def forward(self, context: Tensor | None = None) -> MultivariateNormal:
        """The posterior of each x in `context`, `(B, *event)`."""
        output = self.network(context)
        if output.ndim < 3 or output.shape[-2] != output.shape[-1] + 1:
            raise ShapeError(
                "a full Gaussian needs a network that puts out (batch, latents + 1, latents), "
                f"got {tuple(output.shape)}; build it with outputs=(latents + 1, latents)"
            )
        mean, square = output[..., 0, :], output[..., 1:, :]
        diagonal = positive_scale(torch.diagonal(square, dim1=-2, dim2=-1))
        factor = square.tril(diagonal=-1) + torch.diag_embed(diagonal)
        return MultivariateNormal(mean, scale_tril=factor, validate_args=False)
