"""The posterior of directions."""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from lowerbound.distributions import PowerSpherical
from lowerbound.errors import SettingError
from lowerbound.posteriors.amortised import Amortised

#: Smallest length of what a direction is made of.
TINY = 1e-6


class PowerSphericalPosterior(Amortised):
    """q(z|x) = C (1 + m(x) . z)^k(x) on the unit sphere, for the prior "sphere".

    Args:
        network: Maps `(B, *event)` to `(B, 2, D)`: what m is the direction of, and numbers whose
            mean h gives k = softplus(h) + 1.

    Raises:
        SettingError: D is 1 (raised by `forward`).

    Source: De Cao & Aziz (2020), arXiv 2006.04437; as a posterior: Davidson et al. (2018),
        arXiv 1804.00891, of the von Mises-Fisher law.

    Example:
        >>> from lowerbound.networks import MLP
        >>> q = PowerSphericalPosterior(MLP((4,), (2, 3)))
        >>> q(torch.zeros(5, 4)).rsample((7,)).shape
        torch.Size([7, 5, 3])
    """

    formula = "C (1 + m(x) . z)^k(x)"
    rows = 2
    values = "directions"

    def forward(self, context: Tensor | None = None) -> PowerSpherical:
        """The posterior of each x in `context`, `(B, *event)`."""
        towards, h = self.network(context).unbind(dim=-2)
        if towards.shape[-1] < 2:
            raise SettingError("a direction needs at least 2 latents, got 1")
        # a network that puts out nothing points along the first axis
        nothing = towards.abs().amax(dim=-1, keepdim=True) < TINY
        first = torch.zeros_like(towards)
        first[..., 0] = TINY
        towards = torch.where(nothing, towards + first, towards)
        direction = towards / towards.norm(dim=-1, keepdim=True)
        return PowerSpherical(direction, softplus(h.mean(dim=-1)) + 1)
