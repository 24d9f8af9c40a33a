"""New examples: z from the prior, x from the decoder; the encoder is not used."""

import torch
from torch import Tensor, nn

from lowerbound.applications.chunks import by_chunks, device_of
from lowerbound.errors import SettingError, ShapeError
from lowerbound.seeding import seeded


def generate(model: nn.Module, count: int, *, draw: bool = True, seed: int | None = None) -> Tensor:
    """Draw new examples: z ~ p(z), then x ~ p(x|z).

    Args:
        model: A `VAE`.
        count: How many, at least 1.
        draw: Draw x from p(x|z); otherwise give the mean of p(x|z), which for images is what
            papers show, and which lacks the noise of the likelihood.
        seed: Of the draws; None for a fresh one.

    Returns:
        `(count, *event)`, in the units of the data, on the CPU.

    Raises:
        SettingError: `count` is less than 1.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise SettingError(f"count must be a whole number of at least 1, got {count!r}")
    with seeded(seed, device_of(model)), torch.no_grad():
        z = model.prior().sample((count,)).cpu()  # type: ignore[operator]
        return _decode(model, z, draw)


def decode(model: nn.Module, z: Tensor, *, draw: bool = False, seed: int | None = None) -> Tensor:
    """Decode latent vectors.

    Args:
        model: A `VAE`.
        z: `(N, D)`, finite.
        draw: Draw x from p(x|z) instead of giving its mean.
        seed: Of the draw; None for a fresh one.

    Returns:
        `(N, *event)`, in the units of the data, on the CPU.

    Raises:
        ShapeError: `z` is not `(N, D)` for the model's `D`, or not finite.
    """
    z = torch.as_tensor(z)
    latents = tuple(model.prior().event_shape)  # type: ignore[operator]
    if z.ndim < 1 or tuple(z.shape[1:]) != latents:
        raise ShapeError(
            f"the model decodes (N, {', '.join(map(str, latents))}) latents, got {tuple(z.shape)}; "
            "encode some data to see the right shape"
        )
    if not bool(torch.isfinite(z).all()):
        raise ShapeError("latents to decode must be finite, got nan or inf; remove those rows")
    with seeded(seed, device_of(model)):
        return _decode(model, z.to(torch.float32), draw)


def _decode(model: nn.Module, z: Tensor, draw: bool) -> Tensor:
    def step(chunk: Tensor) -> Tensor:
        likelihood = model.likelihood(chunk)  # type: ignore[operator]
        return likelihood.sample() if draw else mean_of(likelihood)

    return by_chunks(model, z, step, drawn=draw)


def mean_of(likelihood: torch.distributions.Distribution) -> Tensor:
    """E[x] under p(x|z), batch and event as there.

    For a categorical law, whose mean torch leaves undefined, that of its levels 0, 1, ...
    """
    base = getattr(likelihood, "base_dist", likelihood)
    if isinstance(base, torch.distributions.Categorical):
        shares = base.probs
        return shares @ torch.arange(shares.shape[-1], dtype=shares.dtype, device=shares.device)
    return likelihood.mean
