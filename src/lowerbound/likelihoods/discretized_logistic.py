"""The law of evenly spaced grey levels."""

from torch import Tensor
from torch.distributions import Distribution

from lowerbound.distributions import DiscretizedLogistic as DiscretizedLogisticDistribution
from lowerbound.errors import SettingError
from lowerbound.likelihoods.cells import Cells, Site, check_levels


class DiscretizedLogistic(Cells):
    """p(x|z): each cell a logistic integrated over the bins of its levels.

    Two parameters a cell: location and log scale on the axis where the lowest level is -1 and the
    highest +1. The log scale is held within [-9, 5].

    Args:
        levels: Number of levels, 256 for 8-bit data.

    Raises:
        SettingError: Fewer than 2 levels.

    Source: Kingma et al. (2016), section 5.1, arXiv 1606.04934.

    Example:
        >>> import torch
        >>> from lowerbound.likelihoods import Fields
        >>> from lowerbound.networks import MLP
        >>> p = Fields(MLP((3,), (2, 4)), DiscretizedLogistic())
        >>> bool((p(torch.zeros(5, 3)).log_prob(torch.full((5, 4), 255.0)) < 0).all())
        True
    """

    formula = "DiscretizedLogistic(x; m(z), s(z))"
    name = "discretized-logistic"
    kinds = frozenset({"ordinal"})

    def __init__(self, levels: int = 256) -> None:
        super().__init__()
        if levels < 2:
            raise SettingError(f"a discretised logistic needs at least 2 levels, got {levels}")
        self.levels = levels

    @property
    def parameters_per_cell(self) -> int:
        """Location and log scale."""
        return 2

    def law(self, parameters: Tensor) -> Distribution:
        """Return discretised logistic cells from location and log scale, `(..., *shape, 2)`."""
        location, log_scale = parameters.unbind(dim=-1)
        return DiscretizedLogisticDistribution(location, log_scale.clamp(-9.0, 5.0), self.levels)

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless `x` holds whole levels in range."""
        remedy = "use --likelihood gaussian for real-valued data"
        check_levels(x, self.levels, self.name, name, remedy)

    def start(self, mean: Tensor) -> Tensor:
        """Return the location of a mean, `(1, *shape)`."""
        return (2 * (mean / (self.levels - 1)) - 1).unsqueeze(0)


def discretized_logistic(site: Site) -> DiscretizedLogistic:
    """Grey levels in their order: a logistic integrated over their bins."""
    return DiscretizedLogistic(site.levels or 2)
