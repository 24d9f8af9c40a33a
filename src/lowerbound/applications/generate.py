"""New examples: z from the prior, x from the decoder; the encoder is not used."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.applications.chunks import by_chunks
from lowerbound.core import Latents, Model, device_of, dtype_of, unflatten
from lowerbound.distributions import Sequence, expected
from lowerbound.errors import SettingError, ShapeError, UnknownNameError
from lowerbound.seeding import seeded


def generate(
    model: Model,
    count: int,
    *,
    draw: bool = True,
    temperature: float = 1.0,
    token_temperature: float = 1.0,
    seed: int | None = None,
) -> Tensor:
    """Draw new examples: z ~ p(z), from the top group down, then x ~ p(x|z).

    Args:
        model: A trained model.
        count: How many, at least 1.
        draw: Draw x from p(x|z); otherwise give its mean, or the most probable class, which for
            images is what papers show, and which lacks the noise of the likelihood.
        temperature: Factor on the spread of every p(z), positive; 1 is the model. Less gives
            examples that are more typical and less varied.
        token_temperature: Divides the logits of tokens that are drawn, of texts and tunes,
            positive. Less gives tokens that are more usual; z is drawn as ever.
        seed: Of the draws; None for a fresh one.

    Returns:
        `(count, *event)`, in the units of the data, on the CPU.

    Raises:
        SettingError: `count` is less than 1, the temperature is not positive, or p(z) has no
            scale that it could change.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise SettingError(f"count must be a whole number of at least 1, got {count!r}")
    for name, value in (("temperature", temperature), ("token_temperature", token_temperature)):
        if not (math.isfinite(value) and value > 0):
            raise SettingError(f"{name} must be a positive number, got {value!r}")

    def step(some: slice, device: torch.device) -> Tensor:
        law = model.sample(some.stop - some.start, temperature).law
        if token_temperature != 1.0:
            if not isinstance(law, Sequence):
                raise SettingError("token_temperature is for texts and tunes; leave it out")
            law.temperature = token_temperature
        return _taken(law, draw)

    with seeded(seed, device_of(model)):
        return by_chunks(model, count, step, drawn=True)


def decode(
    model: Model, z: Tensor | Latents, *, draw: bool = False, seed: int | None = None
) -> Tensor:
    """Decode latent vectors.

    Args:
        model: A trained model.
        z: All groups in a row, `(N, D)`, as `encode` gives them; or `(N, *shape)` by group.
        draw: Draw x from p(x|z) instead of giving its mean, or the most probable class.
        seed: Of the draw; None for a fresh one.

    Returns:
        `(N, *event)`, in the units of the data, on the CPU.

    Raises:
        ShapeError: `z` is not `(N, D)` for the model's `D`, or not finite.
        UnknownNameError: `z` names other groups than the model's.
    """
    groups = _groups(model, z)
    rows = len(next(iter(groups.values())))

    def step(some: slice, device: torch.device) -> Tensor:
        return _taken(model.decode({n: part[some].to(device) for n, part in groups.items()}), draw)

    with seeded(seed, device_of(model)):
        return by_chunks(model, rows, step, drawn=draw)


def _groups(model: Model, z: Tensor | Latents) -> dict[str, Tensor]:
    """Latents by group, checked, in the precision of the model."""
    spaces, dtype = model.latents, dtype_of(model)
    if isinstance(z, Tensor):
        if z.ndim != 2:
            units = sum(space.units for space in spaces.values())
            raise ShapeError(
                f"the model has (N, {units}) latents, got {tuple(z.shape)}; encode some data "
                "to see the right shape"
            )
        groups = unflatten(z, spaces)
    else:
        for name in z:
            if name not in spaces:
                raise UnknownNameError("group of latents", name, spaces)
        groups = dict(z)
    rows = {len(part) for part in groups.values() if part.ndim}
    shapes = {name: tuple(part.shape[1:]) for name, part in groups.items()}
    if len(rows) != 1 or shapes != {name: space.shape for name, space in spaces.items()}:
        wanted = ", ".join(f"{name}: {('N', *s.shape)}" for name, s in spaces.items())
        got = ", ".join(f"{name}: {tuple(part.shape)}" for name, part in groups.items())
        raise ShapeError(f"the model decodes latents of {wanted}, got {got or 'none'}")
    if not all(bool(torch.isfinite(part).all()) for part in groups.values()):
        raise ShapeError("latents to decode must be finite, got nan or inf; remove those rows")
    return {name: part.to(dtype) for name, part in groups.items()}


def _taken(law: Distribution, draw: bool) -> Tensor:
    return law.sample() if draw else expected(law)
