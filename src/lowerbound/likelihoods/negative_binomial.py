"""The law of counts."""

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.distributions import NegativeBinomial as NegativeBinomialDistribution
from lowerbound.errors import SupportError
from lowerbound.likelihoods.cells import Cells, Site

#: A mean of 0 is taken for this one, so that its logarithm is a number.
LEAST = 1e-3


class NegativeBinomial(Cells):
    """p(x|z): each cell a count of mean u exp(f(z)) and variance mean + mean^2 / r(z).

    Two parameters a cell: log of the mean in units of `unit`, held within [-20, 20], and log r,
    held within [-7, 14], where 14 is Poisson's law in all that can be seen.

    Args:
        unit: u, positive, a number or a tensor that broadcasts against the cells: the mean of the
            training examples, so that networks start near it.

    Source: Hilbe (2011), Negative Binomial Regression, equation 8.7; as the law of a VAE: Lopez et
        al. (2018), Nature Methods 15, 1053.

    Example:
        >>> from lowerbound.likelihoods import Fields
        >>> from lowerbound.networks import MLP
        >>> p = Fields(MLP((2,), (2, 4)), NegativeBinomial(unit=10.0))
        >>> p(torch.zeros(3, 5, 2)).log_prob(torch.ones(5, 4)).shape
        torch.Size([3, 5])
    """

    formula = "NB(x; m(z), r(z))"
    name = "negative-binomial"
    kinds = frozenset({"count"})
    sized = True
    log_unit: Tensor

    def __init__(self, unit: float | Tensor = 1.0) -> None:
        super().__init__()
        unit = torch.as_tensor(unit, dtype=torch.float64).detach().clamp(min=LEAST)
        self.register_buffer("log_unit", unit.log())

    @property
    def parameters_per_cell(self) -> int:
        """Log mean and log size."""
        return 2

    def law(self, parameters: Tensor) -> Distribution:
        """Return negative binomial cells from `(..., *shape, 2)`."""
        log_mean, log_size = parameters.unbind(dim=-1)
        log_mean = self.log_unit + log_mean.clamp(-20.0, 20.0)
        return NegativeBinomialDistribution(log_mean, log_size.clamp(-7.0, 14.0))

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless `x` holds whole numbers of at least 0."""
        check_counts(x, self.name, name)


def check_counts(x: Tensor, likelihood: str, field: str) -> None:
    """Raise `SupportError` unless `x` holds whole numbers of at least 0."""
    if x.numel() == 0:
        return
    low = float(x.min())
    whole = not x.is_floating_point() or bool((x == x.round()).all() & torch.isfinite(x).all())
    if not (low >= 0 and whole):
        got = f"min {low:g}" if whole else "fractions between them"
        raise SupportError(
            f"likelihood '{likelihood}' needs whole numbers of at least 0, got {got} in "
            f"'{field}'; use --likelihood gaussian"
        )


def negative_binomial(site: Site) -> NegativeBinomial:
    """Counts: whole numbers from 0 without an upper limit, that may spread more than Poisson's."""
    return NegativeBinomial(1.0 if site.mean is None else site.mean)
