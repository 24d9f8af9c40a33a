"""The variational autoencoder: the product of a prior, a posterior and a likelihood."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from lowerbound.core import Batch, Choose, Conditional, Factor, Model, Space, Told, View
from lowerbound.distributions import is_discrete, surface
from lowerbound.errors import SettingError


class VAE(Model):
    """p(x, z) = p(z) p(x|z), with q(z|x) in place of the intractable p(z|x).

    It has no loss, no device and no file format: an objective reads its `trace`, `fit` trains it,
    `lowerbound.runs` writes it down.

    Args:
        prior: p(z), event `(D,)`.
        posterior: q(z|x), batch `(B,)`, event `(D,)`, from what `view` shows of x.
        likelihood: p(x|z), batch `(K, B)`, event that of x.
        view: The posterior's view of a batch; x itself, with 0 where unobserved, if None.
        told: Turns the condition c of a conditional model p(x|c), with p(x|z, c) and q(z|x, c),
            into numbers for both networks; None for a model that is told nothing. An example
            whose condition is not told has the law p(x) of the same model.

    Raises:
        SettingError: Prior and posterior are laws of different values.

    Source: Kingma & Welling (2014), arXiv 1312.6114; Rezende, Mohamed & Wierstra (2014),
        arXiv 1401.4082. With a condition: Sohn, Lee & Yan (2015), section 4.1, NeurIPS.
    Differs: z depends on the condition under the priors "given" and a refitted mixture alone.

    Example:
        >>> import torch
        >>> import lowerbound as lb
        >>> model = lb.VAE(
        ...     lb.priors.StandardNormal(2),
        ...     lb.posteriors.DiagonalGaussian(lb.networks.MLP((4,), (2, 2))),
        ...     lb.likelihoods.Fields(lb.networks.MLP((2,), (1, 4)), lb.likelihoods.Bernoulli()),
        ... )
        >>> model.trace(lb.Batch(torch.ones(5, 4)), samples=3).log_weight.shape
        torch.Size([3, 5])
    """

    def __init__(
        self,
        prior: Conditional,
        posterior: Conditional,
        likelihood: Conditional,
        view: View | None = None,
        told: Told | None = None,
    ) -> None:
        super().__init__()
        if prior.values != posterior.values:
            raise SettingError(
                f"the posterior gives {posterior.values}, and the prior is a law of "
                f"{prior.values}; use a prior of {posterior.values}"
            )
        self.prior = prior
        self.posterior = posterior
        self.likelihood = likelihood
        self.view = View() if view is None else view
        self.told = told

    @property
    def latents(self) -> Mapping[str, Space]:
        """The one group, "z"."""
        law = self.prior()
        return {"z": Space(tuple(law.event_shape), is_discrete(law), surface(law))}

    def descend(
        self, choose: Choose, batch: Batch | None = None, condition: Tensor | None = None
    ) -> Distribution:
        """See `Model.descend`: ask for z, return p(x|z)."""
        q = None
        if batch is not None:
            seen = self.view(batch)
            q = self.posterior(seen if self.told is None else self.told.show(seen, condition))
        if q is not None and self.training:
            p = self.prior.among(q, condition)
        else:
            p = self.prior(condition)
        z = choose("z", p, q)
        if self.told is None:
            return self.likelihood(z)
        return self.likelihood(torch.cat([z, self.told(condition, z)], dim=-1))

    def check(self, x: Tensor, observed: Tensor | None = None, name: str = "x") -> None:
        """See `Model.check`: the likelihood knows."""
        self.likelihood.check(x, observed, name)

    def with_prior(self, prior: Conditional) -> "VAE":
        """See `Model.with_prior`."""
        return VAE(prior, self.posterior, self.likelihood, self.view, self.told)

    def describe(self) -> list[Factor]:
        """List prior, likelihood and posterior."""
        return [
            Factor(name, symbol, part.formula or type(part).__name__, _count(part))
            for name, symbol, part in self._parts()
        ]

    def _parts(self) -> list[tuple[str, str, Conditional]]:
        return [
            ("prior", "p(z)", self.prior),
            ("likelihood", "p(x|z)" if self.told is None else "p(x|z,c)", self.likelihood),
            ("posterior", "q(z|x)" if self.told is None else "q(z|x,c)", self.posterior),
        ]

    def __str__(self) -> str:
        """The factorisation, and how large each factor is."""
        lines = ["VAE: p(x, z) = p(z) p(x|z), and q(z|x) approximates p(z|x)"]
        for factor, (_, symbol, part) in zip(self.describe(), self._parts(), strict=True):
            size = f"{factor.parameters:,} parameters"
            lines.append(f"  {factor.name:<10} {symbol:<6} = {factor.formula:<36} {size:>18}")
            network = getattr(part, "network", None)
            if network is not None:
                lines.append(f"    {_describe(network)}")
        lines.append(f"  {'in all':<57} {f'{_count(self):,} parameters':>18}")
        return "\n".join(lines)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _describe(network: nn.Module) -> str:
    """One line for a network: what each part says of itself, or its class."""
    parts = network if isinstance(network, nn.Sequential) else [network]
    own: Callable[[nn.Module], bool] = lambda part: type(part).__str__ is not object.__str__  # noqa: E731
    return ", ".join(str(p) if own(p) else repr(p) for p in parts).splitlines()[0]
