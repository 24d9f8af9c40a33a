"""Laws on the unit sphere: the uniform one, and one that is concentrated about a direction."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Dirichlet, Distribution, constraints

from lowerbound.distributions.centre import centre, spread
from lowerbound.distributions.detach import detached
from lowerbound.distributions.independent import widest


class _Sphere(constraints.Constraint):
    """Vectors of length 1."""

    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        """Tell which vectors have length 1."""
        return (value.norm(dim=-1) - 1).abs() < 1e-4


#: The support of the laws here.
sphere = _Sphere()


def log_area(dimensions: int) -> float:
    """Return the log of the area of the unit sphere among vectors of so many numbers."""
    half = dimensions / 2
    return math.log(2.0) + half * math.log(math.pi) - math.lgamma(half)


class UniformSphere(Distribution):
    """The uniform law of directions; its density is one over the area of the sphere.

    Args:
        like: The first axis, `(..., D)`: what stands for the law, which has no direction.
    """

    has_rsample = False
    support = sphere  # type: ignore[assignment]

    def __init__(self, like: Tensor) -> None:
        self.first = like
        super().__init__(like.shape[:-1], like.shape[-1:], validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """None."""
        return {}

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density over the sphere, `(...)`, nats, float64."""
        return (0 * value[..., 0]).to(widest(value.device)) - log_area(value.shape[-1])

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        """Draw `(*sample_shape, *batch, D)`."""
        noise = torch.randn(
            (*sample_shape, *self.first.shape), dtype=self.first.dtype, device=self.first.device
        )
        return noise / noise.norm(dim=-1, keepdim=True)

    @property
    def mean(self) -> Tensor:
        """The origin."""
        return torch.zeros_like(self.first)

    @property
    def variance(self) -> Tensor:
        """1/D of every number."""
        return torch.full_like(self.first, 1 / self.first.shape[-1])


class PowerSpherical(Distribution):
    """p(z) = C (1 + m . z)^k on the unit sphere: concentrated about m, uniform at k = 0.

    Draws have a gradient to both, a closed KL to the uniform law exists, and neither needs a
    Bessel function or a rejected draw.

    Args:
        direction: m, `(..., D)`, of length 1.
        concentration: k, `(...)`, not negative.

    Source: De Cao & Aziz (2020), arXiv 2006.04437.
    Differs: the reflection goes to m or to -m, whichever is farther from the first axis, so that
        it is exact where the two meet and no small number is divided by.
    """

    has_rsample = True
    support = sphere  # type: ignore[assignment]

    def __init__(self, direction: Tensor, concentration: Tensor) -> None:
        self.direction, self.concentration = direction, concentration
        self.beta = (direction.shape[-1] - 1) / 2
        super().__init__(direction.shape[:-1], direction.shape[-1:], validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """The concentration is not negative."""
        return {"concentration": constraints.nonnegative}

    @property
    def _exact(self) -> tuple[Tensor, Tensor]:
        """Return k and a = (D - 1)/2 + k, float64: differences of log-gammas follow."""
        k = self.concentration.to(widest(self.concentration.device))
        return k, k + self.beta

    def _log_constant(self) -> Tensor:
        _, a = self._exact
        b = self.beta
        return (
            torch.lgamma(a + b) - torch.lgamma(a) - (a + b) * math.log(2.0) - b * math.log(math.pi)
        )

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density over the sphere, `(...)`, nats, float64."""
        k, _ = self._exact
        cosine = (value.to(k.dtype) * self.direction.to(k.dtype)).sum(dim=-1)
        # opposite m the density is 0: its logarithm stays a number
        return self._log_constant() + k * torch.log1p(cosine.clamp(min=-1 + 1e-7))

    def entropy(self) -> Tensor:
        """Return -E[log p], `(...)`, nats, float64."""
        k, a = self._exact
        mean_log = math.log(2.0) + torch.digamma(a) - torch.digamma(a + self.beta)
        return -self._log_constant() - k * mean_log

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        """Draw `(*sample_shape, *batch, D)`, with a gradient to direction and concentration."""
        m = self.direction
        shape = (*sample_shape, *m.shape)
        a = (self.concentration + self.beta).expand(shape[:-1])
        # both b and 1 - b, so that neither is a difference
        near, far = (
            Dirichlet(torch.stack([a, torch.full_like(a, self.beta)], dim=-1), validate_args=False)
            .rsample()
            .unbind(dim=-1)
        )
        around = torch.randn((*shape[:-1], shape[-1] - 1), dtype=m.dtype, device=m.device)
        around = around / around.norm(dim=-1, keepdim=True)
        width = 2 * (near * far).clamp(min=torch.finfo(m.dtype).tiny).sqrt()
        z = torch.cat([(near - far).unsqueeze(-1), width.unsqueeze(-1) * around], dim=-1)
        # reflect the first axis to -m where m is on its side, and turn that round
        side = torch.where(m[..., :1] < 0, -1.0, 1.0).to(m.dtype)
        first = torch.zeros_like(m)
        first[..., 0] = 1.0
        u = m + side * first
        z = z - 2 * u * (u * z).sum(dim=-1, keepdim=True) / u.square().sum(dim=-1, keepdim=True)
        return -side * z

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same law under a larger batch shape."""
        shape = torch.Size(batch_shape)
        return PowerSpherical(self.direction.expand(*shape, -1), self.concentration.expand(shape))

    @property
    def mean(self) -> Tensor:
        """m times the mean cosine, `(..., D)`."""
        a = self.concentration + self.beta
        return self.direction * ((a - self.beta) / (a + self.beta)).unsqueeze(-1)

    @property
    def variance(self) -> Tensor:
        """Of each number, `(..., D)`."""
        a, b = self.concentration + self.beta, self.beta
        of_cosine = 4 * a * b / ((a + b).square() * (a + b + 1))
        across = (1 - of_cosine - ((a - b) / (a + b)).square()) / (2 * b)
        along = self.direction.square()
        return along * of_cosine.unsqueeze(-1) + (1 - along) * across.unsqueeze(-1)


def kl_on_sphere(q: Distribution, p: Distribution) -> Tensor | None:
    """Return KL(q || p) of a concentrated law from the uniform one, `(..., 1)`, float64; or None.

    Source: De Cao & Aziz (2020), arXiv 2006.04437.
    """
    if not (isinstance(q, PowerSpherical) and isinstance(p, UniformSphere)):
        return None
    return (log_area(q.event_shape[0]) - q.entropy()).unsqueeze(-1)


@centre.register
def _(distribution: PowerSpherical) -> Tensor:
    return distribution.direction


@centre.register
def _(distribution: UniformSphere) -> Tensor:
    return distribution.first


@spread.register
def _(distribution: PowerSpherical) -> Tensor:
    return distribution.variance.sqrt()


@detached.register
def _(distribution: PowerSpherical) -> PowerSpherical:
    return PowerSpherical(distribution.direction.detach(), distribution.concentration.detach())
