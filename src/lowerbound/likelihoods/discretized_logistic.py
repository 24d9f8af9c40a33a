"""The likelihood of evenly spaced grey levels."""

from torch import Tensor, nn
from torch.distributions import Distribution

from lowerbound.distributions import DiscretizedLogistic as DiscretizedLogisticDistribution
from lowerbound.errors import SettingError
from lowerbound.likelihoods.likelihood import Likelihood, check_levels


class DiscretizedLogistic(Likelihood):
    """p(x|z): each cell a logistic integrated over the bins of its levels.

    Args:
        network: Maps `(..., D)` to `(..., 2, *event)`: location and log scale on the axis where
            the lowest level is -1 and the highest +1. The log scale is held within [-9, 5].
        levels: Number of levels, 256 for 8-bit data.

    Raises:
        SettingError: Fewer than 2 levels.

    Source: Kingma et al. (2016), section 5.1, arXiv 1606.04934.

    Example:
        >>> import torch
        >>> from lowerbound.networks import MLP
        >>> p = DiscretizedLogistic(MLP((3,), (2, 4)))
        >>> bool((p(torch.zeros(5, 3)).log_prob(torch.full((5, 4), 255.0)) < 0).all())
        True
    """

    formula = "DiscretizedLogistic(x; m(z), s(z))"
    name = "discretized-logistic"
    is_discrete = True

    def __init__(self, network: nn.Module, levels: int = 256) -> None:
        super().__init__(network)
        if levels < 2:
            raise SettingError(f"a discretised logistic needs at least 2 levels, got {levels}")
        self.levels = levels

    @property
    def parameters_per_cell(self) -> int:
        """Location and log scale."""
        return 2

    def cells(self, parameters: Tensor) -> Distribution:
        """Discretised logistic cells from location and log scale, `(..., *event, 2)`."""
        location, log_scale = parameters.unbind(dim=-1)
        return DiscretizedLogisticDistribution(location, log_scale.clamp(-9.0, 5.0), self.levels)

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless `x` holds whole levels in range."""
        check_levels(
            x, self.levels, self.name, name, "use --likelihood gaussian for real-valued data"
        )
