"""The mixture of Gaussians as a prior."""

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from lowerbound.core import Conditional
from lowerbound.distributions import Independent
from lowerbound.distributions import Mixture as MixtureDistribution
from lowerbound.errors import SettingError
from lowerbound.priors.site import Site
from lowerbound.priors.standard_normal import check_latents


class Mixture(Conditional):
    """p(z) = sum_k w_k N(z; m_k, diag s_k^2), weights, means and scales learned.

    Args:
        latents: Number `D` of latent units, at least 1.
        components: Number of Gaussians, at least 1.

    Raises:
        SettingError: A number is out of range.

    Source: Dilokthanakul et al. (2016), arXiv 1611.02648; Tomczak & Welling (2018), section 4.2
        ("MoG"), arXiv 1705.07120.

    Example:
        >>> torch.manual_seed(0) and Mixture(2, components=3)().sample((5,)).shape
        torch.Size([5, 2])
    """

    formula = "sum_k w_k N(m_k, diag s_k^2)"

    def __init__(self, latents: int, components: int = 10) -> None:
        super().__init__()
        check_latents(latents)
        check_components(components)
        self.log_weights = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(torch.randn(components, latents))
        self.log_scales = nn.Parameter(torch.zeros(components, latents))

    def forward(self, context: Tensor | None = None) -> MixtureDistribution:
        """Return the prior, event `(D,)`; it ignores `context`."""
        law = Normal(self.means, self.log_scales.exp(), validate_args=False)
        return MixtureDistribution(self.log_weights, Independent(law, 1))

    def extra_repr(self) -> str:
        """Its sizes."""
        return f"latents={self.means.shape[1]}, components={self.means.shape[0]}"


def mixture(site: Site, *, components: int = 10) -> Mixture:
    """A mixture of Gaussians.

    Args:
        site: Its place in the model.
        components: Number of Gaussians.
    """
    return Mixture(site.latents, components)


def check_components(components: int) -> None:
    """Raise `SettingError` unless there are from 1 to 65536 components."""
    if not 1 <= components <= 65536:
        raise SettingError(f"components must be from 1 to 65536, got {components}")
