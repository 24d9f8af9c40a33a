"""Increasing maps of single units, from numbers that a conditioner puts out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad, softplus

from lowerbound.errors import SettingError, UnknownNameError


class UnitMap(ABC):
    """An increasing map of one unit, the identity where its parameters are 0.

    Attributes:
        parameters: How many numbers it takes for each unit.
    """

    parameters: int

    @abstractmethod
    def __call__(self, x: Tensor, h: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        """Map units forward, or back.

        Args:
            x: Any shape.
            h: Its parameters, one more axis, `(..., parameters)`.
            inverse: Whether to go back.

        Returns:
            The mapped units and the logarithms of the slopes of what was done, both as `x`.
        """


@dataclass(frozen=True)
class Affine(UnitMap):
    """y = x exp(s) + t with s = limit tanh(h / limit).

    Args:
        limit: Largest |s|; a bound keeps a stack of maps finite in float32.

    Source: Dinh, Sohl-Dickstein & Bengio (2017), equation 8, arXiv 1605.08803.
    Differs: in the limit, which is learned there.
    """

    limit: float = 3.0
    parameters = 2

    def __call__(self, x: Tensor, h: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        """See `UnitMap.__call__`."""
        shift, raw = h.unbind(dim=-1)
        log_slope = self.limit * torch.tanh(raw / self.limit)
        if inverse:
            return (x - shift) * (-log_slope).exp(), -log_slope
        return x * log_slope.exp() + shift, log_slope


@dataclass(frozen=True)
class Spline(UnitMap):
    """A monotone spline of rational quadratics inside [-bound, bound], the identity outside.

    It is computed in float64: going back in float32 loses up to whole units where bins are steep.

    Args:
        bins: Number of pieces, at least 2.
        bound: Half the width of the box.
        least: Smallest width and height of a bin, as shares of the box, and smallest slope.

    Raises:
        SettingError: A number is out of range.

    Source: Durkan, Bekasov, Murray & Papamakarios (2019), equations 4 to 8, arXiv 1906.04032.
    Differs: parameters pass through 5 tanh(h / 5), and the slopes at the ends are 1.
    """

    bins: int = 8
    bound: float = 5.0
    least: float = 1e-3

    def __post_init__(self) -> None:
        if not 2 <= self.bins <= 512:
            raise SettingError(f"bins of a spline must be from 2 to 512, got {self.bins}")
        if not 0 < self.bound < 1e6:
            raise SettingError(f"the bound of a spline must be positive, got {self.bound}")

    @property
    def parameters(self) -> int:  # type: ignore[override]
        """Widths, heights and inner slopes."""
        return 3 * self.bins - 1

    def __call__(self, x: Tensor, h: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        """See `UnitMap.__call__`."""
        precise = torch.float32 if x.device.type == "mps" else torch.float64
        h = 5 * torch.tanh(h.to(precise) / 5)
        widths, heights, slopes = h.split([self.bins, self.bins, self.bins - 1], dim=-1)
        left, width = self._edges(widths)
        low, height = self._edges(heights)
        # softplus(log(e - 1)) = 1: slopes of 1 where the parameters are 0
        inner = self.least + (1 - self.least) * softplus(slopes + 0.5413248546129181)
        inner = inner / (self.least + (1 - self.least))
        knots = pad(inner, (1, 1), value=1.0)
        inside = (x > -self.bound) & (x < self.bound)
        # held inside the box: what is outside must not put inf or nan into the gradient
        held = torch.where(inside, x, 0.0).to(precise)
        start = low if inverse else left
        at = (
            torch.searchsorted(start.detach().contiguous(), held.detach().unsqueeze(-1), right=True)
            - 1
        )
        at = at.clamp(0, self.bins - 1)

        def of(values: Tensor, step: int = 0) -> Tensor:
            return values.gather(-1, at + step).squeeze(-1)

        x0, w, y0, tall = of(left), of(width), of(low), of(height)
        d0, d1 = of(knots), of(knots, 1)
        s = tall / w
        if inverse:
            rise = held - y0
            bend = rise * (d0 + d1 - 2 * s)
            a, b, c = tall * (s - d0) + bend, tall * d0 - bend, -s * rise
            root = (b.square() - 4 * a * c).clamp(min=0.0)
            # the gradient of a root at 0 is infinite, and a sum with it would be nan
            root = torch.where(root > 0, root, 1e-30).sqrt()
            t = (2 * c / (-b - root)).clamp(0.0, 1.0)
            mapped = x0 + t * w
        else:
            t = (held - x0) / w
            mapped = y0 + tall * (s * t.square() + d0 * t * (1 - t)) / self._below(s, d0, d1, t)
        slope = s.square() * (d1 * t.square() + 2 * s * t * (1 - t) + d0 * (1 - t).square())
        log_slope = slope.log() - 2 * self._below(s, d0, d1, t).log()
        log_slope = -log_slope if inverse else log_slope
        zero = torch.zeros((), dtype=x.dtype, device=x.device)
        return (
            torch.where(inside, mapped.to(x.dtype), x),
            torch.where(inside, log_slope.to(x.dtype), zero),
        )

    def _edges(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Where the bins of an axis begin, and how wide they are."""
        shares = self.least + (1 - self.least * self.bins) * raw.softmax(dim=-1)
        size = 2 * self.bound * shares
        return pad(size.cumsum(dim=-1)[..., :-1], (1, 0)) - self.bound, size

    @staticmethod
    def _below(s: Tensor, d0: Tensor, d1: Tensor, t: Tensor) -> Tensor:
        return s + (d0 + d1 - 2 * s) * t * (1 - t)


def unit_map(name: Literal["affine", "spline"]) -> UnitMap:
    """Return a map of units by its name, with its usual settings.

    Raises:
        UnknownNameError: There is none of that name.
    """
    known: dict[str, UnitMap] = {"affine": Affine(), "spline": Spline()}
    if name not in known:
        raise UnknownNameError("map of units", name, known)
    return known[name]
