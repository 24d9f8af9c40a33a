"""Checks of samples and data before they are judged, each refusal with its remedy."""

from typing import Literal, get_args

import torch
from torch import Tensor

from lowerbound.data import Examples, Schema
from lowerbound.errors import DataError, SettingError, ShapeError, SupportError, UnknownNameError
from lowerbound.seeding import fresh_seed

Kind = Literal["draws", "means"]
#: Fewest samples that are judged.
FEWEST = 50
#: Most samples that are compared, unless asked otherwise, and at all.
MOST, LIMIT = 2000, 5000


def checked_seed(seed: int | None) -> int:
    """Return a seed in range; a fresh one for None."""
    if seed is None:
        return fresh_seed()
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise SettingError(f"seed must be a whole number in [0, 2^63), got {seed!r}")
    return seed


def checked_samples(samples: Tensor, schema: Schema, kind: str) -> Tensor:
    """Return samples on the CPU, if they could be draws, or means, of the data."""
    if kind not in get_args(Kind):
        raise UnknownNameError("kind of samples", str(kind), get_args(Kind))
    samples = torch.as_tensor(samples).detach().cpu()
    if tuple(samples.shape[1:]) != schema.shape:
        expected = ", ".join(map(str, schema.shape))
        raise ShapeError(
            f"samples must be (N, {expected}) as the data are, got {tuple(samples.shape)}; "
            "generate them from a model of these data"
        )
    if not bool(torch.isfinite(samples.double()).all()):
        raise DataError("samples must be finite, got nan or inf; train the model again")
    if schema.levels is None or samples.numel() == 0:
        return samples
    low, high, top = float(samples.min()), float(samples.max()), schema.levels - 1
    if low < 0 or high > top:
        raise SupportError(
            f"samples of {schema.describe()} range from 0 to {top}, got {low:g} to {high:g}; "
            "give them in the units of the data"
        )
    if kind == "draws" and bool((samples.double() != samples.double().round()).any()):
        raise SupportError(
            f"draws of {schema.describe()} are whole levels, got values between them; draw from "
            "p(x|z), or say that they are kind='means'"
        )
    return samples


def check_whole(what: str, examples: Examples, schema: Schema) -> None:
    """Raise unless examples have the schema's shape and no missing cells."""
    if tuple(examples.x.shape[1:]) != schema.shape:
        raise ShapeError(
            f"{what} examples are {tuple(examples.x.shape[1:])}, the schema says {schema.shape}; "
            "give those that the model was trained on"
        )
    if examples.observed is not None and not bool(examples.observed.all()):
        raise DataError(
            f"{what} examples have missing cells, and sample quality compares whole ones; impute "
            "them first, or leave those examples out"
        )


def number_compared(samples: int, train: int, held_out: int, most: int) -> int:
    """Count what can be compared of each kind, leaving half of training to fit features on."""
    for what, got, least, remedy in (
        ("samples", samples, FEWEST, "generate more"),
        ("training examples", train, 2 * FEWEST, "it needs larger data"),
        ("held-out examples", held_out, FEWEST, "hold more out"),
    ):
        if got < least:
            raise DataError(f"sample quality needs at least {least} {what}, got {got}; {remedy}")
    return min(samples, train // 2, held_out, most)


def as_stored(samples: Tensor, schema: Schema) -> Tensor:
    """Return samples as the data are stored: levels whole, reals in their precision."""
    return (samples if schema.levels is None else samples.double().round()).to(schema.dtype)
