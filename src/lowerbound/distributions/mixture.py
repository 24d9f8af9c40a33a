"""A mixture of distributions of one family."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, Normal, constraints

from lowerbound.distributions.centre import tempered
from lowerbound.distributions.independent import Independent, accumulate
from lowerbound.distributions.log_prob import log_prob
from lowerbound.distributions.normal import LOG_NORMALIZER, CellNormal


class Mixture(Distribution):
    """p(z) = sum_k w_k p_k(z); a batch has weights of its own, and the components in common.

    Args:
        log_weights: log w, `(*batch, components)`; normalised here.
        components: The p_k, batch `(components,)`, event `(D,)`.

    Example:
        >>> from lowerbound.distributions import Independent
        >>> from torch.distributions import Normal
        >>> two = Independent(Normal(torch.tensor([[-1.0], [1.0]]), torch.ones(2, 1)), 1)
        >>> p = Mixture(torch.zeros(2), two)
        >>> p.mean, p.variance
        (tensor([0.]), tensor([2.]))
    """

    has_rsample = False

    def __init__(self, log_weights: Tensor, components: Distribution) -> None:
        self.log_weights = log_weights.log_softmax(dim=-1)
        self.components = components
        super().__init__(log_weights.shape[:-1], components.event_shape, validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """Log weights are real; the components know their own."""
        return {"log_weights": constraints.real_vector}

    @property
    def support(self) -> constraints.Constraint | None:
        """That of the components."""
        return self.components.support

    def log_shares(self, value: Tensor) -> Tensor:
        """Return log w_k + log p_k(z) of `(..., D)`, `(..., components)`, nats, float64."""
        # in float64: differences between components that lie far apart are small beside their size
        own = self.components
        if isinstance(own, Independent) and value.device.type != "mps":
            cells = own.base_dist
            if isinstance(cells, Normal) and type(cells) in (Normal, CellNormal):
                return _of_gaussians(cells, value) + self.log_weights.double()
        return log_prob(own, value.unsqueeze(-2)) + accumulate(self.log_weights, 0)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density of `(..., D)`, `(...)`, nats, float64."""
        return self.log_shares(value).logsumexp(dim=-1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        """Draw `(*sample_shape, *batch, D)`: a component, then a point of it."""
        with torch.no_grad():
            shape = torch.Size(sample_shape)
            chosen = Categorical(logits=self.log_weights).sample(shape).flatten()
            # each component draws as many points as the one that is chosen most often needs
            hits = torch.nn.functional.one_hot(chosen, self.log_weights.shape[-1])
            turn = (hits.cumsum(dim=0) * hits).sum(dim=-1) - 1
            points = self.components.sample(torch.Size([int(hits.sum(dim=0).max())]))
            return points[turn, chosen].reshape(*shape, *self.batch_shape, *self.event_shape)

    @property
    def mean(self) -> Tensor:
        """sum_k w_k m_k, `(D,)`."""
        return self.log_weights.exp() @ self.components.mean

    @property
    def variance(self) -> Tensor:
        """sum_k w_k (v_k + m_k^2) - mean^2, `(D,)`."""
        second = self.components.variance + self.components.mean.square()
        return self.log_weights.exp() @ second - self.mean.square()


def _of_gaussians(cells: Normal, value: Tensor) -> Tensor:
    """Return log N(z; m_k, diag s_k^2) of `(..., D)` for each k, `(..., components)`, nats.

    -(z - m)^2 / 2 s^2 is linear in z and z^2: one product of matrices, and no array of all cells
    of all components. In float64, as its terms cancel.
    """
    mean, scale = cells.loc.double(), cells.scale.double()
    middle = mean.detach().mean(dim=0)
    z, mean = value.double() - middle, mean - middle
    inverse = scale.reciprocal().square()
    slopes = torch.cat([inverse * mean, -0.5 * inverse], dim=-1)
    level = -(0.5 * inverse * mean.square() + scale.log() + LOG_NORMALIZER).sum(dim=-1)
    return torch.nn.functional.linear(torch.cat([z, z.square()], dim=-1), slopes, level)


@tempered.register
def _(distribution: Mixture, temperature: float) -> Distribution:
    return Mixture(distribution.log_weights, tempered(distribution.components, temperature))
