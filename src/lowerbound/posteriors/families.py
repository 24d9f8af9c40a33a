"""Posteriors of heavy tails, of positive numbers and of shares."""

from torch import Tensor
from torch.distributions import Dirichlet, Gamma, Laplace
from torch.nn.functional import softplus

from lowerbound.distributions import Independent
from lowerbound.errors import SettingError
from lowerbound.posteriors.amortised import Amortised
from lowerbound.posteriors.scale import positive_scale

#: Least concentration: below it many draws are 0 in float32.
LEAST = 0.1


class LaplacePosterior(Amortised):
    """q(z|x) = prod_d Laplace(z_d; m_d(x), s_d(x)), with a closed rate under a Laplace prior.

    Args:
        network: Maps `(B, *event)` to `(B, 2, D)`: m, and h with s = `positive_scale(h)`.

    Source: Geadah et al. (2024), Neural Computation 36(12), page 2571, for the prior.
    """

    formula = "Laplace(m(x), s(x))"
    rows = 2

    def forward(self, context: Tensor | None = None) -> Independent:
        """The posterior of each x in `context`, `(B, *event)`."""
        mean, h = self.network(context).unbind(dim=-2)
        return Independent(Laplace(mean, positive_scale(h), validate_args=False), 1)


class GammaPosterior(Amortised):
    """q(z|x) = prod_d Gamma(z_d; a_d(x), b_d(x)), for the prior "gamma".

    Args:
        network: Maps `(B, *event)` to `(B, 2, D)`: numbers whose softplus, at least 0.1, are a and
            b; both are 1 where it puts out 0.

    Source: Figurnov, Mohamed & Mnih (2018), arXiv 1805.08498, whose gradient of draws torch has.
    """

    formula = "Gamma(a(x), b(x))"
    rows = 2
    values = "positive numbers"

    def forward(self, context: Tensor | None = None) -> Independent:
        """The posterior of each x in `context`, `(B, *event)`."""
        a, b = positive(self.network(context)).unbind(dim=-2)
        return Independent(Gamma(a, b, validate_args=False), 1)


class DirichletPosterior(Amortised):
    """q(z|x) = Dirichlet(a(x)), for the prior "dirichlet".

    Args:
        network: Maps `(B, *event)` to `(B, 1, D)`: numbers whose softplus, at least 0.1, are a.

    Raises:
        SettingError: D is 1 (raised by `forward`).

    Source: Figurnov, Mohamed & Mnih (2018), arXiv 1805.08498.
    """

    formula = "Dirichlet(a(x))"
    values = "shares"

    def forward(self, context: Tensor | None = None) -> Dirichlet:
        """The posterior of each x in `context`, `(B, *event)`."""
        a = positive(self.network(context)).squeeze(-2)
        if a.shape[-1] < 2:
            raise SettingError("shares need at least 2 latents, got 1")
        return Dirichlet(a, validate_args=False)


def positive(h: Tensor) -> Tensor:
    """Return softplus(h + 0.378) + 0.1, which is 1 at h = 0: a draw of it is then not yet 0."""
    return softplus(h + 0.37816) + LEAST
