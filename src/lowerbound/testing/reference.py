"""The linear Gaussian model: a VAE whose evidence and posterior are known in closed form."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from lowerbound import likelihoods, posteriors, priors
from lowerbound.conditional import Conditional
from lowerbound.models import VAE
from lowerbound.networks import MLP
from lowerbound.seeding import seeded

#: Makes a posterior or likelihood around a network.
Around = Callable[[nn.Module], Conditional]


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
        >>> x = reference.sample(5).x
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
        """A model drawn at random; with orthogonal columns of W its posterior is diagonal."""
        with seeded(seed):
            weight = torch.randn(dimensions, latents, dtype=torch.float64)
            bias = torch.randn(dimensions, dtype=torch.float64)
        if orthogonal:
            lengths = torch.linspace(0.8, 1.6, latents, dtype=torch.float64)
            weight = torch.linalg.qr(weight).Q[:, :latents] * lengths
        return cls(weight, bias, torch.tensor(0.7, dtype=torch.float64))

    @property
    def latents(self) -> int:
        """Number `D` of latent units."""
        return self.weight.shape[1]

    @property
    def dimensions(self) -> int:
        """Number of cells of x."""
        return self.weight.shape[0]

    def sample(self, count: int, seed: int = 0) -> "Joint":
        """Draw z ~ p(z), then x ~ p(x|z)."""
        with seeded(seed):
            z = torch.randn(count, self.latents, dtype=torch.float64)
            noise = torch.randn(count, self.dimensions, dtype=torch.float64)
        return Joint(z, z @ self.weight.T + self.bias + self.scale * noise)

    def log_evidence(self, x: Tensor) -> Tensor:
        """log p(x) of each row, `(B,)`, nats, by the density of the marginal itself."""
        eye = torch.eye(self.dimensions, dtype=self.weight.dtype)
        covariance = self.weight @ self.weight.T + self.scale.square() * eye
        centred = x - self.bias
        _, log_determinant = torch.linalg.slogdet(covariance)
        distance = (centred * torch.linalg.solve(covariance, centred.T).T).sum(dim=-1)
        constant = self.dimensions * math.log(2 * math.pi)
        return -0.5 * (distance + log_determinant + constant)

    def posterior(self, x: Tensor) -> MultivariateNormal:
        """p(z|x) of each row, batch `(B,)`."""
        gain, covariance = self._posterior()
        return MultivariateNormal((x - self.bias) @ gain.T, covariance)

    def vae(
        self,
        posterior: Around = posteriors.FullGaussian,
        prior: Callable[[int], Conditional] = priors.StandardNormal,
        likelihood: Around | None = None,
    ) -> VAE:
        """This model as a `VAE` in float64, its posterior exact.

        Args:
            posterior: `FullGaussian`, or `DiagonalGaussian`, which is exact where the columns of W
                are orthogonal; or whatever is to be checked in its place.
            prior: Likewise, from the number of latents.
            likelihood: Likewise; a `Gaussian` with a fixed scale if None.
        """
        encoder = MLP((self.dimensions,), self._parameters(posterior), hidden=()).double()
        decoder = MLP((self.latents,), (1, self.dimensions), hidden=()).double()
        gain, covariance = self._posterior()
        factor = torch.linalg.cholesky(covariance)
        rows = encoder.outputs[0]
        with torch.no_grad():
            weight = encoder.layers[0].weight.zero_()  # type: ignore[union-attr,operator]
            weight[: self.latents] = gain
            shape = torch.zeros(rows, self.latents, dtype=torch.float64)
            shape[0] = -gain @ self.bias
            if rows == 2:
                shape[1] = covariance.diagonal().log() / 2
            else:
                shape[1:] = factor.tril(-1) + factor.diagonal().log().diag()
            encoder.layers[0].bias.copy_(shape.flatten())  # type: ignore[union-attr,operator]
            decoder.layers[0].weight.copy_(self.weight)  # type: ignore[union-attr,operator]
            decoder.layers[0].bias.copy_(self.bias)  # type: ignore[union-attr,operator]
        law = self._likelihood(decoder) if likelihood is None else likelihood(decoder)
        return VAE(prior(self.latents), posterior(encoder), law).double()

    def _likelihood(self, decoder: nn.Module) -> likelihoods.Gaussian:
        scale = likelihoods.FixedScale(float(self.scale))
        scale.value = self.scale.detach().clone()  # float64: the constructor rounds to float32
        return likelihoods.Gaussian(decoder, scale)

    def _posterior(self) -> tuple[Tensor, Tensor]:
        """M^-1 W^T and s^2 M^-1."""
        eye = torch.eye(self.latents, dtype=self.weight.dtype)
        precision = self.weight.T @ self.weight + self.scale.square() * eye
        return torch.linalg.solve(
            precision, self.weight.T
        ), self.scale.square() * precision.inverse()

    def _parameters(self, posterior: Around) -> tuple[int, int]:
        shape = getattr(posterior, "parameters_shape", posteriors.FullGaussian.parameters_shape)
        return shape(self.latents)


@dataclass(frozen=True)
class Joint:
    """Draws from p(z, x), row by row.

    Attributes:
        z: `(N, D)`.
        x: `(N, X)`.
    """

    z: Tensor
    x: Tensor
