"""The likelihood of levels without order."""

from torch import Tensor, nn
from torch.distributions import Distribution

from lowerbound.distributions import Levels
from lowerbound.errors import SettingError
from lowerbound.likelihoods.likelihood import Likelihood, check_levels


class Categorical(Likelihood):
    """p(x|z): each cell one of `levels` classes with probabilities softmax f(z).

    It knows nothing of the order of grey levels and can give any of them any probability, at
    `levels` parameters a cell.

    Args:
        network: Maps `(..., D)` to logits `(..., levels, *event)`.
        levels: Number of classes, 256 for 8-bit data.

    Raises:
        SettingError: Fewer than 2 levels.

    Source: van den Oord, Kalchbrenner & Kavukcuoglu (2016), section 2.2, arXiv 1601.06759.

    Example:
        >>> import torch
        >>> from lowerbound.networks import MLP
        >>> p = Categorical(MLP((3,), (5, 4)), levels=5)
        >>> p(torch.zeros(2, 3)).log_prob(torch.zeros(2, 4)).shape
        torch.Size([2])
    """

    formula = "Categorical(x; softmax f(z))"
    name = "categorical"
    is_discrete = True

    def __init__(self, network: nn.Module, levels: int = 256) -> None:
        super().__init__(network)
        if levels < 2:
            raise SettingError(f"a categorical likelihood needs at least 2 levels, got {levels}")
        self.levels = levels

    @property
    def parameters_per_cell(self) -> int:
        """One logit a level."""
        return self.levels

    def cells(self, parameters: Tensor) -> Distribution:
        """Cells with levels from their logits, `(..., *event, levels)`."""
        return Levels(logits=parameters, validate_args=False)

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless `x` holds whole levels in range."""
        check_levels(
            x, self.levels, self.name, name, "use --likelihood gaussian for real-valued data"
        )
