"""Draws of Gaussian laws from noise that somebody else has drawn."""

from torch import Tensor
from torch.distributions import Distribution, MultivariateNormal, Normal

from lowerbound.distributions.independent import Independent


class OwnNoiseError(Exception):
    """A law that hides the noise it draws by."""


def placed(law: Distribution, noise: Tensor) -> Tensor:
    """Move and scale standard normal noise, `(..., *event)`, to a draw of a Gaussian law.

    Raises:
        OwnNoiseError: The law is no Gaussian.

    Example:
        >>> import torch
        >>> placed(Normal(torch.tensor([1.0, 2.0]), 0.5), torch.tensor([2.0, 0.0]))
        tensor([2., 2.])
    """
    base = law.base_dist if isinstance(law, Independent) else law
    if isinstance(base, Normal):
        return base.loc + base.scale * noise
    if isinstance(base, MultivariateNormal):
        return base.loc + (base.scale_tril @ noise.unsqueeze(-1)).squeeze(-1)
    raise OwnNoiseError
