"""The way from one example to another through the latent space."""

import torch
from torch import Tensor

from lowerbound.applications.encode import encode
from lowerbound.applications.generate import decode
from lowerbound.core import Model
from lowerbound.data import Examples
from lowerbound.errors import SettingError


def interpolate(
    model: Model,
    start: Tensor,
    end: Tensor,
    *,
    steps: int = 8,
    spherical: bool = True,
    observed: Tensor | None = None,
) -> Tensor:
    """Decode points between the encodings of two examples, both ends included.

    Args:
        model: A trained model.
        start: One example, `(*event)`.
        end: Another, same shape.
        steps: Points in all, at least 2.
        spherical: Go along the great circle of each group of latents, so that points between keep
            a norm that is likely under N(0, I); otherwise along the straight line. Directions
            always go along the circle, shares along the line.
        observed: Which cells of the two are known, bool `(2, *event)`; None when all are.

    Returns:
        `(steps, *event)`, means of p(x|z), in the units of the data.

    Raises:
        SettingError: `steps` is less than 2, or a group holds codes, which have no way between
            them.

    Source: spherical: White (2016), section 2.1, arXiv 1609.04468, with the two norms
        interpolated linearly.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 2:
        raise SettingError(f"steps must be a whole number of at least 2, got {steps!r}")
    for name, space in model.latents.items():
        if space.discrete:
            raise SettingError(f"group '{name}' holds codes, and nothing lies between two codes")
    ends = torch.stack([torch.as_tensor(start), torch.as_tensor(end)])
    t = torch.linspace(0.0, 1.0, steps).unsqueeze(-1)
    way: dict[str, Tensor] = {}
    for name, group in encode(model, Examples(ends, observed)).groups.items():
        a, b = group.flatten(start_dim=1)
        on = model.latents[name].on
        round_about = on == "directions" or (spherical and on != "shares")
        points = _sphere(a, b, t) if round_about else (1 - t) * a + t * b
        way[name] = points.reshape(steps, *group.shape[1:])
    return decode(model, way)


def _sphere(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Follow the great circle with directions, the line with norms."""
    norms = torch.stack([a.norm(), b.norm()]).clamp(min=1e-12)
    cosine = torch.dot(a / norms[0], b / norms[1]).clamp(-1.0, 1.0)
    angle = torch.arccos(cosine)
    if float(torch.sin(angle)) < 1e-4:  # parallel or opposite: no great circle is singled out
        return (1 - t) * a + t * b
    direction = (
        torch.sin((1 - t) * angle) * a / norms[0] + torch.sin(t * angle) * b / norms[1]
    ) / torch.sin(angle)
    return direction * ((1 - t) * norms[0] + t * norms[1])
