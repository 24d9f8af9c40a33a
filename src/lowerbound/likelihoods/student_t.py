"""The law of reals with heavy tails."""

import torch
from torch import Tensor, nn
from torch.distributions import Chi2, Distribution
from torch.distributions import StudentT as StudentTDistribution
from torch.nn.functional import softplus

from lowerbound.likelihoods.cells import Cells, Site
from lowerbound.likelihoods.gaussian import check_finite

#: Log scales are held within these, in units of the data: the least keeps the density of a cell
#: that repeats itself exactly from growing without bound.
LEAST, MOST = -7.0, 7.0


class StudentT(Cells):
    """p(x|z) = t(x; nu, m(z), s(z)) of each cell, with nu > 2 learned for each of them.

    Two parameters a cell: location and log scale, in units of the data. A far value costs the
    logarithm of its distance and not the square, so that it cannot rule the training.

    Args:
        shape: Of the cells, which nu has, too.
        location: Where a location of 0 lies; broadcasts against the cells.
        unit: Standard deviation of the data, positive, likewise.

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
    ) -> None:
        super().__init__()
        self.register_buffer("location", torch.as_tensor(location).detach().clone())
        self.register_buffer("unit", torch.as_tensor(unit).detach().clone())
        self.tails = nn.Parameter(torch.full(shape, 5.0))

    @property
    def parameters_per_cell(self) -> int:
        """Location and log scale."""
        return 2

    def law(self, parameters: Tensor) -> Distribution:
        """Return Student cells from standardised location and log scale, `(..., *shape, 2)`."""
        location, log_scale = parameters.unbind(dim=-1)
        location = torch.addcmul(self.location, self.unit, location)
        scale = self.unit * log_scale.clamp(LEAST, MOST).exp()
        return _Student(2 + softplus(self.tails), location, scale)

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless every value is finite."""
        check_finite(x, self.name, name)

    def start(self, mean: Tensor) -> Tensor:
        """Return the mean and the spread of the data, `(2, *shape)`."""
        return torch.zeros(2, *mean.shape)


class _Student(StudentTDistribution):
    """Student's law whose parts are not validated either: a training must outlive a nan."""

    def __init__(self, df: Tensor, loc: Tensor, scale: Tensor) -> None:
        self.df, self.loc, self.scale = torch.broadcast_tensors(df, loc, scale)
        self._chi2 = Chi2(self.df, validate_args=False)
        Distribution.__init__(self, self.df.shape, validate_args=False)


def student_t(site: Site) -> StudentT:
    """Reals with heavy tails: location and scale follow z."""
    location = 0.0 if site.mean is None else site.mean
    return StudentT(site.shape, location, 1.0 if site.scale is None else site.scale)
