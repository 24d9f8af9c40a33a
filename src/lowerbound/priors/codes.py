"""Priors of codes: classes and bits."""

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli as TorchBernoulli

from lowerbound.core import Conditional
from lowerbound.distributions import Independent, OneHot
from lowerbound.errors import SettingError
from lowerbound.priors.site import Site
from lowerbound.priors.standard_normal import check_latents


class Categorical(Conditional):
    """p(z) of independent variables of some classes each; learned, and uniform at first.

    Args:
        latents: Number `D` of numbers that z is written in, `classes` for each variable.
        classes: Of each variable; they divide D. None for one variable of D classes.

    Raises:
        SettingError: The numbers do not go together.

    Example:
        >>> Categorical(6, classes=3)().sample().sum()
        tensor(2.)
    """

    formula = "prod_m Cat(z_m)"
    values = "classes"

    def __init__(self, latents: int, classes: int | None = None) -> None:
        super().__init__()
        check_latents(latents)
        each = latents if classes is None else classes
        if each < 1 or latents % each:
            raise SettingError(
                f"{each} classes do not divide {latents} latents; choose other numbers"
            )
        self.logits = nn.Parameter(torch.zeros(latents // each, each))

    def forward(self, context: Tensor | None = None) -> OneHot:
        """Return the prior, event `(D,)`; it ignores `context`."""
        return OneHot(self.logits)

    def extra_repr(self) -> str:
        """Its sizes."""
        return "variables={}, classes={}".format(*self.logits.shape)


class Bernoulli(Conditional):
    """p(z) of independent bits; learned, and even at first.

    Args:
        latents: Number `D` of bits.
    """

    formula = "prod_d Bern(z_d)"
    values = "bits"

    def __init__(self, latents: int) -> None:
        super().__init__()
        check_latents(latents)
        self.logits = nn.Parameter(torch.zeros(latents))

    def forward(self, context: Tensor | None = None) -> Independent:
        """Return the prior, event `(D,)`; it ignores `context`."""
        return Independent(TorchBernoulli(logits=self.logits, validate_args=False), 1)


def categorical(site: Site, *, classes: int | None = None) -> Categorical:
    """Independent variables of some classes each, for the posterior "categorical".

    Args:
        site: Its place in the model.
        classes: Of each variable, as the posterior has them; one variable of all units if none.
    """
    return Categorical(site.latents, classes)


def bernoulli(site: Site) -> Bernoulli:
    """Independent bits, for the posterior "bernoulli".

    Args:
        site: Its place in the model.
    """
    return Bernoulli(site.latents)
