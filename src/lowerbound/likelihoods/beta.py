"""The law of numbers between two bounds."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Beta as BetaDistribution
from torch.distributions import Distribution, constraints

from lowerbound.errors import SupportError
from lowerbound.likelihoods.cells import Cells, Site

#: Logarithms of a / 8 and of b / 8 are held within these.
LEAST, MOST = -5.0, 10.0
#: a and b where these are 0: a single peak in the middle.
MIDDLE = 8.0


class Beta(Cells):
    """p(x|z) = Beta(x / u; a(z), b(z)) / u of each cell, between 0 and u.

    Two parameters a cell: log a / 8 and log b / 8. The ends themselves have no density: a column
    that holds them, such as one of shares that are often 0, is for `binned`, whose atoms they are.

    Args:
        upper: u, positive: 1 for shares, 100 for percentages; broadcasts against the cells.

    Source: Ferrari & Cribari-Neto (2004), equation 1, for beta laws whose parameters follow others.

    Example:
        >>> from lowerbound.likelihoods import Fields
        >>> from lowerbound.networks import MLP
        >>> p = Fields(MLP((2,), (2, 4)), Beta())
        >>> p(torch.zeros(3, 5, 2)).log_prob(torch.full((5, 4), 0.5)).shape
        torch.Size([3, 5])
    """

    formula = "Beta(x; a(z), b(z))"
    name = "beta"
    kinds = frozenset({"bounded"})
    filler = 0.5
    upper: Tensor

    def __init__(self, upper: float | Tensor = 1.0) -> None:
        super().__init__()
        self.register_buffer("upper", torch.as_tensor(upper).detach().clone())

    @property
    def parameters_per_cell(self) -> int:
        """Log a and log b."""
        return 2

    def law(self, parameters: Tensor) -> Distribution:
        """Return beta cells from log a / 8 and log b / 8, `(..., *shape, 2)`."""
        a, b = (MIDDLE * parameters.clamp(LEAST, MOST).exp()).unbind(dim=-1)
        return _Beta(a, b, self.upper)

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless every value lies between the bounds."""
        if not bool(((x > 0) & (x < self.upper)).all()):
            raise SupportError(
                f"likelihood 'beta' needs numbers above 0 and below {float(self.upper.max()):g}, "
                f"got min {float(x.min()):g}, max {float(x.max()):g} in '{name}'; use --likelihood "
                "binned"
            )


def beta(site: Site) -> Beta:
    """Shares and percentages: a density between 0 and 1, or 0 and 100."""
    return Beta(upper_of(site))


def upper_of(site: Site) -> Tensor:
    """Return the upper bound of cells that begin at 0; 1 where there is none."""
    if site.bounds is None:
        return torch.ones(())
    return torch.where(site.bounds[1].isfinite(), site.bounds[1], 1.0).float()


class _Beta(Distribution):
    """Beta cells on (0, upper)."""

    has_rsample = False

    def __init__(self, a: Tensor, b: Tensor, upper: Tensor) -> None:
        self.unit, self.upper = BetaDistribution(a, b, validate_args=False), upper
        super().__init__(self.unit.batch_shape, validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """None of its own."""
        return {}

    @property
    def support(self) -> constraints.Constraint:
        """Between the bounds."""
        return constraints.interval(0.0, self.upper)

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same distribution under a larger batch shape."""
        a, b = self.unit.concentration1, self.unit.concentration0
        return _Beta(a.expand(batch_shape), b.expand(batch_shape), self.upper)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density, elementwise, nats."""
        a, b = self.unit.concentration1, self.unit.concentration0
        share = value / self.upper
        norm = torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)
        return (a - 1) * share.log() + (b - 1) * (-share).log1p() - norm - self.upper.log()

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        """Draw numbers that are no ends."""
        share = self.unit.sample(torch.Size(sample_shape))
        tiny = torch.finfo(share.dtype).eps
        return self.upper * share.clamp(tiny, 1 - tiny)

    @property
    def mean(self) -> Tensor:
        """u a / (a + b)."""
        return self.upper * self.unit.mean

    @property
    def variance(self) -> Tensor:
        """u^2 a b / ((a + b)^2 (a + b + 1))."""
        return self.upper.square() * self.unit.variance
