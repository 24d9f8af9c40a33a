"""New examples: z from the prior, x from the decoder; the encoder is not used."""

import copy
import math

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.applications.chunks import by_chunks
from lowerbound.core import Latents, Model, device_of, dtype_of, flatten, unflatten
from lowerbound.distributions import Sequence, expected
from lowerbound.errors import SettingError, ShapeError, UnknownNameError
from lowerbound.models import Gaps
from lowerbound.seeding import fresh_seed, seeded


def generate(
    model: Model,
    count: int,
    *,
    draw: bool = True,
    temperature: float = 1.0,
    token_temperature: float = 1.0,
    seed: int | None = None,
    condition: Tensor | None = None,
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
        condition: Codes that a conditional model is told of each, `(count, C)`; None for draws
            from its p(x).

    Returns:
        `(count, *event)`, in the units of the data, on the CPU.

    Raises:
        SettingError: `count` is less than 1, the temperature is not positive, or p(z) has no
            scale that it could change.
    """
    _check(count, temperature)
    if not (math.isfinite(token_temperature) and token_temperature > 0):
        raise SettingError(
            f"token_temperature must be a positive number, got {token_temperature!r}"
        )

    def step(some: slice, device: torch.device) -> Tensor:
        told = None if condition is None else condition[some].to(device)
        law = model.sample(some.stop - some.start, temperature, condition=told).law
        if token_temperature != 1.0:
            if not isinstance(law, Sequence):
                raise SettingError("token_temperature is for texts and tunes; leave it out")
            law.temperature = token_temperature
        return _taken(law, draw)

    with seeded(seed, device_of(model)):
        return by_chunks(model, count, step, drawn=True)


def generate_rows(
    model: Model,
    gaps: Gaps | None,
    count: int,
    *,
    temperature: float = 1.0,
    seed: int | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Draw rows of a table that have gaps as the data does: z ~ p(z), x ~ p(x|z), m ~ p(m|z).

    Args:
        model: A trained model.
        gaps: The law of gaps that was fitted to it; None for rows without any.
        count: As for `generate`, of which cells are those of the same seed.
        temperature: As for `generate`.
        seed: Of the draws; None for a fresh one.

    Returns:
        x, and which of its cells are no gaps, bool, or None for all; `(count, D)`, on the CPU.

    Raises:
        SettingError: As for `generate`.
    """
    if gaps is None:
        return generate(model, count, temperature=temperature, seed=seed), None
    _check(count, temperature)

    def step(some: slice, device: torch.device) -> Tensor:
        drawn = model.sample(some.stop - some.start, temperature)
        logits = gaps(flatten(drawn.latents, model.latents))
        return torch.cat([_taken(drawn.law, True).double(), logits], dim=-1)

    seed = fresh_seed() if seed is None else seed
    with seeded(seed, device_of(model)):
        found = by_chunks(model, count, step, drawn=True)
    x, logits = found.split([gaps.sets.shape[1], len(gaps.sets)], dim=-1)
    with seeded(seed, stream="gaps"):
        return x.contiguous(), copy.deepcopy(gaps).cpu().draw(logits)


def decode(
    model: Model,
    z: Tensor | Latents,
    *,
    draw: bool = False,
    seed: int | None = None,
    condition: Tensor | None = None,
) -> Tensor:
    """Decode latent vectors.

    Args:
        model: A trained model.
        z: All groups in a row, `(N, D)`, as `encode` gives them; or `(N, *shape)` by group.
        draw: Draw x from p(x|z) instead of giving its mean, or the most probable class.
        seed: Of the draw; None for a fresh one.
        condition: Codes that a conditional model is told of each, `(N, C)`.

    Returns:
        `(N, *event)`, in the units of the data, on the CPU.

    Raises:
        ShapeError: `z` is not `(N, D)` for the model's `D`, or not finite.
        UnknownNameError: `z` names other groups than the model's.
    """
    groups = _groups(model, z)
    rows = len(next(iter(groups.values())))

    def step(some: slice, device: torch.device) -> Tensor:
        told = None if condition is None else condition[some].to(device)
        given = {name: part[some].to(device) for name, part in groups.items()}
        return _taken(model.decode(given, told), draw)

    with seeded(seed, device_of(model)):
        return by_chunks(model, rows, step, drawn=draw)


def _check(count: int, temperature: float) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise SettingError(f"count must be a whole number of at least 1, got {count!r}")
    if not (math.isfinite(temperature) and temperature > 0):
        raise SettingError(f"temperature must be a positive number, got {temperature!r}")


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
