"""log p(x) of whatever was observed of x, in float64."""

from torch import Tensor
from torch.distributions import Distribution, MultivariateNormal

from lowerbound.distributions.autocorrelated import Autocorrelated
from lowerbound.distributions.independent import Independent, accumulate
from lowerbound.distributions.product import Product
from lowerbound.distributions.roll import Roll
from lowerbound.errors import SupportError


def log_prob(distribution: Distribution, value: Tensor, observed: Tensor | None = None) -> Tensor:
    """Return the log-density of `value`, of its observed cells only where a mask is given.

    Args:
        distribution: Event shape `(*event)`.
        value: `(..., *event)`; a cell that was not observed may hold anything.
        observed: Booleans that broadcast against `value`, or None when all cells are observed.

    Returns:
        `(...)`, nats, float64.

    Raises:
        SupportError: A mask is given but the cells are dependent, so none can be left out.
    """
    if observed is None:
        if type(distribution) is MultivariateNormal and value.device.type != "mps":
            # solving with L multiplies rounding errors by its condition: in float32 they overflow
            factor = distribution._unbroadcasted_scale_tril.double()
            distribution = MultivariateNormal(
                distribution.loc.double(), scale_tril=factor, validate_args=False
            )
            value = value.double()
        return accumulate(distribution.log_prob(value), 0)
    if not isinstance(distribution, Independent | Product | Roll | Autocorrelated):
        raise SupportError(
            f"{type(distribution).__name__} has dependent cells and cannot leave unobserved ones "
            "out; use a likelihood of independent cells, or data without gaps"
        )
    return distribution.log_prob(value, observed)
