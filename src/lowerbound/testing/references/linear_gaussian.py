"""The protocol of a reference model, and the first of them: the linear Gaussian model."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from lowerbound import likelihoods, posteriors, priors
from lowerbound.core.conditional import Conditional
from lowerbound.errors import DataError, SettingError
from lowerbound.models import VAE
from lowerbound.networks import MLP
from lowerbound.seeding import seeded

#: Makes a posterior or likelihood around a network.
Around = Callable[[nn.Module], Conditional]


@dataclass(frozen=True)
class Joint:
    """Draws from p(z, x), row by row.

    Attributes:
        z: `(N, D)`.
        x: `(N, *event)`.
    """

    z: Tensor
    x: Tensor


@runtime_checkable
class Reference(Protocol):
    """A model with known answers: it can be simulated, and its evidence is known."""

    def simulate(self, count: int, seed: int = 0) -> Joint:
        """Draw z ~ p(z), then x ~ p(x|z)."""
        ...

    def log_evidence(self, x: Tensor, observed: Tensor | None = None) -> Tensor:
        """Return log p(x) of the observed cells of each row, `(B,)`, nats."""
        ...


@dataclass(frozen=True)
class LinearGaussian:
    """p(z) = N(0, I), p(x|z) = N(W z + b, s^2 I); then p(x) and p(z|x) are Gaussian.

    log p(x) = log N(x; b, W W^T + s^2 I),
    p(z|x) = N(M^-1 W^T (x - b), s^2 M^-1) with M = W^T W + s^2 I.

    Its VAE is assembled from the library's own parts, with an encoder that is exactly the
    posterior: then log p(x, z) - log q(z|x) = log p(x) for every z, whatever the noise.

    Args:
        weight: W, `(X, D)`, float64.
        bias: b, `(X,)`.
        scale: s, positive, a scalar.

    Source: Tipping & Bishop (1999), equations 4 to 8 (probabilistic PCA); as a test of VAEs:
        Dai et al. (2018), Lucas et al. (2019), arXiv 1911.02469.

    Example:
        >>> reference = LinearGaussian.random(latents=2, dimensions=3)
        >>> x = reference.simulate(5).x
        >>> from lowerbound.data import Batch
        >>> weights = reference.vae().trace(Batch(x), samples=7).log_weight
        >>> bool((weights - reference.log_evidence(x)).abs().max() < 1e-9)
        True
    """

    weight: Tensor
    bias: Tensor
    scale: Tensor

    @classmethod
    def random(
        cls, latents: int, dimensions: int, *, orthogonal: bool = False, seed: int = 0
    ) -> "LinearGaussian":
        """Draw a model at random; with orthogonal columns of W its posterior is diagonal."""
        with seeded(seed):
            weight = torch.randn(dimensions, latents, dtype=torch.float64)
            bias = torch.randn(dimensions, dtype=torch.float64)
        if orthogonal:
            lengths = torch.linspace(0.8, 1.6, latents, dtype=torch.float64)
            weight = torch.linalg.qr(weight).Q[:, :latents] * lengths
        return cls(weight, bias, torch.tensor(0.7, dtype=torch.float64))

    @classmethod
    def maximum_likelihood(cls, x: Tensor, latents: int) -> "LinearGaussian":
        """Fit the model of most likelihood to data: probabilistic PCA.

        W = U (L - s^2 I)^1/2 with the leading eigenvectors U and eigenvalues L of the covariance
        of x (divided by N), s^2 the mean of the eigenvalues left over, b the mean of x. The
        columns of W are orthogonal, so that a diagonal posterior is exact.

        Args:
            x: Data, `(N, X)`.
            latents: Number `D` of latent units, at least 1.

        Raises:
            SettingError: `latents` is not from 1 to X - 1.
            DataError: x lies in `latents` dimensions: no noise is left, and no maximum exists.

        Source: Tipping & Bishop (1999), equations 7 and 8; that a linear VAE has this optimum:
            Lucas et al. (2019), arXiv 1911.02469.
        """
        x = x.double()
        if not 1 <= latents < x.shape[1]:
            raise SettingError(
                f"probabilistic PCA of {x.shape[1]} dimensions has 1 to {x.shape[1] - 1} latents, "
                f"got {latents}"
            )
        values, vectors = torch.linalg.eigh(torch.cov(x.T, correction=0))
        values, vectors = values.flip(0), vectors.flip(1)
        noise = values[latents:].mean()
        if not float(noise) > 1e-12 * float(values[0]):
            raise DataError(
                f"x lies in {latents} dimensions or fewer: nothing is left for the noise of "
                "probabilistic PCA, and its likelihood has no maximum; use fewer latents"
            )
        weight = vectors[:, :latents] * (values[:latents] - noise).clamp(min=0.0).sqrt()
        return cls(weight, x.mean(dim=0), noise.sqrt())

    @property
    def latents(self) -> int:
        """Number `D` of latent units."""
        return self.weight.shape[1]

    @property
    def dimensions(self) -> int:
        """Number of cells of x."""
        return self.weight.shape[0]

    def simulate(self, count: int, seed: int = 0) -> "Joint":
        """Draw z ~ p(z), then x ~ p(x|z)."""
        with seeded(seed):
            z = torch.randn(count, self.latents, dtype=torch.float64)
            noise = torch.randn(count, self.dimensions, dtype=torch.float64)
        return Joint(z, z @ self.weight.T + self.bias + self.scale * noise)

    def log_evidence(self, x: Tensor, observed: Tensor | None = None) -> Tensor:
        """Return log p(x) of the observed cells of each row, `(B,)`, nats, by its marginal."""
        eye = torch.eye(self.dimensions, dtype=self.weight.dtype)
        covariance = self.weight @ self.weight.T + self.scale.square() * eye
        return gaussian_evidence(self.bias, covariance, x, observed)

    def posterior(self, x: Tensor) -> MultivariateNormal:
        """Return p(z|x) of each row, batch `(B,)`."""
        gain, covariance = self._posterior()
        return MultivariateNormal((x - self.bias) @ gain.T, covariance)

    def vae(
        self,
        posterior: Around = posteriors.FullGaussian,
        prior: Callable[[int], Conditional] = priors.StandardNormal,
        likelihood: Around | None = None,
    ) -> VAE:
        """Return this model as a `VAE` in float64, its posterior exact.

        Args:
            posterior: `FullGaussian`, or `DiagonalGaussian`, which is exact where the columns of W
                are orthogonal; or whatever is to be checked in its place.
            prior: Likewise, from the number of latents.
            likelihood: Likewise; a `Gaussian` with a fixed scale if None.
        """
        shape_of = getattr(posterior, "parameters_shape", posteriors.FullGaussian.parameters_shape)
        encoder = MLP((self.dimensions,), shape_of(self.latents), hidden=()).double()
        decoder = MLP((self.latents,), (1, self.dimensions), hidden=()).double()
        gain, covariance = self._posterior()
        factor = torch.linalg.cholesky(covariance)
        rows = encoder.outputs[0]
        weight, bias = encoder.parameters()
        with torch.no_grad():
            weight.zero_()[: self.latents] = gain
            shape = torch.zeros(rows, self.latents, dtype=torch.float64)
            shape[0] = -gain @ self.bias
            if rows == 2:
                shape[1] = covariance.diagonal().log() / 2
            else:
                shape[1:] = factor.tril(-1) + factor.diagonal().log().diag()
            bias.copy_(shape.flatten())
            for mine, known in zip(decoder.parameters(), (self.weight, self.bias), strict=True):
                mine.copy_(known)
        law = self._likelihood(decoder) if likelihood is None else likelihood(decoder)
        return VAE(prior(self.latents), posterior(encoder), law).double()

    def _likelihood(self, decoder: nn.Module) -> likelihoods.Fields:
        scale = likelihoods.FixedScale(float(self.scale))
        scale.value = self.scale.detach().clone()  # float64: the constructor rounds to float32
        return likelihoods.Fields(decoder, likelihoods.Gaussian(scale))

    def _posterior(self) -> tuple[Tensor, Tensor]:
        """Return M^-1 W^T and s^2 M^-1."""
        eye = torch.eye(self.latents, dtype=self.weight.dtype)
        precision = self.weight.T @ self.weight + self.scale.square() * eye
        gain = torch.linalg.solve(precision, self.weight.T)
        return gain, self.scale.square() * precision.inverse()


def gaussian_evidence(
    mean: Tensor, covariance: Tensor, x: Tensor, observed: Tensor | None = None
) -> Tensor:
    """Evaluate log N(x; m, C) of the observed cells of each row, `(B,)`, nats.

    A marginal of a Gaussian is a Gaussian; an unobserved cell of x, `(B, X)`, may hold anything.
    """
    known = torch.ones_like(x) if observed is None else observed.expand_as(x).to(x.dtype)
    centred = torch.where(known > 0, x - mean, 0.0)
    # an unobserved cell becomes a unit of its own, at its mean: no distance and no volume
    both = known.unsqueeze(-1) * known.unsqueeze(-2)
    within = both * covariance + torch.diag_embed(1 - known)
    _, log_determinant = torch.linalg.slogdet(within)
    distance = (centred * torch.linalg.solve(within, centred.unsqueeze(-1)).squeeze(-1)).sum(dim=-1)
    return -0.5 * (distance + log_determinant + known.sum(dim=-1) * math.log(2 * math.pi))
