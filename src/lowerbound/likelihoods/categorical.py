"""The law of levels without order."""

from torch import Tensor
from torch.distributions import Categorical as Classes
from torch.distributions import Distribution

from lowerbound.distributions import Levels
from lowerbound.errors import SettingError
from lowerbound.likelihoods.cells import Cells, Site, check_levels


class Categorical(Cells):
    """p(x|z): each cell one of `levels` classes with probabilities softmax f(z).

    It knows nothing of the order of grey levels and can give any of them any probability, at
    `levels` parameters a cell.

    Args:
        levels: Number of classes, 256 for 8-bit data.
        ordered: Whether the classes are levels, which have a mean; words have none, and their
            most probable one stands for them.

    Raises:
        SettingError: Fewer than 2 levels.

    Source: van den Oord, Kalchbrenner & Kavukcuoglu (2016), section 2.2, arXiv 1601.06759.

    Example:
        >>> import torch
        >>> from lowerbound.likelihoods import Fields
        >>> from lowerbound.networks import MLP
        >>> p = Fields(MLP((3,), (5, 4)), Categorical(levels=5))
        >>> p(torch.zeros(2, 3)).log_prob(torch.zeros(2, 4)).shape
        torch.Size([2])
    """

    formula = "Categorical(x; softmax f(z))"
    name = "categorical"
    kinds = frozenset({"binary", "ordinal", "categorical", "cyclic"})

    def __init__(self, levels: int = 256, *, ordered: bool = True) -> None:
        super().__init__()
        if levels < 2:
            raise SettingError(f"a categorical likelihood needs at least 2 levels, got {levels}")
        self.levels, self.ordered = levels, ordered

    @property
    def parameters_per_cell(self) -> int:
        """One logit a level."""
        return self.levels

    def law(self, parameters: Tensor) -> Distribution:
        """Return categorical cells from their logits, `(..., *shape, levels)`."""
        family = Levels if self.ordered else Classes
        return family(logits=parameters, validate_args=False)

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless `x` holds whole levels in range."""
        remedy = "use --likelihood gaussian for real-valued data"
        check_levels(x, self.levels, self.name, name, remedy)


def categorical(site: Site) -> Categorical:
    """Classes: any level may have any probability."""
    return Categorical(site.levels or 2, ordered=site.kind not in ("categorical", "cyclic"))
