"""The law of reals that were recorded up to a limit."""

from torch import Tensor

from lowerbound.distributions import CensoredNormal
from lowerbound.likelihoods.cells import Site
from lowerbound.likelihoods.truncated_gaussian import Limited, limits, units


class CensoredGaussian(Limited):
    """p(x|z): N(m(z), s(z)^2) of each cell, of which all beyond a limit is recorded there (tobit).

    A limit has the mass of everything beyond it, numbers between have the Gaussian's density: log p
    is to be compared with laws that have masses at the same places alone. For a sensor that reads
    no more than its maximum, and amounts of which many are exactly 0.

    Args:
        low: See `Limited`.
        high: See `Limited`.
        location: See `Limited`.
        unit: See `Limited`.

    Source: Tobin (1958), Econometrica 26, 24.

    Example:
        >>> import torch
        >>> from lowerbound.likelihoods import Fields
        >>> from lowerbound.networks import MLP
        >>> p = Fields(MLP((2,), (2, 4)), CensoredGaussian(0.0))
        >>> p(torch.zeros(3, 5, 2)).log_prob(torch.zeros(5, 4)).shape
        torch.Size([3, 5])
    """

    formula = "N(x; m(z), s(z)^2), collected at its limits"
    name = "censored-gaussian"

    def between(self, loc: Tensor, scale: Tensor) -> CensoredNormal:
        """Return the Gaussian collected at the limits."""
        return CensoredNormal(loc, scale, self.low, self.high)


def censored_gaussian(
    site: Site, *, low: float | None = None, high: float | None = None
) -> CensoredGaussian:
    """Numbers recorded up to a limit: a Gaussian, and a mass at each limit (tobit).

    Args:
        site: The cells.
        low: The lower limit; None for that of the kind: 0 for shares and positive numbers, and for
            others that were never negative.
        high: The upper limit; None for that of the kind: 1 or 100 for shares.
    """
    return CensoredGaussian(*limits(site, low, high), *units(site))
