"""The law of positive numbers with zeros among them."""

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.distributions import Hurdle
from lowerbound.errors import SupportError
from lowerbound.likelihoods.cells import Cells, Site
from lowerbound.likelihoods.log_normal import LogNormal, log_normal


class HurdleLogNormal(Cells):
    """P(x = 0|z) = s(z), and (1 - s(z)) LogNormal(x; m(z), s(z)) of positive x, of each cell.

    Three parameters a cell: those of `LogNormal`, and the logit of s.

    Args:
        positive: The law of the numbers above 0.

    Source: Cragg (1971), Econometrica 39, 829.

    Example:
        >>> from lowerbound.likelihoods import Fields
        >>> from lowerbound.networks import MLP
        >>> p = Fields(MLP((2,), (3, 4)), HurdleLogNormal())
        >>> p(torch.zeros(3, 5, 2)).log_prob(torch.zeros(5, 4)).shape
        torch.Size([3, 5])
    """

    formula = "s(z) 1[x = 0] + (1 - s(z)) LogNormal(x; m(z), s(z))"
    name = "hurdle-log-normal"
    kinds = frozenset({"positive"})

    def __init__(self, positive: LogNormal | None = None) -> None:
        super().__init__()
        self.positive = LogNormal() if positive is None else positive

    @property
    def parameters_per_cell(self) -> int:
        """Location and log scale of log x, and the logit of zero."""
        return 3

    def law(self, parameters: Tensor) -> Distribution:
        """Return the cells from `(..., *shape, 3)`."""
        return Hurdle(self.positive.law(parameters[..., :2]), parameters[..., 2].clamp(-20.0, 20.0))

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless every value is finite and at least 0."""
        if not bool(((x >= 0) & torch.isfinite(x)).all()):
            low, high = float(x.min()), float(x.max())
            raise SupportError(
                f"likelihood '{self.name}' needs finite numbers of at least 0, got min {low:g}, "
                f"max {high:g} in '{name}'; use --likelihood student-t or binned"
            )

    def start(self, mean: Tensor) -> Tensor:
        """Return the mean and the spread of the data, `(2, *shape)`."""
        return self.positive.start(mean)


def hurdle_log_normal(site: Site) -> HurdleLogNormal:
    """Positive numbers with zeros: the chance of zero, and a log-normal of the others."""
    return HurdleLogNormal(log_normal(site))
