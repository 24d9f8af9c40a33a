"""From examples to where they lie in the latent space."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lowerbound.applications.chunks import by_chunks
from lowerbound.core import Model, Space, flatten, unflatten
from lowerbound.data import Examples, Source
from lowerbound.distributions import spread
from lowerbound.errors import DataError


@dataclass(frozen=True)
class Encoding:
    """The posterior q(z|x) of `N` examples, on the CPU; all groups of latents in a row, top first.

    Attributes:
        mean: The centre of q of each unit, `(N, D)`: its mean, or its mode for a code. Below
            another group it is that of q given the centres above.
        scale: Standard deviations of single units about it, `(N, D)`; nan where the family of q
            knows none.
        spaces: The groups.
    """

    mean: Tensor
    scale: Tensor
    spaces: Mapping[str, Space]

    @property
    def groups(self) -> dict[str, Tensor]:
        """The centres by group, `(N, *shape)` each."""
        return unflatten(self.mean, self.spaces)


def encode(model: Model, examples: Source | Tensor) -> Encoding:
    """Locate examples in the latent space: centre and spread of q(z|x).

    Args:
        model: A trained model.
        examples: `N` examples, or an array `(N, *event)`, in the units of the data; cells that
            were not observed have no influence.

    Returns:
        Centres and standard deviations, `(N, D)`; no noise is drawn, and no row depends on another.

    Raises:
        ShapeError: The examples have another shape than the model's.
        DataError: An example is so extreme that its encoding is not a number.
    """
    source = Examples(examples) if isinstance(examples, Tensor) else examples

    def step(some: slice, device: torch.device) -> Tensor:
        found = model.encode(source.batch(some).to(device))
        scales = {
            name: spread(law).expand_as(found.latents[name]) for name, law in found.laws.items()
        }
        rows = [flatten(part, model.latents) for part in (found.latents, scales)]
        return torch.stack(rows, dim=1)

    mean, scale = by_chunks(model, len(source), step).unbind(dim=1)
    finite = torch.isfinite(mean).all(dim=1)
    if not bool(finite.all()):
        bad = (~finite).nonzero().flatten()
        raise DataError(
            f"{len(bad)} of the examples, the first of them number {int(bad[0])}, lie too far from "
            "the training data to be encoded; look for extreme values"
        )
    return Encoding(mean, scale, dict(model.latents))
