"""The law of positive numbers."""

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.distributions import LogNormal as LogNormalDistribution

from lowerbound.errors import SupportError
from lowerbound.likelihoods.cells import Cells, Site
from lowerbound.likelihoods.student_t import LEAST

#: Highest log scale, in units of the data: e^3 of them is beyond what their logarithms spread.
MOST = 3.0


class LogNormal(Cells):
    """p(x|z) = N(log x; m(z), s(z)^2) / x of each cell.

    Two parameters a cell: location and log scale of log x, in units of its spread.

    Args:
        location: Of log x, where a location of 0 lies; broadcasts against the cells.
        unit: Standard deviation of log x, positive, likewise.

    Source: Nazabal et al. (2020), section 3, positive real data, arXiv 1807.03653.
    Differs: log x in place of log(1 + x), which gives numbers below 0 a density.

    Example:
        >>> from lowerbound.likelihoods import Fields
        >>> from lowerbound.networks import MLP
        >>> p = Fields(MLP((2,), (2, 4)), LogNormal())
        >>> p(torch.zeros(3, 5, 2)).log_prob(torch.ones(5, 4)).shape
        torch.Size([3, 5])
    """

    formula = "LogNormal(x; m(z), s(z))"
    name = "log-normal"
    kinds = frozenset({"positive"})
    filler = 1.0
    location: Tensor
    unit: Tensor

    def __init__(self, location: float | Tensor = 0.0, unit: float | Tensor = 1.0) -> None:
        super().__init__()
        self.register_buffer("location", torch.as_tensor(location).detach().clone())
        self.register_buffer("unit", torch.as_tensor(unit).detach().clone())

    @property
    def parameters_per_cell(self) -> int:
        """Location and log scale of log x."""
        return 2

    def law(self, parameters: Tensor) -> Distribution:
        """Return log-normal cells from location and log scale, `(..., *shape, 2)`."""
        location, log_scale = parameters.unbind(dim=-1)
        location = torch.addcmul(self.location, self.unit, location)
        scale = self.unit * log_scale.clamp(LEAST, MOST).exp()
        return LogNormalDistribution(location, scale, validate_args=False)

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless every value is positive and finite."""
        if not bool(((x > 0) & torch.isfinite(x)).all()):
            low, high = float(x.min()), float(x.max())
            raise SupportError(
                f"likelihood '{self.name}' needs positive finite numbers, got min {low:g}, max "
                f"{high:g} in '{name}'; use --likelihood student-t or binned"
            )

    def start(self, mean: Tensor) -> Tensor:
        """Return the mean and the spread of the data, `(2, *shape)`."""
        return torch.zeros(2, *mean.shape)


def log_normal(site: Site) -> LogNormal:
    """Positive numbers: the logarithm is Gaussian, with a density of the number itself."""
    if site.mean is None or site.scale is None:
        return LogNormal()
    # the Gaussian of log x under which x has its mean and spread
    mean = site.mean.clamp(min=1e-30)
    variance = (site.scale / mean).square().log1p()
    return LogNormal(mean.log() - variance / 2, variance.sqrt())
