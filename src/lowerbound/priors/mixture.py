"""The mixture of Gaussians as a prior."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, Normal

from lowerbound.core import UNTOLD, Conditional
from lowerbound.distributions import Independent
from lowerbound.distributions import Mixture as MixtureDistribution
from lowerbound.errors import SettingError
from lowerbound.priors.site import Site
from lowerbound.priors.standard_normal import check_latents

Covariance = Literal["diagonal", "full"]


class Mixture(Conditional):
    """p(z) = sum_k w_k N(z; m_k, S_k), weights, means and covariances learned.

    Args:
        latents: Number `D` of latent units, at least 1.
        components: Number of Gaussians, at least 1.
        covariance: S_k "diagonal", or "full" for components whose units are correlated.
        classes: How many classes have weights of their own, p(z|c), beside w for an example whose
            class is not told; 0 for none.

    Raises:
        SettingError: A number is out of range.

    Source: Dilokthanakul et al. (2016), arXiv 1611.02648; Tomczak & Welling (2018), section 4.2
        ("MoG"), arXiv 1705.07120.

    Example:
        >>> Mixture(2, components=3)().sample((5,)).shape
        torch.Size([5, 2])
    """

    formula = "sum_k w_k N(m_k, S_k)"

    def __init__(
        self,
        latents: int,
        components: int = 10,
        covariance: Covariance = "diagonal",
        classes: int = 0,
    ) -> None:
        super().__init__()
        check_latents(latents)
        check_components(components)
        self.covariance = covariance
        self.log_weights = nn.Parameter(torch.zeros(components))
        self.of_classes = nn.Parameter(torch.zeros(classes, components)) if classes else None
        self.means = nn.Parameter(torch.randn(components, latents))
        self.log_scales = nn.Parameter(torch.zeros(components, latents))
        # below the diagonal of L with S = L L^T, in units of its diagonal
        self.slopes = (
            nn.Parameter(torch.zeros(components, latents, latents))
            if covariance == "full"
            else None
        )

    def forward(self, context: Tensor | None = None) -> MixtureDistribution:
        """Return the prior, event `(D,)`.

        Args:
            context: Codes of classes `(B, 1)`, which then are the batch; -1 where not told.
        """
        weights = self.log_weights
        if self.of_classes is not None and context is not None:
            codes = context[..., :1]
            own = self.of_classes[codes[..., 0].clamp(min=0)]
            weights = torch.where(codes == UNTOLD, weights, own)
        scales = self.log_scales.exp()
        if self.slopes is None:
            law = Independent(Normal(self.means, scales, validate_args=False), 1)
            return MixtureDistribution(weights, law)
        factor = torch.diag_embed(scales) + scales.unsqueeze(-1) * self.slopes.tril(-1)
        whole = MultivariateNormal(self.means, scale_tril=factor, validate_args=False)
        return MixtureDistribution(weights, whole)

    @torch.no_grad()
    def put(self, weights: Tensor, means: Tensor, covariances: Tensor) -> None:
        """Take over a mixture that was fitted elsewhere.

        Args:
            weights: w, positive, `(components,)`.
            means: m, `(components, D)`.
            covariances: S, `(components, D)` where diagonal, else `(components, D, D)`.
        """
        self.log_weights.copy_(weights.log())
        self.means.copy_(means)
        if self.slopes is None:
            self.log_scales.copy_(covariances.sqrt().log())
            return
        factor = torch.linalg.cholesky(covariances)
        scales = torch.diagonal(factor, dim1=-2, dim2=-1)
        self.log_scales.copy_(scales.log())
        self.slopes.copy_((factor / scales.unsqueeze(-1)).tril(-1))

    def extra_repr(self) -> str:
        """Its sizes."""
        components, latents = self.means.shape
        return f"latents={latents}, components={components}, covariance={self.covariance}"


def mixture(site: Site, *, components: int = 10, covariance: Covariance = "diagonal") -> Mixture:
    """A mixture of Gaussians.

    Args:
        site: Its place in the model.
        components: Number of Gaussians.
        covariance: Of each, "diagonal" or "full".
    """
    return Mixture(site.latents, components, covariance)


def check_components(components: int) -> None:
    """Raise `SettingError` unless there are from 1 to 65536 components."""
    if not 1 <= components <= 65536:
        raise SettingError(f"components must be from 1 to 65536, got {components}")
