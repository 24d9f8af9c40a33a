"""Gaussian cells in as few passes over the data as there can be."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution, Normal, register_kl
from torch.distributions import normal as torch_normal

#: log sqrt(2 pi), what a standard Gaussian lacks of exp(-x^2 / 2) being a density.
LOG_NORMALIZER = 0.5 * math.log(2.0 * math.pi)


class CellNormal(Normal):
    """N(m, s^2) in every cell: as torch's `Normal`, of a mean and a scale of one shape.

    Args:
        mean: m, any shape.
        scale: s, positive, the same shape.
    """

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        self.loc, self.scale = mean, scale
        Distribution.__init__(self, mean.shape, validate_args=False)

    def rsample(self, sample_shape=torch.Size()) -> Tensor:  # type: ignore[no-untyped-def]  # noqa: B008
        """Draw m + s e with e ~ N(0, 1), `(*sample_shape, *m.shape)`."""
        shape = self._extended_shape(sample_shape)
        draw = torch_normal._standard_normal  # pyright: ignore[reportPrivateImportUsage]
        noise = draw(shape, dtype=self.loc.dtype, device=self.loc.device)
        return torch.addcmul(self.loc, noise, self.scale)

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same cells under a larger batch shape."""
        return CellNormal(self.loc.expand(batch_shape), self.scale.expand(batch_shape))


class UnitNormal(CellNormal):
    """N(0, 1) in every cell: as torch's `Normal`, its density and divergence without the scale.

    Args:
        zero: Where it stands, any shape, all zeros.
        one: Its standard deviation, the same shape, all ones.
    """

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density of every cell, the shape of `value`, nats."""
        return value.square() * -0.5 - LOG_NORMALIZER

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same cells under a larger batch shape."""
        return UnitNormal(self.loc.expand(batch_shape), self.scale.expand(batch_shape))


class SharedScaleNormal(CellNormal):
    """N(m, s^2) in every cell, with one s for many cells.

    As torch's `Normal`, which however takes the logarithm of s once for each cell.

    Args:
        mean: m, `(..., *event)`.
        scale: s, positive, broadcasts against `mean`.
    """

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        self._shared = scale.to(mean.dtype)
        super().__init__(mean, scale.expand_as(mean))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density of every cell, `(..., *event)`, nats."""
        standardised = (value - self.loc) * self._shared.reciprocal()
        return standardised.square() * -0.5 - (self._shared.log() + LOG_NORMALIZER)

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same cells under a larger batch shape."""
        return SharedScaleNormal(self.loc.expand(batch_shape), self._shared)


def kl_to_unit(q: Normal, p: UnitNormal) -> Tensor:
    """Return KL(N(m, s^2) || N(0, 1)) = (m^2 + s^2 - 1) / 2 - log s of every cell, nats.

    The numbers of p are known; torch's register of divergences asks for both.

    Source: Kingma & Welling (2014), appendix B, arXiv 1312.6114.
    """
    if isinstance(q, UnitNormal):
        return torch.zeros_like(q.loc)
    return torch.addcmul(q.loc.square(), q.scale - 1.0, q.scale + 1.0) * 0.5 - q.scale.log()


register_kl(Normal, UnitNormal)(kl_to_unit)
