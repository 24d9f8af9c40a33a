"""The law of numbers between two bounds that lie at these, or lean to one of them."""

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.distributions import ContinuousBernoulli as ContinuousBernoulliDistribution
from lowerbound.errors import SupportError
from lowerbound.likelihoods.beta import upper_of
from lowerbound.likelihoods.cells import Cells, Site

#: Logits are held within this: a cell that is always exactly 0 would have them grow without end.
MOST = 100.0


class ContinuousBernoulli(Cells):
    """p(x|z) = C(l) l^x (1 - l)^(1 - x) of each cell in [0, 1], l = sigmoid(f(z)).

    One parameter a cell, held within [-100, 100]. Its constant C is what is left out where numbers
    between 0 and 1 are given to a Bernoulli law. The density is monotone: highest at an end.

    Args:
        upper: 1 for shares and grey as a real, 100 for percentages; broadcasts against the cells.

    Source: Loaiza-Ganem & Cunningham (2019), section 4, arXiv 1907.06845.

    Example:
        >>> from lowerbound.likelihoods import Fields
        >>> from lowerbound.networks import MLP
        >>> p = Fields(MLP((2,), (1, 4)), ContinuousBernoulli())
        >>> p(torch.zeros(3, 5, 2)).log_prob(torch.full((5, 4), 0.5)).shape
        torch.Size([3, 5])
    """

    formula = "C(l(z)) l(z)^x (1 - l(z))^(1 - x)"
    name = "continuous-bernoulli"
    kinds = frozenset({"bounded", "real"})
    upper: Tensor

    def __init__(self, upper: float | Tensor = 1.0) -> None:
        super().__init__()
        self.register_buffer("upper", torch.as_tensor(upper).detach().clone())

    def law(self, parameters: Tensor) -> Distribution:
        """Return the cells from their logits, `(..., *shape, 1)`."""
        logit = parameters.squeeze(-1).clamp(-MOST, MOST)
        return ContinuousBernoulliDistribution(logit, self.upper)

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless every value lies between the bounds."""
        if not bool(((x >= 0) & (x <= self.upper)).all()):
            raise SupportError(
                f"likelihood '{self.name}' needs numbers from 0 to {float(self.upper.max()):g}, "
                f"got min {float(x.min()):g}, max {float(x.max()):g} in '{name}'; divide by the "
                "greatest that there can be, or use --likelihood gaussian"
            )

    def start(self, mean: Tensor) -> Tensor:
        """Return the logits at which the law has a mean, `(1, *shape)`."""
        share = (mean / self.upper).clamp(1 / MOST, 1 - 1 / MOST)
        logit = torch.logit(share)
        for _ in range(20):  # Newton, from a logit that is nearer to 0 than the one looked for
            law = ContinuousBernoulliDistribution(logit)
            logit = (logit + (share - law.mean) / law.variance).clamp(-MOST, MOST)
        return logit.unsqueeze(0)


def continuous_bernoulli(site: Site) -> ContinuousBernoulli:
    """Numbers between 0 and 1, ends included: shares, or grey as a real number."""
    return ContinuousBernoulli(upper_of(site))
