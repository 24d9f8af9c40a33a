"""Draws with noise that is given, so that an expectation is a finite sum."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor


@contextmanager
def given_noise(noise: Tensor) -> Iterator[None]:
    """Inside, reparameterised Gaussian draws use this standard normal noise.

    Args:
        noise: Broadcasts against the draws, `(K, B, D)`. Draws of fewer units than D take the next
            columns each, in turn: the groups of a hierarchy, one after the other.

    Example:
        >>> q = torch.distributions.Normal(torch.tensor(1.0), torch.tensor(2.0))
        >>> with given_noise(torch.tensor([-1.0, 0.0, 1.0])):
        ...     q.rsample((3,))
        tensor([-1.,  1.,  3.])
    """
    taken = 0

    def standard_normal(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
        nonlocal taken
        units = shape[-1] if len(shape) else 1
        own = noise
        if noise.ndim and 1 < noise.shape[-1] != units:
            own, taken = noise[..., taken : taken + units], (taken + units) % noise.shape[-1]
        return own.to(device, dtype).expand(shape)

    with (
        patch("torch.distributions.normal._standard_normal", standard_normal),
        patch("torch.distributions.multivariate_normal._standard_normal", standard_normal),
    ):
        yield


def cubature(latents: int) -> Tensor:
    """Return noise `(2 D, 1, D)` whose equal-weight mean is exact for every polynomial of degree 3.

    The points ± sqrt(D) e_d: under them the ELBO of a linear Gaussian model, a quadratic function
    of the noise, has exactly its expectation, and so have its gradients.

    Source: McNamee & Stenger (1967); Arasaratnam & Haykin (2009), section III.
    """
    axes = torch.eye(latents, dtype=torch.float64) * latents**0.5
    return torch.cat([axes, -axes]).unsqueeze(1)
