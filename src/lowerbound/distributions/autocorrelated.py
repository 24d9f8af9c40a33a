"""Series whose deviations from the mean follow on from each other."""

from functools import cached_property, singledispatch
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from lowerbound.distributions.centre import expected
from lowerbound.distributions.independent import accumulate
from lowerbound.distributions.normal import LOG_NORMALIZER


class Whitener:
    """W with W r ~ N(0, I) for the deviations r of all cells of a series; lower triangular.

    Args:
        matrix: W, `(n, n)` for `n = T C` cells.
    """

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix

    @cached_property
    def precision(self) -> Tensor:
        """W^T W, float64: the inverse of the covariance."""
        wide = self.matrix.double()
        return wide.T @ wide

    @cached_property
    def log_volume(self) -> Tensor:
        """log det W."""
        return torch.diagonal(self.matrix).double().log().sum()


class Autocorrelated(Distribution):
    """N(m, u s W^-1 W^-T s u) over the cells of a series, event `(T, C)`.

    Cells that were not observed are integrated out exactly, and drawn given those that were.

    Args:
        mean: m in units u from a location, `(*batch, T, C)`.
        whitener: W, of deviations in units s u.
        location: Broadcasts against the mean.
        unit: u, positive, likewise.
        spread: s, how large the deviations of this series are, positive; broadcasts likewise.
    """

    def __init__(
        self, mean: Tensor, whitener: Whitener, location: Tensor, unit: Tensor,
        spread: Tensor | None = None,
    ) -> None:  # fmt: skip
        self.centre, self.whitener = mean, whitener
        self.location, self.unit = location, unit
        self.spread = torch.ones_like(mean[..., :1, :1]) if spread is None else spread
        super().__init__(mean.shape[:-2], mean.shape[-2:], validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """None."""
        return {}

    @property
    def support(self) -> constraints.Constraint:
        """All reals."""
        return constraints.independent(constraints.real, 2)  # pyright: ignore[reportReturnType]

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same law under a larger batch shape."""
        mean = self.centre.expand(*batch_shape, *self.event_shape)
        spread = self.spread.expand(*batch_shape, *self.spread.shape[-2:])
        return Autocorrelated(mean, self.whitener, self.location, self.unit, spread)

    @property
    def mean(self) -> Tensor:
        """m, in the units of the data."""
        return self.location + self.unit * self.centre

    @property
    def stddev(self) -> Tensor:
        """Standard deviation of each cell, the others not known."""
        eye = torch.eye(len(self.whitener.matrix), device=self.centre.device)
        eye = eye.to(self.whitener.matrix.dtype)
        wide = torch.linalg.solve_triangular(self.whitener.matrix, eye, upper=False).norm(dim=1)
        wide = self.unit * self.spread * wide.reshape(self.event_shape)
        return wide.expand_as(self.centre)

    def _apart(self, value: Tensor, observed: Tensor | None = None) -> Tensor:
        """Deviations from the mean in units s u, `(..., n)`; 0 where not observed."""
        apart = (value - self.location) / self.unit
        apart = (apart.to(self.centre.dtype) - self.centre) / self.spread
        if observed is not None:
            apart = torch.where(observed, apart, 0.0)
        return apart.flatten(start_dim=-2)

    def log_prob(self, value: Tensor, observed: Tensor | None = None) -> Tensor:
        """Return the log-density of the observed cells, `(...)`, nats, float64."""
        units = self._log_units() + LOG_NORMALIZER
        known, lost = None, 0.0
        if observed is None:
            apart = self._apart(value)
        else:
            known = observed.expand(value.shape)
            apart, lost = self._filled(torch.where(known, value, self.location), known)
        white = apart @ self.whitener.matrix.T
        total = accumulate(white.square() * -0.5, 1) + self.whitener.log_volume
        total = total - accumulate(units, 2)
        if known is None:
            return total
        # every cell was counted: those that are not known are taken away again
        gone = accumulate(torch.where(known, 0.0, units), 2)
        return total + gone - 0.5 * lost

    def _log_units(self) -> Tensor:
        """Logarithms of s u, `(*batch, T, C)`, float64."""
        units = self.unit.expand(self.event_shape).log() + self.spread.log()
        return accumulate(units.expand_as(self.centre), 0)

    def cells(self, value: Tensor, observed: Tensor | None = None) -> Tensor:
        """Return log p of each cell given z and all other observed cells, `(..., T, C)`, nats.

        0 where it was not observed.
        """
        precision = self.whitener.precision
        apart = self._apart(value, observed)
        if observed is not None:
            known = observed.expand(value.shape)
            apart, _ = self._filled(torch.where(known, value, self.location), known)
        scale = torch.diagonal(precision).rsqrt()
        odd = (apart.double() @ precision) * scale
        found = odd.square() * -0.5 - scale.log() - LOG_NORMALIZER
        found = found.unflatten(-1, self.event_shape) - self._log_units()
        return found if observed is None else torch.where(observed, found, 0.0)

    def _filled(
        self, value: Tensor, observed: Tensor, *, draw: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Put means, or draws, given the observed cells where there are gaps.

        Returns:
            Deviations in units s u, `(..., n)`; and log det of the precision of the gaps of each
            row, in these.
        """
        apart = self._apart(value, observed)
        gaps = ~observed.flatten(start_dim=-2).reshape(-1, apart.shape[-1])
        rows = apart.reshape(-1, len(gaps), apart.shape[-1]).unbind(dim=1)
        precision, whole = self.whitener.precision, []
        lost = [precision.new_zeros(()) for _ in gaps]
        for place, (row, gap) in enumerate(zip(rows, gaps, strict=True)):
            if not bool(gap.any()):
                whole.append(row)
                continue
            index = gap.nonzero().squeeze(1)
            some = precision[index]
            factor = torch.linalg.cholesky(some[:, index])
            lost[place] = 2 * torch.diagonal(factor).log().sum()
            pull = some @ row.double().T
            left = -torch.cholesky_solve(pull, factor)
            if draw:
                noise = torch.randn_like(left)
                left = left + torch.linalg.solve_triangular(factor.T, noise, upper=True)
            whole.append(row.index_copy(1, index, left.T.to(row.dtype)))
        found = torch.stack(whole, dim=1).reshape(apart.shape)
        return found, torch.stack(lost).reshape(observed.shape[:-2])

    def given(self, value: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return a draw of the whole series given what was observed, and the mean of these."""
        known = observed.expand(value.shape)
        value = torch.where(known, value, self.location)
        both = [self._filled(value, known, draw=draw)[0] for draw in (True, False)]
        drawn, mean = (
            part.unflatten(-1, self.event_shape) * self.spread + self.centre for part in both
        )
        return self.location + self.unit * drawn, self.location + self.unit * mean

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw series, `(*sample_shape, *batch, T, C)`."""
        shape = torch.Size(sample_shape) + self.centre.shape
        noise = torch.randn(shape, dtype=self.centre.dtype, device=self.centre.device)
        flat = noise.flatten(start_dim=-2).reshape(-1, len(self.whitener.matrix))
        apart = torch.linalg.solve_triangular(self.whitener.matrix, flat.T, upper=False).T
        return self.location + self.unit * (self.centre + self.spread * apart.reshape(shape))


@expected.register
def _(distribution: Autocorrelated) -> Tensor:
    return distribution.mean


@singledispatch
def fill(law: Distribution, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
    """Return a draw of x given z and what was observed of x, and the mean of such draws.

    Args:
        law: p(x|z).
        x: `(B, *event)`, the last axis of the law's batch.
        observed: Which cells are known, likewise.

    Returns:
        Each `(*batch, *event)`; known cells of them mean nothing.
    """
    return law.sample(), expected(law)


@fill.register
def _(law: Autocorrelated, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
    return law.given(x, observed)
