"""The law of reals with heavy tails."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Chi2, Distribution
from torch.distributions import StudentT as StudentTDistribution
from torch.nn.functional import softplus

from lowerbound.likelihoods.cells import Cells, Site
from lowerbound.likelihoods.gaussian import PerDimensionScale, channels_of, check_finite

#: Log scales are held within these, in units of the data: the least keeps the density of a cell
#: that repeats itself exactly from growing without bound.
LEAST, MOST = -7.0, 7.0


class StudentT(Cells):
    """p(x|z) = t(x; nu, m(z), s(z)) of each cell, with nu > 2 learned for each of them.

    Two parameters a cell: location and log scale, in units of the data; or the location alone, and
    a scale that is learned but does not follow z. A far value costs the logarithm of its distance
    and not the square, so that it cannot rule the training.

    Args:
        shape: Of nu, broadcasting against the cells.
        location: Where a location of 0 lies; broadcasts against the cells.
        unit: Standard deviation of the data, positive, likewise.
        scale: The scale where it does not follow z, as of `Gaussian`; None where it does.

    Source: Lange, Little & Taylor (1989), JASA 84, 881; in a VAE of tables: Mattei & Frellsen
        (2019), arXiv 1812.02633.

    Example:
        >>> from lowerbound.likelihoods import Fields
        >>> from lowerbound.networks import MLP
        >>> p = Fields(MLP((2,), (2, 4)), StudentT((4,)))
        >>> p(torch.zeros(3, 5, 2)).log_prob(torch.ones(5, 4)).shape
        torch.Size([3, 5])
    """

    formula = "t(x; nu, m(z), s(z))"
    name = "student-t"
    kinds = frozenset(
        {"real", "positive", "bounded", "whole", "date", "datetime", "time", "duration"}
    )
    location: Tensor
    unit: Tensor

    def __init__(
        self,
        shape: tuple[int, ...] = (),
        location: float | Tensor = 0.0,
        unit: float | Tensor = 1.0,
        scale: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.register_buffer("location", torch.as_tensor(location).detach().clone())
        self.register_buffer("unit", torch.as_tensor(unit).detach().clone())
        self.tails = nn.Parameter(torch.full(shape, 5.0))

    @property
    def parameters_per_cell(self) -> int:
        """Location and log scale, or location."""
        return 2 if self.scale is None else 1

    def law(self, parameters: Tensor) -> Distribution:
        """Return Student cells from standardised parameters, `(..., *shape, 1 or 2)`."""
        location = torch.addcmul(self.location, self.unit, parameters[..., 0])
        if self.scale is None:
            scale = self.unit * parameters[..., 1].clamp(LEAST, MOST).exp()
        else:
            scale = (self.unit * self.scale()).expand(location.shape)
        return _Student(2 + softplus(self.tails), location, scale)

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless every value is finite."""
        check_finite(x, self.name, name)

    def start(self, mean: Tensor) -> Tensor:
        """Return the mean and the spread of the data, `(1 or 2, *shape)`."""
        return torch.zeros(self.parameters_per_cell, *mean.shape)


class _Student(StudentTDistribution):
    """Student's law whose parts are not validated either: a training must outlive a nan."""

    def __init__(self, df: Tensor, loc: Tensor, scale: Tensor) -> None:
        self.df, self.loc, self.scale = torch.broadcast_tensors(df, loc, scale)
        self._chi2 = Chi2(self.df, validate_args=False)
        Distribution.__init__(self, self.df.shape, validate_args=False)


def student_t(
    site: Site, *, scale: Literal["auto", "free", "per-channel", "per-dimension"] = "auto"
) -> StudentT:
    """Reals with heavy tails.

    Args:
        site: The cells.
        scale: Whether the scale follows z in each cell ("free"), or is one "per-channel" or
            "per-dimension"; "auto": per channel in series, where a free one learns single examples
            by heart, free elsewhere.
    """
    location = 0.0 if site.mean is None else site.mean
    unit = 1.0 if site.scale is None else site.scale
    if scale == "auto":
        scale = "per-channel" if len(site.shape) == 2 else "free"
    if scale == "free":
        return StudentT(site.shape, location, unit)
    shape = channels_of(site.shape) if scale == "per-channel" else site.shape
    return StudentT(shape, location, unit, PerDimensionScale(shape))
