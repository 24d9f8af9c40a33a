"""The effect of single latent units."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.core import Latents, Model, dtype_of, on, unflatten, units_of
from lowerbound.distributions import centre, expected, spread
from lowerbound.errors import SettingError, ShapeError


@torch.no_grad()
def traverse(
    model: Model,
    units: Sequence[int],
    *,
    around: Tensor | None = None,
    reach: float = 3.0,
    steps: int = 9,
) -> Tensor:
    """Move one latent unit at a time and decode.

    The units above it and beside it keep their values; the groups below take the centre of
    p(z_l | groups above), so that a unit at the top shows what it decides for all of them.

    Args:
        model: A trained model.
        units: Which units, from 0, counted over all groups from the top.
        around: Latent vector that the others keep, `(D,)`; the centre of p(z) if None.
        reach: Each unit goes from -reach to +reach about the centre of p(z_l | groups above), in
            units of its standard deviation; positive and at most 1000.
        steps: Points on the way, at least 2.

    Returns:
        `(len(units), steps, *event)`, means of p(x|z), in the units of the data.

    Raises:
        SettingError: A unit does not exist or is a code, `reach` is not positive, or `steps` is
            less than 2.
        ShapeError: `around` is not `(D,)`.
    """
    latents = units_of(model.latents)
    unknown = [unit for unit in units if not 0 <= unit < latents]
    if unknown or not units:
        raise SettingError(f"units are 0 to {latents - 1}, got {list(units)}")
    if steps < 2 or not 0 < reach <= 1000:
        raise SettingError(
            f"needs steps >= 2 and 0 < reach <= 1000, got steps={steps}, reach={reach}"
        )
    kept: Latents | None = None
    if around is not None:
        vector = torch.as_tensor(around)
        if tuple(vector.shape) != (latents,):
            raise ShapeError(f"around must be ({latents},), got {tuple(vector.shape)}")
        kept = unflatten(vector, model.latents)
    places = torch.linspace(-reach, reach, steps, dtype=dtype_of(model))
    with on(model) as device:
        laws = [model.descend(_moving(model, u, places.to(device), kept)) for u in units]
        return torch.stack([expected(law).cpu() for law in laws])


def _moving(
    model: Model, unit: int, places: Tensor, kept: Latents | None
) -> Callable[[str, Distribution, Distribution | None], Tensor]:
    """Choose latents `(steps, *shape)` of which one unit moves."""
    moved, place = "", unit
    for name, space in model.latents.items():
        if place < space.units:
            moved = name
            break
        place -= space.units
    if model.latents[moved].discrete:
        raise SettingError(f"unit {unit} belongs to group '{moved}', whose codes have no reach")
    holds = model.latents[moved].on
    if holds:
        raise SettingError(
            f"unit {unit} belongs to group '{moved}', which holds {holds}: no unit moves by "
            "itself; interpolate between examples"
        )
    names = list(model.latents)

    def choose(name: str, p: Distribution, q: Distribution | None) -> Tensor:
        shape = (len(places), *model.latents[name].shape)
        middle = centre(p).expand(shape)
        if names.index(name) > names.index(moved):
            return middle
        z = middle if kept is None else kept[name].to(places).expand(shape)
        if name == moved:
            z = z.clone()
            own = middle + places.reshape(-1, *[1] * (middle.ndim - 1)) * spread(p).expand(shape)
            z.flatten(start_dim=1)[:, place] = own.flatten(start_dim=1)[:, place]
        return z

    return choose
