"""The law of real-valued cells, with a scale that is fixed, shared or per dimension."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from lowerbound.distributions import SharedScaleNormal
from lowerbound.errors import SettingError, SupportError
from lowerbound.likelihoods.cells import Cells, Site

#: Smallest standard deviation a learned scale may reach, in units of the data: without a floor
#: the density of a cell that repeats itself exactly grows without bound.
SMALLEST_SCALE = 1e-4


class FixedScale(nn.Module):
    """A standard deviation that is given and not learned.

    Args:
        value: The standard deviation, positive, in units of `Gaussian(unit=...)`.

    Raises:
        SettingError: `value` is not positive and finite.
    """

    value: Tensor

    def __init__(self, value: float = 1.0) -> None:
        super().__init__()
        if not (math.isfinite(value) and value > 0):
            raise SettingError(f"a standard deviation must be positive, got {value!r}")
        self.register_buffer("value", torch.tensor(float(value)))

    def forward(self) -> Tensor:
        """The standard deviation, a scalar."""
        return self.value

    def extra_repr(self) -> str:
        """Its value."""
        return f"{self.value.item():g}"


class PerDimensionScale(nn.Module):
    """A learned standard deviation for each cell of x, the same for every z.

    Args:
        shape: The event shape of x, or `()` for one scale that all cells share.
        initial: Where learning starts, in units of `Gaussian(unit=...)`.

    Raises:
        SettingError: `initial` is not positive and finite.
    """

    def __init__(self, shape: Sequence[int], initial: float = 1.0) -> None:
        super().__init__()
        if not (math.isfinite(initial) and initial > 0):
            raise SettingError(f"a standard deviation must be positive, got {initial!r}")
        self.log_scale = nn.Parameter(torch.full(tuple(shape), math.log(initial)))

    def forward(self) -> Tensor:
        """The standard deviations, `shape`, never below `SMALLEST_SCALE`."""
        return self.log_scale.exp().clamp(min=SMALLEST_SCALE)

    def extra_repr(self) -> str:
        """Its shape."""
        return f"shape={tuple(self.log_scale.shape)}"


class SharedScale(PerDimensionScale):
    """One learned standard deviation that all cells share, as in probabilistic PCA.

    Args:
        initial: Where learning starts, in units of `Gaussian(unit=...)`.
    """

    def __init__(self, initial: float = 1.0) -> None:
        super().__init__((), initial)


class Gaussian(Cells):
    """p(x|z) = N(x; a + b m(z), (b s)^2) of each cell, a density of the data as stored.

    The network works in standardised units; `location` a and `unit` b bring it back to those of
    the data, so that log p(x|z) needs no correction for a change of variables.

    Args:
        scale: The standard deviation s: `FixedScale`, `SharedScale` or `PerDimensionScale`.
        location: a, a number or a tensor that broadcasts against the event.
        unit: b, positive, likewise. A float64 tensor makes the density float64.

    Raises:
        SettingError: `unit` is not positive everywhere.

    Source: Kingma & Welling (2014), appendix C.2, arXiv 1312.6114; a scale learned but not a
        function of z: Lucas et al. (2019), arXiv 1911.02469.

    Example:
        >>> from lowerbound.likelihoods import Fields
        >>> from lowerbound.networks import MLP
        >>> p = Fields(MLP((2,), (1, 4)), Gaussian(SharedScale()))
        >>> p(torch.zeros(3, 5, 2)).log_prob(torch.ones(5, 4)).shape
        torch.Size([3, 5])
    """

    formula = "N(x; m(z), diag s^2)"
    name = "gaussian"
    kinds = frozenset({"real", "positive", "bounded"})
    location: Tensor
    unit: Tensor

    def __init__(
        self,
        scale: nn.Module | None = None,
        location: float | Tensor = 0.0,
        unit: float | Tensor = 1.0,
    ) -> None:
        super().__init__()
        self.scale = SharedScale() if scale is None else scale
        self.register_buffer("location", torch.as_tensor(location).detach().clone())
        self.register_buffer("unit", torch.as_tensor(unit).detach().clone())
        if not self.unit.is_meta and not bool((self.unit > 0).all()):
            raise SettingError("the unit of a Gaussian likelihood must be positive everywhere")

    def law(self, parameters: Tensor) -> Distribution:
        """Return Gaussian cells from their standardised means, `(..., *shape, 1)`."""
        mean = torch.addcmul(self.location, self.unit, parameters.squeeze(-1))
        return SharedScaleNormal(mean, self.unit * self.scale())

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless every value is finite."""
        check_finite(x, self.name, name)


def check_finite(x: Tensor, likelihood: str, field: str) -> None:
    """Raise `SupportError` unless every value is finite."""
    bad = int((~torch.isfinite(x)).sum()) if x.is_floating_point() else 0
    if bad:
        raise SupportError(
            f"likelihood '{likelihood}' needs finite values, got {bad:,} that are not in "
            f"'{field}'; leave those rows out, or fill them in"
        )


ScaleName = Literal["auto", "fixed", "shared", "per-channel", "per-dimension"]


def gaussian(site: Site, *, scale: ScaleName = "auto", sigma: float = 1.0) -> Gaussian:
    """Reals: a Gaussian whose spread is fixed, shared by all cells or learned for each.

    Args:
        site: The cells.
        scale: Standard deviation: "fixed" at `sigma`, "shared" by all cells, "per-channel" of
            series and images, "per-dimension"; or "auto": shared in images, per channel in series,
            per dimension elsewhere.
        sigma: Its value, or where it starts, in units of the data's own standard deviation.
    """
    if not (math.isfinite(sigma) and sigma > 0):
        raise SettingError(f"sigma must be a positive number, got {sigma}")
    if scale == "auto":
        by_axes: dict[int, ScaleName] = {3: "shared", 2: "per-channel"}
        scale = by_axes.get(len(site.shape), "per-dimension")
    made: nn.Module
    if scale == "fixed":
        made = FixedScale(sigma)
    elif scale == "shared":
        made = SharedScale(sigma)
    elif scale == "per-channel":
        made = PerDimensionScale(channels_of(site.shape), sigma)
    else:
        made = PerDimensionScale(site.shape, sigma)
    location = 0.0 if site.mean is None else site.mean
    unit = 1.0 if site.scale is None else site.scale
    return Gaussian(made, location, unit)


def channels_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of one number for each channel, to broadcast against cells of a shape."""
    return {2: (1, *shape[1:]), 3: (*shape[:1], 1, 1)}.get(len(shape), shape)
