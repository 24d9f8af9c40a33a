"""Priors whose tails are heavier than the Gaussian's."""

from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Laplace, StudentT

from lowerbound.core import Conditional
from lowerbound.distributions import Independent
from lowerbound.errors import SettingError
from lowerbound.priors.site import Site
from lowerbound.priors.standard_normal import check_latents

Tails = Literal["laplace", "student"]


class HeavyTailed(Conditional):
    """p(z) = prod_d p(z_d), each a Laplace or a Student law about 0 with scale 1.

    Args:
        latents: Number `D` of latent units, at least 1.
        tails: "laplace", density exp(-|z|) / 2, or "student".
        freedom: Degrees of freedom of a Student law, more than 2, so that it has a variance.

    Raises:
        SettingError: `freedom` is 2 or less, or `latents` is no number of units.

    Source: Mathieu et al. (2019), arXiv 1812.02833 (Student); Geadah et al. (2024), Neural
        Computation 36(12), page 2571 (Laplace).
    Differs: q(z|x) is any posterior of reals; under the posterior "laplace" the rate of a Laplace
        prior is closed.

    Example:
        >>> HeavyTailed(2, "laplace")().log_prob(torch.zeros(2))
        tensor(-1.3863, dtype=torch.float64)
    """

    zero: Tensor
    one: Tensor

    def __init__(self, latents: int, tails: Tails = "student", freedom: float = 5.0) -> None:
        super().__init__()
        check_latents(latents)
        if not 2 < freedom < 1e6:
            raise SettingError(f"freedom of a Student law must be more than 2, got {freedom}")
        self.tails, self.freedom = tails, freedom
        self.register_buffer("zero", torch.zeros(latents), persistent=False)
        self.register_buffer("one", torch.ones(latents), persistent=False)

    @property
    def formula(self) -> str:  # type: ignore[override]
        """The law of a unit."""
        return "Laplace(0, 1)" if self.tails == "laplace" else f"Student({self.freedom:g})"

    def forward(self, context: Tensor | None = None) -> Independent:
        """Return the prior, event `(D,)`; it ignores `context`."""
        if self.tails == "laplace":
            return Independent(Laplace(self.zero, self.one, validate_args=False), 1)
        freedom = self.one * self.freedom
        return Independent(StudentT(freedom, self.zero, self.one, validate_args=False), 1)

    def extra_repr(self) -> str:
        """Its size and law."""
        return f"latents={len(self.zero)}, tails={self.tails}, freedom={self.freedom:g}"


def student(site: Site, *, freedom: float = 5.0) -> HeavyTailed:
    """Independent Student units: a far encoding costs little.

    Args:
        site: Its place in the model.
        freedom: Degrees of freedom, more than 2.
    """
    return HeavyTailed(site.latents, "student", freedom)


def laplace(site: Site) -> HeavyTailed:
    """Independent Laplace units: few are far from 0 at a time.

    Args:
        site: Its place in the model.
    """
    return HeavyTailed(site.latents, "laplace")
