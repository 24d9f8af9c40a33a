"""The law of values 0 and 1."""

from torch import Tensor
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Distribution
from torch.nn.functional import softplus

from lowerbound.likelihoods.cells import Cells, Site, check_levels

#: Means of a bit are kept this far from 0 and 1 before the logit is taken.
LEAST = 0.001


class Bernoulli(Cells):
    """p(x|z) = p^x (1 - p)^(1 - x) of each cell, with p = sigmoid(f(z)).

    For values 0 and 1 only. A grey level is not a probability: 8-bit data is refused, because
    its "Bernoulli log-likelihood" would be no likelihood of the data.

    Source: Kingma & Welling (2014), appendix C.1, arXiv 1312.6114.

    Example:
        >>> import torch
        >>> from lowerbound.likelihoods import Fields
        >>> from lowerbound.networks import MLP
        >>> p = Fields(MLP((2,), (1, 4)), Bernoulli())
        >>> p(torch.zeros(3, 5, 2)).log_prob(torch.ones(5, 4)).shape
        torch.Size([3, 5])
    """

    formula = "Bernoulli(x; sigmoid f(z))"
    name = "bernoulli"
    kinds = frozenset({"binary"})

    def law(self, parameters: Tensor) -> Distribution:
        """Return Bernoulli cells from their logits, `(..., *shape, 1)`."""
        return _FloatBernoulli(logits=parameters.squeeze(-1), validate_args=False)

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless `x` holds only 0 and 1."""
        remedy = "use --likelihood discretized-logistic or categorical, or --binarize"
        check_levels(x, 2, self.name, name, remedy)

    def start(self, mean: Tensor) -> Tensor:
        """Return the logits of a mean, `(1, *shape)`.

        Source: Burda, Grosse & Salakhutdinov (2016), the authors' code.
        """
        return mean.clamp(LEAST, 1 - LEAST).logit().unsqueeze(0)


def bernoulli(site: Site) -> Bernoulli:
    """Bits: each cell 0 or 1."""
    return Bernoulli()


class _FloatBernoulli(TorchBernoulli):
    """As torch's, for values 0 and 1 of any number type (data is stored as bytes).

    log p(x) = log sigmoid((2 x - 1) f): two passes over the logits where torch's takes eight.
    """

    def log_prob(self, value: Tensor) -> Tensor:
        # -softplus(-t) = log sigmoid(t), three times as fast as torch's; beyond the threshold it is
        # its argument: exactly so in float64, too
        sign = 2 * value.to(self.logits.dtype) - 1
        return softplus(sign * self.logits, beta=-1.0, threshold=40.0)

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        return _FloatBernoulli(logits=self.logits.expand(batch_shape), validate_args=False)
