"""The law of reals that cannot lie beyond their bounds."""

from abc import abstractmethod

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.distributions import TruncatedNormal
from lowerbound.errors import SettingError, SupportError
from lowerbound.likelihoods.cells import Cells, Site
from lowerbound.likelihoods.student_t import LEAST

#: Highest log scale, in units of the data: within bounds such a Gaussian is flat.
MOST = 3.0


class Limited(Cells):
    """Cells of N(m(z), s(z)^2) and their limits; a subclass says what becomes of the rest.

    Two parameters a cell: location and log scale, in units of the data.

    Args:
        low: Infinite where there is no limit; broadcasts against the cells.
        high: Above `low`, likewise.
        location: Where a location of 0 lies; broadcasts against the cells.
        unit: Standard deviation of the data, positive, likewise.

    Raises:
        SettingError: A limit is not above the other, or no number lies within those of all cells.
    """

    kinds = frozenset({"bounded", "positive", "real"})
    low: Tensor
    high: Tensor
    location: Tensor
    unit: Tensor

    def __init__(
        self,
        low: float | Tensor = -torch.inf,
        high: float | Tensor = torch.inf,
        location: float | Tensor = 0.0,
        unit: float | Tensor = 1.0,
    ) -> None:
        super().__init__()
        low, high = (torch.as_tensor(end, dtype=torch.float64) for end in (low, high))
        if not low.is_meta and not bool(low.max() < high.min()):
            raise SettingError(
                f"limits have numbers between them, got low {float(low.max()):g} and high "
                f"{float(high.min()):g}"
            )
        # limits are no weights, which would have to be finite
        self.register_buffer("low", low.detach().clone(), persistent=False)
        self.register_buffer("high", high.detach().clone(), persistent=False)
        self.register_buffer("location", torch.as_tensor(location).detach().clone())
        self.register_buffer("unit", torch.as_tensor(unit).detach().clone())

    @property
    def filler(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """A number within the limits of all cells: 0, or the one nearest to it."""
        return float(self.low.new_zeros(()).clamp(self.low.max(), self.high.min()))

    @property
    def parameters_per_cell(self) -> int:
        """Location and log scale."""
        return 2

    @abstractmethod
    def between(self, loc: Tensor, scale: Tensor) -> Distribution:
        """Return the law of cells of a Gaussian and the limits."""

    def law(self, parameters: Tensor) -> Distribution:
        """Return the cells from location and log scale, `(..., *shape, 2)`."""
        location, log_scale = parameters.unbind(dim=-1)
        location = torch.addcmul(self.location, self.unit, location)
        return self.between(location, self.unit * log_scale.clamp(LEAST, MOST).exp())

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless every value is finite and within the limits."""
        low, high = self.low.to(x.dtype), self.high.to(x.dtype)
        if not bool((torch.isfinite(x) & (x >= low) & (x <= high)).all()):
            raise SupportError(
                f"likelihood '{self.name}' needs finite numbers from {float(low.min()):g} to "
                f"{float(high.max()):g}, got min {float(x.min()):g}, max {float(x.max()):g} in "
                f"'{name}'; set likelihood.low and likelihood.high, or use --likelihood gaussian"
            )

    def start(self, mean: Tensor) -> Tensor:
        """Return the mean and the spread of the data, `(2, *shape)`."""
        return torch.zeros(2, *mean.shape)


class TruncatedGaussian(Limited):
    """p(x|z) = N(x; m(z), s(z)^2) / Z within limits, Z its mass there, of each cell.

    For numbers that cannot lie beyond: nothing beyond was ever there. Where numbers beyond a limit
    were recorded as the limit, `CensoredGaussian` is the law.

    Args:
        low: See `Limited`.
        high: See `Limited`.
        location: See `Limited`.
        unit: See `Limited`.

    Source: Johnson, Kotz & Balakrishnan (1994), Continuous Univariate Distributions 1, section
        13.10.1.

    Example:
        >>> from lowerbound.likelihoods import Fields
        >>> from lowerbound.networks import MLP
        >>> p = Fields(MLP((2,), (2, 4)), TruncatedGaussian(0.0, 1.0))
        >>> p(torch.zeros(3, 5, 2)).log_prob(torch.ones(5, 4)).shape
        torch.Size([3, 5])
    """

    formula = "N(x; m(z), s(z)^2) / Z(z), between limits"
    name = "truncated-gaussian"

    def between(self, loc: Tensor, scale: Tensor) -> TruncatedNormal:
        """Return the Gaussian renormalised between the limits."""
        return TruncatedNormal(loc, scale, self.low, self.high)


def truncated_gaussian(
    site: Site, *, low: float | None = None, high: float | None = None
) -> TruncatedGaussian:
    """Numbers that cannot lie beyond a limit: a Gaussian between limits, renormalised.

    Args:
        site: The cells.
        low: The lower limit; None for that of the kind: 0 for shares and positive numbers, and for
            others that were never negative.
        high: The upper limit; None for that of the kind: 1 or 100 for shares.
    """
    return TruncatedGaussian(*limits(site, low, high), *units(site))


def limits(
    site: Site, low: float | None, high: float | None
) -> tuple[float | Tensor, float | Tensor]:
    """Return the limits of cells: those that are told, else their bounds."""
    least, most = (-torch.inf, torch.inf) if site.bounds is None else site.bounds
    return least if low is None else low, most if high is None else high


def units(site: Site) -> tuple[float | Tensor, float | Tensor]:
    """Return the mean and the spread of cells, as numbers that were not measured have them."""
    return 0.0 if site.mean is None else site.mean, 1.0 if site.scale is None else site.scale
