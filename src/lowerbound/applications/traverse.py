"""What single latent units do."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lowerbound.applications.generate import decode
from lowerbound.errors import SettingError, ShapeError


def traverse(
    model: nn.Module,
    units: Sequence[int],
    *,
    around: Tensor | None = None,
    reach: float = 3.0,
    steps: int = 9,
) -> Tensor:
    """Move one latent unit at a time and decode.

    Args:
        model: A `VAE` with a latent vector.
        units: Which units, from 0.
        around: Latent vector that the others keep, `(D,)`; the prior's mean if None.
        reach: Each unit goes from -reach to +reach, in units of the prior's scale; positive and
            at most 1000.
        steps: Points on the way, at least 2.

    Returns:
        `(len(units), steps, *event)`, means of p(x|z), in the units of the data.

    Raises:
        SettingError: A unit does not exist, `reach` is not positive, or `steps` is less than 2.
        ShapeError: `around` is not `(D,)`.
    """
    prior = model.prior()  # type: ignore[operator]
    (latents,) = prior.event_shape
    unknown = [unit for unit in units if not 0 <= unit < latents]
    if unknown or not units:
        raise SettingError(f"units are 0 to {latents - 1}, got {list(units)}")
    if steps < 2 or not 0 < reach <= 1000:
        raise SettingError(
            f"needs steps >= 2 and 0 < reach <= 1000, got steps={steps}, reach={reach}"
        )
    centre = (prior.mean.cpu() if around is None else torch.as_tensor(around)).float()
    if tuple(centre.shape) != (latents,):
        raise ShapeError(f"around must be ({latents},), got {tuple(centre.shape)}")
    z = centre.repeat(len(units), steps, 1)
    for row, unit in enumerate(units):
        z[row, :, unit] = torch.linspace(-reach, reach, steps)
    return decode(model, z.flatten(end_dim=1)).unflatten(0, (len(units), steps))
