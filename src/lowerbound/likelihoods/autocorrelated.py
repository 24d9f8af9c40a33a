"""The likelihood of series whose deviations from the mean follow on from each other."""

import torch
from torch import Tensor, nn

from lowerbound.core import Conditional
from lowerbound.distributions import Autocorrelated
from lowerbound.distributions.autocorrelated import Whitener
from lowerbound.errors import ShapeError
from lowerbound.likelihoods.gaussian import check_finite
from lowerbound.networks.pair import start_small

#: Factor on weights and logarithms of scales, so that they learn faster: they start
#: far from where they end.
PACE = 10.0
#: The least log scale, in units of the data.
LEAST = -7.0
#: Hidden units of the network that says how large the deviations of a series are, and the most
#: that the logarithm of that is, either way: a window that is taken for one at rest, and is not,
#: costs less.
INNER, MOST = 64, 1.5


class AutocorrelatedGaussian(Conditional):
    """p(x|z) = N(x; m(z), S(z)): deviations (x - m(z)) / s(z) are a vector autoregression.

    r_t = A_1 r_{t-1} + ... + A_p r_{t-p} + A_0 r_t + e_t, with A_0 strictly lower triangular and
    e_t of independent cells, one scale a channel; the first p steps have scales of their own. A
    and these scales do not follow z. s(z) is a number for each channel: a device at rest deviates
    less from its mean than one that is shaken.

    Args:
        network: Computes m(z), `(..., 1, T, C)`.
        shape: `(T, C)`.
        order: p.
        latents: Size of z; 0 for s = 1.
        location: Where a mean of 0 lies; broadcasts against the cells.
        unit: Standard deviation of the data, positive, likewise.

    Source: vector autoregression: Luetkepohl (2005), New introduction to multiple time series
        analysis, section 2.1.
    """

    name = "autocorrelated-gaussian"
    formula = "N(x; m(z), S(z)), S of a vector autoregression"
    location: Tensor
    unit: Tensor
    lag: Tensor

    def __init__(
        self,
        network: nn.Module,
        shape: tuple[int, int],
        order: int = 8,
        latents: int = 0,
        location: float | Tensor = 0.0,
        unit: float | Tensor = 1.0,
    ) -> None:
        super().__init__()
        steps, channels = shape
        self.network, self.shape, self.order = network, shape, min(order, steps - 1)
        self.weights = nn.Parameter(torch.zeros(self.order + 1, channels, channels))
        self.scales = nn.Parameter(torch.zeros(self.order + 1, channels))
        self.register_buffer("location", torch.as_tensor(location).detach().clone())
        self.register_buffer("unit", torch.as_tensor(unit).detach().clone())
        self.spread: nn.Module | None = None
        if latents:
            last = nn.Linear(INNER, channels)
            start_small(last)
            self.spread = nn.Sequential(nn.Linear(latents, INNER), nn.ReLU(), last)
        place = torch.arange(steps)
        self.register_buffer("lag", place[:, None] - place, persistent=False)

    def whitener(self) -> Whitener:
        """Return W, whose rows are the equations of e_t / s."""
        steps, channels = self.shape
        now = self.weights[:1].tril(-1)
        every = torch.cat([now, self.weights[1:], torch.zeros_like(now)]) * PACE
        lag = torch.where((self.lag < 0) | (self.lag > self.order), self.order + 1, self.lag)
        whole = -every[lag].transpose(1, 2).reshape(steps * channels, -1)
        start = torch.arange(steps, device=lag.device).clamp(max=self.order)
        scales = (self.scales[start] * PACE).clamp(min=LEAST).flatten()
        eye = torch.eye(len(whole), dtype=whole.dtype, device=whole.device)
        return Whitener((whole + eye) * (-scales).exp()[:, None])

    def forward(self, context: Tensor | None = None) -> Autocorrelated:
        """Return the law of x given z, `(..., D)`: batch `(...)`, event `(T, C)`."""
        if context is None:
            raise ShapeError(f"likelihood '{self.name}' needs a latent z as its context, got None")
        mean, spread = self.network(context).squeeze(-3), None
        if self.spread is not None:
            spread = (MOST * (self.spread(context) / MOST).tanh()).exp().unsqueeze(-2)
        return Autocorrelated(mean, self.whitener(), self.location, self.unit, spread)

    def check(self, x: Tensor, observed: Tensor | None = None, name: str = "x") -> None:
        """Raise `SupportError` unless every value is finite."""
        known = x if observed is None else torch.where(observed, x, 0)
        check_finite(known, self.name, name)
