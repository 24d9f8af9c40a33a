"""The variational autoencoder: the product of a prior, a posterior and a likelihood."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lowerbound.core.batch import Batch
from lowerbound.core.conditional import Conditional
from lowerbound.core.trace import Gradient, Trace, later
from lowerbound.distributions import analytic_kl, detached, log_prob
from lowerbound.errors import SettingError, ShapeError


class VAE(nn.Module):
    """p(x, z) = p(z) p(x|z), with q(z|x) in place of the intractable p(z|x).

    It has no loss, no device and no file format: an objective reads its `trace`, `fit` trains it,
    `lowerbound.runs` writes it down.

    Args:
        prior: p(z), event `(D,)`.
        posterior: q(z|x), batch `(B,)`, event `(D,)`; it must have reparameterised draws.
        likelihood: p(x|z), batch `(K, B)`, event that of x.

    Source: Kingma & Welling (2014), arXiv 1312.6114; Rezende, Mohamed & Wierstra (2014),
        arXiv 1401.4082.

    Example:
        >>> import lowerbound as lb
        >>> model = lb.VAE(
        ...     lb.priors.StandardNormal(2),
        ...     lb.posteriors.DiagonalGaussian(lb.networks.MLP((4,), (2, 2))),
        ...     lb.likelihoods.Bernoulli(lb.networks.MLP((2,), (1, 4))),
        ... )
        >>> model.trace(lb.Batch(torch.ones(5, 4)), samples=3).log_weight.shape
        torch.Size([3, 5])
    """

    def __init__(self, prior: Conditional, posterior: Conditional, likelihood: Conditional) -> None:
        super().__init__()
        self.prior = prior
        self.posterior = posterior
        self.likelihood = likelihood

    def trace(self, batch: Batch, samples: int = 1, gradient: Gradient = "total") -> Trace:
        """Draw z ~ q(z|x) and return the log-densities of the batch.

        Args:
            batch: `B` examples; what was not observed of them has no influence whatever it holds.
            samples: Number `K` of draws for each example.
            gradient: "total", or "path" for a log q(z|x) differentiated through z alone.

        Returns:
            A `Trace` with `(K, B)` log-densities in nats.

        Raises:
            SettingError: `samples` is less than 1.
            ShapeError: Prior and posterior, or x and the likelihood, disagree on a shape.
        """
        if samples < 1:
            raise SettingError(f"samples must be at least 1, got {samples}")
        x = batch.filled()
        q = self.posterior(x)
        p = self.prior(batch.condition)
        if q.event_shape != p.event_shape:
            raise ShapeError(
                f"the posterior has {_sizes(q.event_shape)} latent units, the prior "
                f"{_sizes(p.event_shape)}; build both with the same number of latents"
            )
        z = q.rsample(torch.Size([samples]))
        likelihood = self.likelihood(z)
        if likelihood.event_shape != x.shape[1:]:
            raise ShapeError(
                f"the likelihood is over {_sizes(likelihood.event_shape)}, the data is "
                f"{_sizes(x.shape[1:])}; build the decoder for the data's shape"
            )
        kl = analytic_kl(q, p)
        return Trace(
            log_px=log_prob(likelihood, x, batch.observed),
            log_pz=later(lambda: log_prob(p, z)),
            log_qz=later(lambda: log_prob(detached(q) if gradient == "path" else q, z)),
            z=z,
            posterior=q,
            kl={} if kl is None else {"z": kl.unsqueeze(0)},
        )

    def log_joint(self, batch: Batch, z: Tensor) -> tuple[Tensor, Tensor]:
        """log p(x|z) and log p(z) at given points, each `(K, B)`, nats, float64.

        Args:
            batch: `B` examples.
            z: `(K, B, D)`.
        """
        log_px = log_prob(self.likelihood(z), batch.filled(), batch.observed)
        return log_px, log_prob(self.prior(batch.condition), z)

    def __str__(self) -> str:
        """The factorisation, and how large each factor is."""
        factors = [
            ("prior", "p(z)", self.prior),
            ("likelihood", "p(x|z)", self.likelihood),
            ("posterior", "q(z|x)", self.posterior),
        ]
        lines = ["VAE: p(x, z) = p(z) p(x|z), and q(z|x) approximates p(z|x)"]
        for name, symbol, factor in factors:
            formula = getattr(factor, "formula", "") or type(factor).__name__
            lines.append(f"  {name:<10} {symbol:<6} = {formula:<36} {_count(factor):>18}")
            network = getattr(factor, "network", None)
            if network is not None:
                lines.append(f"    {_describe(network)}")
        lines.append(f"  {'in all':<57} {_count(self):>18}")
        return "\n".join(lines)


def _count(module: nn.Module) -> str:
    return f"{sum(p.numel() for p in module.parameters()):,} parameters"


def _sizes(shape: torch.Size) -> str:
    return "x".join(str(size) for size in shape) or "a scalar"


def _describe(network: nn.Module) -> str:
    """One line for a network: what each part says of itself, or its class."""
    parts = network if isinstance(network, nn.Sequential) else [network]
    own: Callable[[nn.Module], bool] = lambda part: type(part).__str__ is not object.__str__  # noqa: E731
    return ", ".join(str(p) if own(p) else repr(p) for p in parts).splitlines()[0]
