"""The law of counts that spread as little as they can by chance."""

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.distributions import Poisson as PoissonDistribution

from lowerbound.distributions import accumulate
from lowerbound.likelihoods.cells import Cells, Site
from lowerbound.likelihoods.negative_binomial import LEAST, check_counts


class Poisson(Cells):
    """p(x|z): each cell a count of mean and variance u exp(f(z)).

    Counts of people's data nearly always spread more: see `NegativeBinomial`. One parameter a cell,
    held within [-20, 12].

    Args:
        unit: u, positive, a number or a tensor that broadcasts against the cells.

    Source: Nazabal et al. (2020), section 3, count data, arXiv 1807.03653.

    Example:
        >>> from lowerbound.likelihoods import Fields
        >>> from lowerbound.networks import MLP
        >>> p = Fields(MLP((2,), (1, 4)), Poisson(unit=10.0))
        >>> p(torch.zeros(3, 5, 2)).log_prob(torch.ones(5, 4)).shape
        torch.Size([3, 5])
    """

    formula = "Poisson(x; m(z))"
    name = "poisson"
    kinds = frozenset({"count"})
    sized = True
    log_unit: Tensor

    def __init__(self, unit: float | Tensor = 1.0) -> None:
        super().__init__()
        unit = torch.as_tensor(unit, dtype=torch.float64).detach().clamp(min=LEAST)
        self.register_buffer("log_unit", unit.log())

    def law(self, parameters: Tensor) -> Distribution:
        """Return Poisson cells from the log of their mean, `(..., *shape, 1)`."""
        log_mean = self.log_unit + accumulate(parameters.squeeze(-1), 0).clamp(-20.0, 12.0)
        return PoissonDistribution(log_mean.exp(), validate_args=False)

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless `x` holds whole numbers of at least 0."""
        check_counts(x, self.name, name)


def poisson(site: Site) -> Poisson:
    """Counts that spread no more than chance has them: variance and mean are the same."""
    return Poisson(1.0 if site.mean is None else site.mean)
