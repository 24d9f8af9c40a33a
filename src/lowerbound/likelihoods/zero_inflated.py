"""The law of counts with many zeros."""

from torch import Tensor
from torch.distributions import Distribution

from lowerbound.distributions import ZeroInflated
from lowerbound.likelihoods.cells import Cells, Site
from lowerbound.likelihoods.negative_binomial import NegativeBinomial, check_counts


class ZeroInflatedNegativeBinomial(Cells):
    """p(x|z) = s(z) 1[x = 0] + (1 - s(z)) NB(x; m(z), r(z)) of each cell.

    Three parameters a cell: those of `NegativeBinomial`, and the logit of s.

    Args:
        unit: As for `NegativeBinomial`.

    Source: Lopez et al. (2018), Nature Methods 15, 1053.

    Example:
        >>> import torch
        >>> from lowerbound.likelihoods import Fields
        >>> from lowerbound.networks import MLP
        >>> p = Fields(MLP((2,), (3, 4)), ZeroInflatedNegativeBinomial(unit=10.0))
        >>> p(torch.zeros(3, 5, 2)).log_prob(torch.ones(5, 4)).shape
        torch.Size([3, 5])
    """

    formula = "ZINB(x; s(z), m(z), r(z))"
    name = "zero-inflated-negative-binomial"
    kinds = frozenset({"count"})
    sized = True

    def __init__(self, unit: float | Tensor = 1.0) -> None:
        super().__init__()
        self.counts = NegativeBinomial(unit)

    @property
    def parameters_per_cell(self) -> int:
        """Log mean, log size and the logit of a further zero."""
        return 3

    def law(self, parameters: Tensor) -> Distribution:
        """Return zero-inflated cells from `(..., *shape, 3)`."""
        base = self.counts.law(parameters[..., :2])
        return ZeroInflated(base, parameters[..., 2].clamp(-20.0, 20.0))

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless `x` holds whole numbers of at least 0."""
        check_counts(x, self.name, name)


def zero_inflated_negative_binomial(site: Site) -> ZeroInflatedNegativeBinomial:
    """Counts with many zeros: some of these come from elsewhere than the others."""
    return ZeroInflatedNegativeBinomial(1.0 if site.mean is None else site.mean)
