"""The variational mixture of posteriors as a prior."""

import torch
from torch import Tensor, nn

from lowerbound.core import Conditional
from lowerbound.distributions import Mixture
from lowerbound.errors import SettingError
from lowerbound.priors.mixture import check_components
from lowerbound.priors.site import Site


class VampPrior(Conditional):
    """p(z) = 1/K sum_k q(z|u_k), with pseudo-inputs u_k that are learned.

    The prior that maximises the ELBO is the mean of q(z|x) over the data; this is its mean over K
    inputs that stand for the data. It shares the posterior with the model, and both are saved once.

    Args:
        posterior: q(z|x) of the model.
        inputs: The shape of what the posterior sees of one example.
        components: Number `K` of pseudo-inputs, at least 1.

    Raises:
        SettingError: `components` is out of range, or the posterior gives one code for certain.

    Source: Tomczak & Welling (2018), equation 9, arXiv 1705.07120.
    Differs: pseudo-inputs live in the units that the encoder sees and start as standard normal.

    Example:
        >>> from lowerbound.networks import MLP
        >>> from lowerbound.posteriors import DiagonalGaussian
        >>> prior = VampPrior(DiagonalGaussian(MLP((4,), (2, 3))), (4,), components=5)
        >>> prior().log_prob(torch.zeros(3)).shape
        torch.Size([])
    """

    formula = "1/K sum_k q(z|u_k)"

    def __init__(
        self, posterior: Conditional, inputs: tuple[int, ...], components: int = 500
    ) -> None:
        super().__init__()
        check_components(components)
        self.posterior = posterior
        if posterior.values == "codes":
            raise SettingError(
                "the codes of pseudo-inputs are certain, and leave every other code no chance; use "
                "prior=codes"
            )
        self.values = posterior.values
        self.pseudo_inputs = nn.Parameter(torch.randn(components, *inputs))

    def forward(self, context: Tensor | None = None) -> Mixture:
        """Return the prior, event `(D,)`; it ignores `context`."""
        return Mixture(
            self.pseudo_inputs.new_zeros(len(self.pseudo_inputs)),
            self.posterior(self.pseudo_inputs),
        )

    def extra_repr(self) -> str:
        """Its size."""
        return f"components={len(self.pseudo_inputs)}"


def vamp(site: Site, *, components: int = 500) -> VampPrior:
    """The mean of the posteriors of learned pseudo-inputs.

    Args:
        site: Its place in the model.
        components: Number of pseudo-inputs.
    """
    return VampPrior(site.posterior, site.inputs, components)
