"""The Gaussian prior that follows what a model is told."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lowerbound.core import Conditional, Told
from lowerbound.distributions import CellNormal, Independent
from lowerbound.priors.site import Site
from lowerbound.priors.standard_normal import check_latents


class GivenPrior(Conditional):
    """p(z|c) = N(m(c), diag s(c)^2), for a model that is told c; it starts as N(0, I) for all c.

    m and log s are sums: of a part for every example, and of one for each value that is told. An
    example that is told nothing has the first part alone.

    Args:
        latents: Number `D` of latent units, at least 1.
        levels: How many values each condition can take; none for a learned Gaussian.

    Source: Sohn, Lee & Yan (2015), section 4.1, NeurIPS, whose prior is a network of c.

    Example:
        >>> GivenPrior(2, [3])(torch.tensor([[0], [2]])).batch_shape
        torch.Size([2])
    """

    formula = "N(m(c), diag s(c)^2)"

    def __init__(self, latents: int, levels: Sequence[int] = ()) -> None:
        super().__init__()
        check_latents(latents)
        self.told = Told(levels, (1,))
        self.every = nn.Parameter(torch.zeros(2, latents))
        self.own = nn.Parameter(torch.zeros(self.told.size, 2, latents)) if levels else None

    def forward(self, context: Tensor | None = None) -> Independent:
        """Return the prior, event `(D,)`.

        Args:
            context: Codes `(B, C)`, which then are the batch; -1 where not told.
        """
        numbers = self.every
        if self.own is not None and context is not None:
            given = self.told(context, self.own.new_zeros(len(context), 1))
            numbers = numbers + torch.einsum("bc,cpd->bpd", given, self.own)
        mean, log_scale = numbers.unbind(dim=-2)
        return Independent(CellNormal(mean, log_scale.exp()), 1)

    def extra_repr(self) -> str:
        """Its size."""
        return f"latents={self.every.shape[1]}, levels={self.told.levels}"


def given(site: Site) -> GivenPrior:
    """A Gaussian that follows the condition, for a model that is told one.

    Args:
        site: Its place in the model.
    """
    return GivenPrior(site.latents, site.levels)
