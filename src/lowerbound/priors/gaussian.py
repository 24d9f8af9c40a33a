"""The learned Gaussian as a prior."""

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from lowerbound.core import Conditional
from lowerbound.distributions import CellNormal, Independent
from lowerbound.priors.mixture import Covariance
from lowerbound.priors.site import Site
from lowerbound.priors.standard_normal import check_latents


class Gaussian(Conditional):
    """p(z) = N(m, S), mean and covariance learned; it starts as N(0, I).

    Args:
        latents: Number `D` of latent units, at least 1.
        covariance: S "diagonal", or "full".

    Raises:
        SettingError: `latents` is not a whole number of at least 1.

    Source: Kingma & Welling (2019), section 2.5, arXiv 1906.02691 (p(z) with parameters).

    Example:
        >>> Gaussian(2)().log_prob(torch.zeros(2))
        tensor(-1.8379, dtype=torch.float64, grad_fn=...)
    """

    formula = "N(m, S)"

    def __init__(self, latents: int, covariance: Covariance = "diagonal") -> None:
        super().__init__()
        check_latents(latents)
        self.mean = nn.Parameter(torch.zeros(latents))
        self.log_scale = nn.Parameter(torch.zeros(latents))
        # below the diagonal of L with S = L L^T, in units of its diagonal
        full = covariance == "full" and latents > 1
        self.slopes = nn.Parameter(torch.zeros(latents, latents)) if full else None

    def forward(self, context: Tensor | None = None) -> Independent | MultivariateNormal:
        """Return the prior, event `(D,)`; it ignores `context`."""
        scale = self.log_scale.exp()
        if self.slopes is None:
            return Independent(CellNormal(self.mean, scale), 1)
        factor = torch.diag(scale) + scale.unsqueeze(-1) * self.slopes.tril(-1)
        return MultivariateNormal(self.mean, scale_tril=factor, validate_args=False)

    def extra_repr(self) -> str:
        """Its sizes."""
        covariance = "diagonal" if self.slopes is None else "full"
        return f"latents={len(self.mean)}, covariance={covariance}"


def gaussian(site: Site, *, covariance: Covariance = "diagonal") -> Gaussian:
    """A Gaussian whose mean and covariance are learned.

    Args:
        site: Its place in the model.
        covariance: "diagonal" or "full".
    """
    return Gaussian(site.latents, covariance)
