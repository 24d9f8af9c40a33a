"""Mixtures of discretised logistics, whose colours follow each other."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, constraints

from lowerbound.distributions.discretized_logistic import DiscretizedLogistic
from lowerbound.distributions.independent import Independent
from lowerbound.errors import DataError


class LogisticMixture(Distribution):
    """P(x) of levels by a mixture of `K` discretised logistics; of a pixel, channel after channel.

    With slopes the components are of whole pixels, and the location of a channel moves with the
    levels of those before it:

        P(r, g, b) = sum_k w_k P_k(r) P_k(g | r) P_k(b | r, g),

    with locations m_g + a r and m_b + b r + c g, levels on the axis from -1 to 1. The log-mass of a
    cell is then given the channels before it, so that those of a pixel sum to the pixel's.

    Args:
        logits: Of the weights, `(*cells, K)`; with slopes `(*batch, H, W, K)`.
        locations: `(*cells, K)`; with slopes the cells are `(*batch, C, H, W)`.
        log_scales: Likewise.
        levels: Number of levels.
        slopes: `(*batch, C (C - 1) / 2, H, W, K)`, in the order g on r, b on r, b on g; None for
            cells that are independent.

    Source: Salimans et al. (2017), equations 1 to 3, arXiv 1701.05517.
    Differs: the mean takes each channel's location at the mean of those before.
    """

    has_rsample = False

    def __init__(
        self,
        logits: Tensor,
        locations: Tensor,
        log_scales: Tensor,
        levels: int,
        slopes: Tensor | None = None,
    ) -> None:
        self.logits, self.levels, self.slopes = logits.log_softmax(dim=-1), levels, slopes
        self.locations, self.log_scales = locations, log_scales
        super().__init__(locations.shape[:-1], validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """All parameters are real."""
        return {"logits": constraints.real, "locations": constraints.real}

    @property
    def support(self) -> constraints.Constraint:
        """Whole numbers 0 ... levels - 1."""
        return constraints.integer_interval(0, self.levels - 1)

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same distribution under a larger batch shape."""
        shape, k = torch.Size(batch_shape), self.locations.shape[-1]
        logits, slopes = self.logits, self.slopes
        if slopes is not None:
            logits = logits.expand(*shape[:-3], *shape[-2:], k)
            slopes = slopes.expand(*shape[:-3], *slopes.shape[-4:])
        else:
            logits = logits.expand(*shape, k)
        locations, log_scales = (
            part.expand(*shape, k) for part in (self.locations, self.log_scales)
        )
        return LogisticMixture(logits, locations, log_scales, self.levels, slopes)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-mass of levels, given the channels before, elementwise, nats."""
        value = value.to(self.locations.dtype).unsqueeze(-1)
        if self.slopes is None:
            each = DiscretizedLogistic(self.locations, self.log_scales, self.levels).log_prob(value)
            return (self.logits + each).logsumexp(dim=-1)
        shown = value * (2 / (self.levels - 1)) - 1
        moved = self._moved(self.locations.unbind(-4), shown.unbind(-4), self.slopes)
        locations = torch.stack(torch.broadcast_tensors(*moved), dim=-4)
        each = DiscretizedLogistic(locations, self.log_scales, self.levels)
        if self.logits.shape[-1] == 1:
            return each.log_prob(value).squeeze(-1)
        pixel = (self.logits.unsqueeze(-4) + each.log_prob(value).cumsum(dim=-4)).logsumexp(dim=-1)
        return torch.diff(pixel, dim=-3, prepend=torch.zeros_like(pixel[..., :1, :, :]))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw levels: a component of each cell or pixel, then channel after channel."""
        with torch.no_grad():
            shape = torch.Size(sample_shape)
            chosen = Categorical(logits=self.logits).sample(shape).unsqueeze(-1)

            def taken(part: Tensor) -> Tensor:
                own = part.expand(*shape, *part.shape)
                index = chosen if self.slopes is None else chosen.unsqueeze(-4)
                return own.gather(-1, index.expand(*own.shape[:-1], 1)).squeeze(-1)

            locations, log_scales = taken(self.locations), taken(self.log_scales)
            if self.slopes is None:
                return DiscretizedLogistic(locations, log_scales, self.levels).sample()
            slopes, drawn = taken(self.slopes), []
            for channel, own in enumerate(log_scales.unbind(-3)):
                before = [one * (2 / (self.levels - 1)) - 1 for one in drawn]
                (*_, at) = self._moved(locations.unbind(-3)[: channel + 1], before, slopes, -3)
                drawn.append(DiscretizedLogistic(at, own, self.levels).sample())
            return torch.stack(drawn, dim=-3)

    @property
    def mean(self) -> Tensor:
        """E[x], in levels."""
        if self.slopes is None:
            each = DiscretizedLogistic(self.locations, self.log_scales, self.levels).mean
            return (self.logits.exp() * each).sum(dim=-1)
        means: list[Tensor] = []
        for channel, own in enumerate(self.log_scales.unbind(-4)):
            before = [one * (2 / (self.levels - 1)) - 1 for one in means]
            (*_, at) = self._moved(self.locations.unbind(-4)[: channel + 1], before, self.slopes)
            means.append(DiscretizedLogistic(at, own, self.levels).mean)
        return (self.logits.exp().unsqueeze(-4) * torch.stack(means, dim=-4)).sum(dim=-1)

    @staticmethod
    def _moved(
        locations: Sequence[Tensor], shown: Sequence[Tensor], slopes: Tensor, axis: int = -4
    ) -> list[Tensor]:
        """Move the location of each channel by the levels of those before it."""
        moved, pair = [], 0
        for channel, at in enumerate(locations):
            for before in shown[:channel]:
                at = at + slopes.select(axis, pair) * before
                pair += 1
            moved.append(at)
        return moved


class Pixels(Independent):
    """Cells of an image whose channels follow each other: whole pixels are independent."""

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same cells under a larger batch shape."""
        whole = super().expand(batch_shape)
        return Pixels(whole.base_dist, self.reinterpreted_batch_ndims, self.filler)

    def cells(self, value: Tensor, observed: Tensor | None = None) -> Tensor:
        """See `Independent.cells`.

        Raises:
            DataError: A channel is observed and one before it is not.
        """
        if observed is not None:
            before, after = observed[..., :-1, :, :], observed[..., 1:, :, :]
            if bool((after & ~before).any()):
                raise DataError(
                    "likelihood 'logistic-mixture' weighs a colour given those before it, and some "
                    "of these are gaps; hide whole pixels, or use --likelihood discretized-logistic"
                )
        return super().cells(value, observed)
