"""The law of whole numbers without limits: integers, dates and times in their unit."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.distributions import RoundedLogistic as RoundedLogisticDistribution
from lowerbound.errors import SupportError
from lowerbound.likelihoods.cells import Cells, Site

#: Log scales are held within these, in units of the data's spread ...
LEAST, MOST = -7.0, 7.0
#: ... and not below this scale, whose centre holds all but 1e-4 of the mass.
LEAST_SCALE = 0.05


class RoundedLogistic(Cells):
    """p(x|z): each cell a logistic rounded to whole numbers, which have no limits.

    Two parameters a cell: location and log scale, in units of the data.

    Args:
        location: Where a location of 0 lies; broadcasts against the cells.
        unit: Scale of the logistic that spreads as the data does, positive, likewise.

    Source: Salimans et al. (2017), equation 2, arXiv 1701.05517.

    Example:
        >>> from lowerbound.likelihoods import Fields
        >>> from lowerbound.networks import MLP
        >>> p = Fields(MLP((2,), (2, 4)), RoundedLogistic(2000.0, 10.0))
        >>> p(torch.zeros(3, 5, 2)).log_prob(torch.full((5, 4), 1999.0)).shape
        torch.Size([3, 5])
    """

    formula = "RoundedLogistic(x; m(z), s(z))"
    name = "rounded-logistic"
    kinds = frozenset({"whole", "date", "datetime", "time", "duration"})
    location: Tensor
    log_unit: Tensor

    def __init__(self, location: float | Tensor = 0.0, unit: float | Tensor = 1.0) -> None:
        super().__init__()
        # on the CPU also while only sizes are counted: to compute without values is slow to begin
        location, unit = (
            torch.as_tensor(value, dtype=torch.float64, device="cpu") for value in (location, unit)
        )
        self.register_buffer("location", location.detach().clone())
        self.register_buffer("log_unit", unit.detach().log())

    @property
    def parameters_per_cell(self) -> int:
        """Location and log scale."""
        return 2

    def law(self, parameters: Tensor) -> Distribution:
        """Return rounded logistic cells from location and log scale, `(..., *shape, 2)`."""
        # seconds since 1970 are right to a minute in float32: float64 comes first
        location, log_scale = parameters.to(self.location.dtype).unbind(dim=-1)
        location = torch.addcmul(self.location, self.log_unit.exp(), location)
        log_scale = (self.log_unit + log_scale.clamp(LEAST, MOST)).clamp(min=math.log(LEAST_SCALE))
        return RoundedLogisticDistribution(location, log_scale)

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless `x` holds whole numbers."""
        if x.is_floating_point() and not bool((torch.isfinite(x) & (x == x.round())).all()):
            raise SupportError(
                f"likelihood '{self.name}' needs whole numbers, got others in '{name}'; round "
                "them, or use --likelihood gaussian for real-valued data"
            )

    def start(self, mean: Tensor) -> Tensor:
        """Return the mean and the spread of the data, `(2, *shape)`."""
        return torch.zeros(2, *mean.shape)


def rounded_logistic(site: Site) -> RoundedLogistic:
    """Whole numbers, dates and times: a logistic integrated over each one, without limits."""
    if site.mean is None or site.scale is None:
        return RoundedLogistic()
    return RoundedLogistic(site.mean, site.scale * (math.sqrt(3) / math.pi))
