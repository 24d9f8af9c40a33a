"""The law of levels in their order, whatever the distances between them."""

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import logsigmoid, softplus

from lowerbound.distributions import Levels
from lowerbound.errors import SettingError
from lowerbound.likelihoods.cells import Cells, Site, check_levels


class CumulativeLogit(Cells):
    """P(x <= r|z) = sigmoid(c_r - m(z)) of each cell, with c_0 < c_1 < ... learned for each.

    One parameter a cell, its place on the line that the cuts divide.

    Args:
        levels: Number of levels.
        shape: Of the cells, each with cuts of its own.

    Raises:
        SettingError: Fewer than 2 levels.

    Source: McCullagh (1980), equation 2.1; in a VAE: Nazabal et al. (2020), section 3, ordinal
        data, arXiv 1807.03653.

    Example:
        >>> from lowerbound.likelihoods import Fields
        >>> from lowerbound.networks import MLP
        >>> p = Fields(MLP((3,), (1, 4)), CumulativeLogit(5, (4,)))
        >>> p(torch.zeros(2, 3)).log_prob(torch.zeros(2, 4)).shape
        torch.Size([2])
    """

    formula = "CumulativeLogit(x; m(z))"
    name = "cumulative-logit"
    kinds = frozenset({"ordinal"})

    def __init__(self, levels: int, shape: tuple[int, ...] = ()) -> None:
        super().__init__()
        if levels < 2:
            raise SettingError(f"a cumulative logit needs at least 2 levels, got {levels}")
        self.levels = levels
        cuts = (torch.arange(1, levels, dtype=torch.float64) / levels).logit()
        # at first every level is as likely
        self.first = nn.Parameter(cuts[0].float().expand(shape).clone())
        steps = cuts.diff().expm1().log().float()  # whose softplus the differences are
        self.steps = nn.Parameter(steps.expand(*shape, levels - 2).clone())

    def law(self, parameters: Tensor) -> Distribution:
        """Return ordered levels from their place, `(..., *shape, 1)`."""
        gaps = softplus(self.steps) + 1e-6
        start = self.first.unsqueeze(-1)
        cuts = torch.cat([start, start + gaps.cumsum(dim=-1)], dim=-1) - parameters
        # sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), exact far out, too
        below, above = logsigmoid(cuts), logsigmoid(-cuts)
        inner = below[..., 1:] + above[..., :-1] + (-(-gaps).expm1()).log()
        logits = torch.cat([below[..., :1], inner, above[..., -1:]], dim=-1)
        return Levels(logits=logits, validate_args=False)

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless `x` holds whole levels in range."""
        remedy = "use --likelihood gaussian for real-valued data"
        check_levels(x, self.levels, self.name, name, remedy)

    def start(self, mean: Tensor) -> Tensor:
        """Return the middle of the line, `(1, *shape)`."""
        return torch.zeros(1, *mean.shape)


def cumulative_logit(site: Site) -> CumulativeLogit:
    """Levels in their order: cuts on a line, with distances learned from the data."""
    return CumulativeLogit(site.levels or 2, site.shape)
