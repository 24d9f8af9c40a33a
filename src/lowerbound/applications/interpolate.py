"""The way from one example to another through the latent space."""

import torch
from torch import Tensor, nn

from lowerbound.applications.encode import encode
from lowerbound.applications.generate import decode
from lowerbound.errors import SettingError


def interpolate(
    model: nn.Module, start: Tensor, end: Tensor, *, steps: int = 8, spherical: bool = True
) -> Tensor:
    """Decode points between the posterior means of two examples, both ends included.

    Args:
        model: A `VAE`.
        start: One example, `(*event)`.
        end: Another, same shape.
        steps: Points in all, at least 2.
        spherical: Go along the great circle, so that points between keep a norm that is likely
            under N(0, I); otherwise along the straight line.

    Returns:
        `(steps, *event)`, means of p(x|z), in the units of the data.

    Raises:
        SettingError: `steps` is less than 2.

    Source: spherical: White (2016), section 2.1, arXiv 1609.04468, with the two norms
        interpolated linearly.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 2:
        raise SettingError(f"steps must be a whole number of at least 2, got {steps!r}")
    a, b = encode(model, torch.stack([torch.as_tensor(start), torch.as_tensor(end)])).mean
    t = torch.linspace(0.0, 1.0, steps).unsqueeze(-1)
    return decode(model, _sphere(a, b, t) if spherical else (1 - t) * a + t * b)


def _sphere(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Directions along the great circle, norms along the line."""
    norms = torch.stack([a.norm(), b.norm()]).clamp(min=1e-12)
    cosine = torch.dot(a / norms[0], b / norms[1]).clamp(-1.0, 1.0)
    angle = torch.arccos(cosine)
    if float(torch.sin(angle)) < 1e-4:  # parallel or opposite: no great circle is singled out
        return (1 - t) * a + t * b
    direction = (
        torch.sin((1 - t) * angle) * a / norms[0] + torch.sin(t * angle) * b / norms[1]
    ) / torch.sin(angle)
    return direction * ((1 - t) * norms[0] + t * norms[1])
