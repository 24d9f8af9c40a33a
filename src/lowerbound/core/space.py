"""The groups of latents of a model: their shapes, and the way between groups and one vector."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lowerbound.errors import ShapeError

#: Latent values by group, top first: `(N, *shape)` or `(K, B, *shape)` each.
Latents = Mapping[str, Tensor]


@dataclass(frozen=True)
class Space:
    """Where one group of latents lives.

    Attributes:
        shape: Of one value, such as `(32,)`, or `(16, 4, 4)` for a map of features.
        discrete: Whether values are codes or classes, which have no gradient.
        on: The name of what values are, if a unit cannot be moved anywhere by itself, such as
            "directions"; empty for vectors of any numbers.
    """

    shape: tuple[int, ...]
    discrete: bool = False
    on: str = ""

    @property
    def units(self) -> int:
        """The number of latent units of the group."""
        return math.prod(self.shape)


def units_of(spaces: Mapping[str, Space]) -> int:
    """Count the latent units of all groups."""
    return sum(space.units for space in spaces.values())


def flatten(latents: Latents, spaces: Mapping[str, Space]) -> Tensor:
    """Join the groups in one vector a row, top first.

    Args:
        latents: By group, `(..., *shape)`.
        spaces: The groups, top first.

    Returns:
        `(..., D)` with D units in all.

    Example:
        >>> spaces = {"top": Space((2,)), "below": Space((1, 3))}
        >>> flatten({"top": torch.zeros(5, 2), "below": torch.ones(5, 1, 3)}, spaces).shape
        torch.Size([5, 5])
    """
    rows = []
    for name, space in spaces.items():
        value = latents[name]
        rows.append(value.reshape(*value.shape[: value.ndim - len(space.shape)], space.units))
    return rows[0] if len(rows) == 1 else torch.cat(rows, dim=-1)


def unflatten(z: Tensor, spaces: Mapping[str, Space]) -> dict[str, Tensor]:
    """Take a vector a row apart into groups; undoes `flatten`.

    Args:
        z: `(..., D)`.
        spaces: The groups, top first.

    Raises:
        ShapeError: The last axis of z has another size than the groups together.
    """
    units = units_of(spaces)
    if z.ndim < 1 or z.shape[-1] != units:
        parts = ", ".join(f"{name}: {space.units}" for name, space in spaces.items())
        raise ShapeError(
            f"the model has (N, {units}) latents ({parts}), got {tuple(z.shape)}; encode some "
            "data to see the right shape"
        )
    rows = z.split([space.units for space in spaces.values()], dim=-1)
    return {
        name: part.reshape(*part.shape[:-1], *space.shape)
        for (name, space), part in zip(spaces.items(), rows, strict=True)
    }
