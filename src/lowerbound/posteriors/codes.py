"""Posteriors of codes: classes and bits."""

from torch import Tensor, nn
from torch.distributions import Bernoulli

from lowerbound.distributions import Independent, OneHot
from lowerbound.errors import SettingError
from lowerbound.posteriors.amortised import Amortised


class CategoricalPosterior(Amortised):
    """q(z|x) of independent variables, each of which takes one of some classes.

    z has one number for each class of each variable: 1 for the class that it takes, else 0.

    Args:
        network: Maps `(B, *event)` to `(B, 1, D)`: logits of all classes of all variables.
        classes: Of each variable; they divide D. None for one variable of D classes.

    Raises:
        SettingError: `classes` does not divide D (raised by `forward`).

    Source: Jang, Gu & Poole (2017), section 3.2, arXiv 1611.01144, for the latents.

    Example:
        >>> import torch
        >>> from lowerbound.networks import MLP
        >>> q = CategoricalPosterior(MLP((4,), (1, 6)), classes=3)
        >>> q(torch.zeros(5, 4)).sample().sum(dim=1)
        tensor([2., 2., 2., 2., 2.])
    """

    formula = "prod_m Cat(z_m; l_m(x))"
    values = "classes"

    def __init__(self, network: nn.Module, *, classes: int | None = None) -> None:
        super().__init__(network)
        self.classes = classes

    def forward(self, context: Tensor | None = None) -> OneHot:
        """The posterior of each x in `context`, `(B, *event)`."""
        logits = self.network(context).squeeze(-2)
        return OneHot(logits.unflatten(-1, variables_of(logits.shape[-1], self.classes)))


class BernoulliPosterior(Amortised):
    """q(z|x) of independent bits.

    Args:
        network: Maps `(B, *event)` to `(B, 1, D)`: a logit for each bit.

    Source: Mnih & Gregor (2014), section 2, arXiv 1402.0030, for the latents.
    """

    formula = "prod_d Bern(z_d; l_d(x))"
    values = "bits"

    def forward(self, context: Tensor | None = None) -> Independent:
        """The posterior of each x in `context`, `(B, *event)`."""
        logits = self.network(context).squeeze(-2)
        return Independent(Bernoulli(logits=logits, validate_args=False), 1)


def variables_of(units: int, classes: int | None) -> tuple[int, int]:
    """Return how many variables there are of how many classes; `SettingError` if none fit."""
    each = units if classes is None else classes
    if each < 1 or units % each:
        raise SettingError(f"{each} classes do not divide {units} latents; choose other numbers")
    return units // each, each
