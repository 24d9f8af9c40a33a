"""The beta-Bernoulli model: a VAE without a Gaussian in it, and conjugate."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Beta, Distribution

from lowerbound.core import Batch, Choose, Conditional, Model, Space
from lowerbound.distributions import Independent, detached
from lowerbound.errors import SettingError
from lowerbound.models import VAE
from lowerbound.seeding import seeded
from lowerbound.testing.references.linear_gaussian import Joint

#: Draws keep this distance from 0 and 1, where rounding would take their logarithm away.
EDGE = 1e-15


class BetaBernoulli(Model):
    """p(z) = prod_u Beta(a_u, b_u), p(x|z) = prod_u prod_n Bernoulli(x_un; z_u).

    Successes s_u and failures f_u are all that matters of x, and
    p(x) = prod_u B(a_u + s_u, b_u + f_u) / B(a_u, b_u), p(z|x) = prod_u Beta(a_u + s_u, b_u + f_u).
    Its q(z|x) = prod_u Beta(a'_u + c_u s_u, b'_u + d_u f_u) is the posterior at a' = a, b' = b,
    c = d = 1; draws are reparameterised by the derivative of the Beta's quantiles.

    Args:
        units: Number `D` of latent units, each in (0, 1).
        repeats: Observations of each unit; x has the event `(units, repeats)`.
        exact: Make q(z|x) the exact posterior where all cells are observed; otherwise it is
            another one.

    Raises:
        SettingError: There are no units or no repeats.

    Source: Bernardo & Smith (1994), section 5.2 and appendix A; derivatives of Beta draws:
        Figurnov, Mohamed & Mnih (2018), arXiv 1805.08498, as built into torch.
    Differs: draws stay 1e-15 away from 0 and 1.

    Example:
        >>> model = BetaBernoulli(units=2, repeats=5)
        >>> x = model.simulate(4).x
        >>> weights = model.trace(Batch(x), samples=7).log_weight
        >>> bool((weights - model.log_evidence(x)).abs().max() < 1e-9)
        True
    """

    def __init__(
        self, units: int = 2, repeats: int = 5, *, exact: bool = True, seed: int = 0
    ) -> None:
        super().__init__()
        if units < 1 or repeats < 1:
            raise SettingError(f"units and repeats must be at least 1, got {units} and {repeats}")
        self.units, self.repeats = units, repeats
        with seeded(seed):
            log_prior = 0.7 + 0.4 * torch.randn(2, units, dtype=torch.float64)
            shift = 0.0 if exact else 0.3
            log_start = log_prior + shift * torch.randn_like(log_prior)
            log_slope = shift * torch.randn_like(log_prior)
        self.factors = VAE(_Prior(log_prior), _Posterior(log_start, log_slope), _Coins(repeats))

    @property
    def latents(self) -> Mapping[str, Space]:
        """The one group, "z"."""
        return self.factors.latents

    def descend(
        self, choose: Choose, batch: Batch | None = None, condition: Tensor | None = None
    ) -> Distribution:
        """See `Model.descend`: that of a `VAE` of these factors."""
        return self.factors.descend(choose, batch, condition)

    def log_evidence(self, x: Tensor, observed: Tensor | None = None) -> Tensor:
        """Return log p(x) of the observed cells of each row, `(B,)`, nats, by Beta functions."""
        prior = self._concentrations()
        after = prior + _counts(x.double(), observed)
        return (_log_beta(after) - _log_beta(prior)).sum(dim=-1)

    def posterior(self, x: Tensor, observed: Tensor | None = None) -> Independent:
        """Return p(z|x) of each row, batch `(B,)`, event `(D,)`."""
        return _betas(self._concentrations() + _counts(x.double(), observed))

    def _concentrations(self) -> Tensor:
        """Return those of p(z), `(2, 1, D)`."""
        law = self.factors.prior().base_dist
        return torch.stack([law.concentration1, law.concentration0]).unsqueeze(1)

    def simulate(self, count: int, seed: int = 0) -> Joint:
        """Draw z ~ p(z), then x ~ p(x|z)."""
        with seeded(seed), torch.no_grad():
            z = self.factors.prior().sample(torch.Size([count]))
            return Joint(z, self.factors.likelihood(z).sample())


class _Prior(Conditional):
    formula = "Beta(a, b)"

    def __init__(self, log_concentrations: Tensor) -> None:
        super().__init__()
        self.log_concentrations = nn.Parameter(log_concentrations)

    def forward(self, context: Tensor | None = None) -> Independent:
        return _betas(self.log_concentrations.exp())


class _Posterior(Conditional):
    formula = "Beta(a' + c s(x), b' + d f(x))"

    def __init__(self, log_start: Tensor, log_slope: Tensor) -> None:
        super().__init__()
        self.log_start, self.log_slope = nn.Parameter(log_start), nn.Parameter(log_slope)

    def forward(self, context: Tensor | None = None) -> Independent:
        if context is None:
            raise SettingError("a posterior needs data x as its context, got None")
        counts = _counts(context.double(), None)
        start, slope = (p.exp().unsqueeze(1) for p in (self.log_start, self.log_slope))
        return _betas(start + slope * counts)


class _Coins(Conditional):
    formula = "Bernoulli(z), repeated"

    def __init__(self, repeats: int) -> None:
        super().__init__()
        self.repeats = repeats

    def forward(self, context: Tensor | None = None) -> Independent:
        if context is None:
            raise SettingError("a likelihood needs a latent z as its context, got None")
        chance = context.unsqueeze(-1).expand(*context.shape, self.repeats)
        return Independent(_Coin(chance, validate_args=False), 2)


class _Coin(Bernoulli):
    """Bernoulli whose log-probability is not rounded where its chance is nearly 0 or 1."""

    def log_prob(self, value: Tensor) -> Tensor:
        return torch.xlogy(value, self.probs) + torch.special.xlog1py(1 - value, -self.probs)


class _Beta(Beta):
    """Beta whose draws have finite logarithms."""

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        return super().rsample(torch.Size(sample_shape)).clamp(EDGE, 1 - EDGE)


def _betas(concentrations: Tensor) -> Independent:
    """Make independent units from their two concentrations, `(2, ..., D)`."""
    return Independent(_Beta(concentrations[0], concentrations[1], validate_args=False), 1)


@detached.register
def _(distribution: Beta) -> Beta:
    return type(distribution)(
        distribution.concentration1.detach(),
        distribution.concentration0.detach(),
        validate_args=False,
    )


def _counts(x: Tensor, observed: Tensor | None) -> Tensor:
    """Count observed successes and failures of each unit, `(2, B, D)`."""
    known = torch.ones_like(x) if observed is None else observed.expand_as(x).double()
    success = torch.where(known > 0, x, 0.0).sum(dim=-1)
    return torch.stack([success, known.sum(dim=-1) - success])


def _log_beta(concentrations: Tensor) -> Tensor:
    """Return log B(a, b) of `(2, ...)`."""
    return torch.lgamma(concentrations).sum(dim=0) - torch.lgamma(concentrations.sum(dim=0))
