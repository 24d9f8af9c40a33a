"""The posterior of rounded numbers."""

import torch
from torch import Tensor, nn

from lowerbound.distributions import Settled
from lowerbound.errors import SettingError
from lowerbound.posteriors.amortised import Amortised


class FiniteScalar(Amortised):
    """z = tanh h(x), rounded to one of some even levels in [-1, 1], unit by unit.

    The gradient is that of tanh, as if nothing had been rounded. No codebook is learned, and none
    can collapse.

    Args:
        network: Maps `(B, *event)` to `(B, 1, D)`: h.
        levels: Of each unit, from 2 to 256.

    Raises:
        SettingError: `levels` is out of range.

    Source: Mentzer et al. (2024), section 3.1, arXiv 2309.15505.
    Differs: the levels lie even about 0 also where their number is even, and all units have as
        many.

    Example:
        >>> from lowerbound.networks import MLP
        >>> q = FiniteScalar(MLP((4,), (1, 3)), levels=3)
        >>> sorted(set(q.points.flatten().tolist()))
        [-1.0, 0.0, 1.0]
    """

    formula = "tanh h(x), rounded"
    values = "codes"
    points: Tensor

    def __init__(self, network: nn.Module, *, levels: int = 5) -> None:
        super().__init__(network)
        if not 2 <= levels <= 256:
            raise SettingError(f"levels must be from 2 to 256, got {levels}")
        points = torch.linspace(-1.0, 1.0, levels).unsqueeze(-1)
        self.register_buffer("points", points, persistent=False)

    def forward(self, context: Tensor | None = None) -> Settled:
        """The codes of each x in `context`, `(B, *event)`."""
        inside = self.network(context).squeeze(-2).tanh()
        place = ((inside.detach() + 1) / 2 * (len(self.points) - 1)).round()
        level = self.points[place.nan_to_num(0.0).long(), 0]
        # its value is the level to the bit, its gradient that of what was rounded
        return Settled(level + (inside - inside.detach()))
