"""The law of counts given their total."""

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.distributions import Independent, Parted, accumulate
from lowerbound.distributions import Multinomial as MultinomialDistribution
from lowerbound.errors import SettingError
from lowerbound.likelihoods.cells import Cells, Site
from lowerbound.likelihoods.negative_binomial import LEAST, check_counts


class Multinomial(Cells):
    """p(x|z, n) = n! / prod_i x_i! prod_i p_i(z)^x_i of all cells of an example together.

    Only how a total is shared out is modelled: log p(x) is log p(x | n), n the sum of the observed
    cells, and cannot be compared with that of laws which weigh n too. One parameter a cell: the log
    of its share in units of `unit`. Examples with gaps are weighed exactly, given the total of what
    was observed. Draws have the total that the model is told (`count-vae`), or else `total`.

    Args:
        unit: u, positive, `(n,)` or one number: shares are as these where a network puts out 0.
        total: Of examples that are drawn by a model which is told no total.

    Source: Liang et al. (2018), section 2.1, arXiv 1802.05814, as the law of a VAE.

    Example:
        >>> from lowerbound.likelihoods import Fields
        >>> from lowerbound.networks import MLP
        >>> p = Fields(MLP((2,), (1, 4)), Multinomial(total=10.0))
        >>> p(torch.zeros(3, 5, 2)).sample().sum(dim=-1).unique()
        tensor([10.], dtype=torch.float64)
    """

    formula = "Multinomial(x; n, softmax f(z))"
    name = "multinomial"
    kinds = frozenset({"count"})
    sized = True
    log_unit: Tensor
    total: Tensor

    def __init__(self, unit: float | Tensor = 1.0, total: float | Tensor = 1.0) -> None:
        super().__init__()
        unit = torch.as_tensor(unit, dtype=torch.float64).detach().clamp(min=LEAST)
        self.register_buffer("log_unit", unit.log())
        total = torch.as_tensor(total, dtype=torch.float64).detach()
        self.register_buffer("total", total.round().clamp(min=1.0))

    @property
    def family(self) -> type[Independent]:
        """Its cells go together."""
        return Parted

    def law(self, parameters: Tensor) -> Distribution:
        """Return the cells of examples from the log of their share, `(..., n, 1)`."""
        logits = self.log_unit + accumulate(parameters.squeeze(-1), 0)
        total = logits.logsumexp(dim=-1).exp().round() if self.told else self.total
        return MultinomialDistribution(logits, total)

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless `x` holds whole numbers of at least 0."""
        check_counts(x, self.name, name)


def multinomial(site: Site) -> Multinomial:
    """Counts given their total: how it is shared out among the cells of an example.

    Raises:
        SettingError: The counts are no vector, or single.
    """
    if site.kind == "count" and (len(site.shape) != 1 or site.shape[0] < 2):
        raise SettingError(
            f"likelihood 'multinomial' is for vectors of counts, got cells of shape {site.shape}; "
            "use --likelihood negative-binomial"
        )
    if site.mean is None:
        return Multinomial()
    mean = site.mean.expand(site.shape)
    return Multinomial(mean, mean.sum())
