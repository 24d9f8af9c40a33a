"""Priors of positive numbers and of shares."""

import torch
from torch import Tensor
from torch.distributions import Dirichlet as TorchDirichlet
from torch.distributions import Gamma as TorchGamma

from lowerbound.core import Conditional
from lowerbound.distributions import Independent
from lowerbound.errors import SettingError
from lowerbound.priors.site import Site
from lowerbound.priors.standard_normal import check_latents


class Gamma(Conditional):
    """p(z) = prod_d Gamma(z_d; a, 1): positive units, many of them near 0 if a is under 1.

    Args:
        latents: Number `D` of latent units, at least 1.
        concentration: a, from 0.05 to 1000: below, draws are 0 in float32.

    Raises:
        SettingError: A number is out of range.

    Source: Figurnov, Mohamed & Mnih (2018), arXiv 1805.08498, for such latents in a VAE.
    """

    values = "positive numbers"
    one: Tensor

    def __init__(self, latents: int, concentration: float = 1.0) -> None:
        super().__init__()
        check_latents(latents)
        check_concentration(concentration)
        self.concentration = concentration
        self.register_buffer("one", torch.ones(latents), persistent=False)

    @property
    def formula(self) -> str:  # type: ignore[override]
        """The law of a unit."""
        return f"Gamma({self.concentration:g}, 1)"

    def forward(self, context: Tensor | None = None) -> Independent:
        """Return the prior, event `(D,)`; it ignores `context`."""
        return Independent(
            TorchGamma(self.one * self.concentration, self.one, validate_args=False), 1
        )

    def extra_repr(self) -> str:
        """Its size and law."""
        return f"latents={len(self.one)}, concentration={self.concentration:g}"


class Dirichlet(Conditional):
    """p(z) = Dirichlet(a, ..., a): shares that sum to 1, few of them large if a is under 1.

    Args:
        latents: Number `D` of shares, at least 2.
        concentration: a, from 0.05 to 1000: below, draws are 0 in float32.

    Raises:
        SettingError: A number is out of range.

    Source: Figurnov, Mohamed & Mnih (2018), arXiv 1805.08498, of topics of documents.
    """

    values = "shares"
    one: Tensor

    def __init__(self, latents: int, concentration: float = 1.0) -> None:
        super().__init__()
        check_latents(latents)
        if latents < 2:
            raise SettingError("shares need at least 2 latents, got 1")
        check_concentration(concentration)
        self.concentration = concentration
        self.register_buffer("one", torch.ones(latents), persistent=False)

    @property
    def formula(self) -> str:  # type: ignore[override]
        """The law."""
        return f"Dirichlet({self.concentration:g})"

    def forward(self, context: Tensor | None = None) -> TorchDirichlet:
        """Return the prior, event `(D,)`; it ignores `context`."""
        return TorchDirichlet(self.one * self.concentration, validate_args=False)

    def extra_repr(self) -> str:
        """Its size and law."""
        return f"latents={len(self.one)}, concentration={self.concentration:g}"


def gamma(site: Site, *, concentration: float = 1.0) -> Gamma:
    """Positive units, for the posterior "gamma".

    Args:
        site: Its place in the model.
        concentration: Of a unit; under 1 most are near 0.
    """
    return Gamma(site.latents, concentration)


def dirichlet(site: Site, *, concentration: float = 1.0) -> Dirichlet:
    """Shares that sum to 1, for the posterior "dirichlet".

    Args:
        site: Its place in the model.
        concentration: Of each share; under 1 few are large.
    """
    return Dirichlet(site.latents, concentration)


def check_concentration(concentration: float) -> None:
    """Raise `SettingError` unless it is from 0.05 to 1000."""
    if not 0.05 <= concentration <= 1000:
        raise SettingError(f"concentration must be from 0.05 to 1000, got {concentration}")
