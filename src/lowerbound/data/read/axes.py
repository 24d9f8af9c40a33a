"""Meaning of the axes of an array: images, series or vectors, decided over all of its examples."""

import numpy as np

from lowerbound.data.notes import Note
from lowerbound.data.reading import AXES, Axes
from lowerbound.errors import DataError

SEEN = 512
MOST_CHANNELS = 16
"""Of an image whose channels are told from the sizes alone; more slices are a volume."""
NARROW = 4
"""How many times as long as wide, and of few channels, reals are no picture but a series."""

COLOUR = (1, 3, 4)
BY_AXES: dict[int, tuple[Axes, ...]] = {3: ("hw", "tc", "ct", "flat"), 4: ("chw", "hwc", "flat")}


def find_axes(values: np.ndarray, told: Axes | None, where: str) -> tuple[Axes, tuple[Note, ...]]:
    """Decide what the axes of `(N, ...)` mean.

    Three axes are grey images; reals are a series where the numbers on the last axis have means
    of their own, as sensors have, or where it is short and their spreads differ much, or where one
    axis is short and the other four times as long. Of four
    axes, the first or the last after the examples are the channels: whichever has 1, 3 or 4, else
    the shortest.

    Args:
        values: The array, of two axes or more; a few examples from all over it are looked at.
        told: The axes that a person named.
        where: Name of the array in messages.

    Raises:
        DataError: The axes cannot mean what they are told to, or are those of volumes.
    """
    if values.ndim == 2:
        if told not in (None, "flat"):
            raise DataError(f"{where} has shape {values.shape}: {AXES[told]} need more axes")
        return "flat", ()
    known = BY_AXES.get(values.ndim, ("flat",))
    if told is not None:
        if told not in known:
            raise DataError(
                f"axes {told!r} ({AXES[told]}) do not fit shape {values.shape} of {where}; "
                f"these do: {', '.join(known)}"
            )
        return told, ()
    if values.ndim == 3:
        return _three(values)
    if values.ndim == 4:
        return _four(values.shape, where)
    raise DataError(
        f"{where} has {values.ndim} axes {values.shape}; give (N, D), (N, H, W) or (N, C, H, W), "
        "or read every cell by itself with --axes flat (axes='flat')"
    )


def arrange(values: np.ndarray, axes: Axes) -> np.ndarray:
    """Turn `(N, ...)` into `(N, D)`, `(N, T, C)` or `(N, C, H, W)`, as the axes say."""
    if axes == "hw":
        return values[:, None]
    if axes == "hwc":
        return values.transpose(0, 3, 1, 2)
    if axes == "ct":
        return values.transpose(0, 2, 1)
    return values.reshape(len(values), -1) if axes == "flat" else values


def drop_alpha(values: np.ndarray, channels: int | None) -> tuple[np.ndarray, tuple[Note, ...]]:
    """Composite the fourth of four channels on white where it is transparency.

    It is where most of it is opaque or clear, or where three channels are asked for.

    Args:
        values: Images `(N, C, H, W)`.
        channels: How many there are to be; None to tell from the values.
    """
    if values.ndim != 4 or values.shape[1] != 4 or channels == 4:
        return values, ()
    fourth = some(values)[:, 3]
    white = 255 if values.dtype == np.uint8 else 1
    if channels is None and not is_alpha(fourth, white):
        text = f"4 channels, shape {values.shape[1:]}: the fourth is no transparency; "
        return values, (Note(f"{text}--channels 3 (channels=3) composites it"),)
    if values.dtype != np.uint8:
        alpha = values[:, 3:].astype(np.float64) / white
        mixed = values[:, :3] * alpha + white * (1 - alpha)
        colour = mixed.astype(values.dtype if values.dtype.kind == "f" else np.float64)
    else:
        colour = np.empty((len(values), 3, *values.shape[2:]), np.uint8)
        for i in range(0, len(values), 256):  # in pieces: the sum needs four times the memory
            alpha = values[i : i + 256, 3:].astype(np.uint32)
            mixed = values[i : i + 256, :3] * alpha + 255 * (255 - alpha)
            colour[i : i + 256] = (mixed + 127) // 255
    note = Note(
        "images composited on white: their fourth channel is transparency; --channels 4 "
        "(channels=4) keeps it",
        len(values),
    )
    return colour, (note,)


def is_alpha(fourth: np.ndarray, white: float) -> bool:
    """Whether a fourth channel is transparency: most of it opaque or clear, and some opaque."""
    opaque = float((fourth == white).mean())
    return opaque + float((fourth == 0).mean()) >= 0.5 and opaque > 0.01


def some(values: np.ndarray, most: int = SEEN) -> np.ndarray:
    """Take at most `most` examples, from all over the array."""
    return values[:: max(1, -(-len(values) // most))]


def _three(values: np.ndarray) -> tuple[Axes, tuple[Note, ...]]:
    _, first, last = values.shape
    series = f"series of {first} steps and {last} channels"
    turned = f"series of {last} steps and {first} channels"
    if values.dtype.kind != "f":
        colour = last in (3, 4) and first > 4
        what = f"{len(values)} grey images of {first}x{last}; one colour image needs a leading axis"
        return "hw", (Note(f"read as {what}"),) if colour else ()
    seen = some(values).astype(np.float64)
    own, other = _own_means(seen), _own_means(seen.transpose(0, 2, 1))
    if other and not own:
        text = f"read as {turned}: the numbers on the first axis have means of their own; "
        return "ct", (Note(f"{text}--axes tc (axes='tc') reads {series}"),)
    if own or (first >= 2 * last and last <= MOST_CHANNELS and _own_spreads(seen)):
        text = f"read as {series}: the numbers on the last axis have scales of their own; "
        return "tc", (Note(f"{text}--axes hw (axes='hw') reads grey images of {first}x{last}"),)
    if first == last:
        return "hw", ()
    if last <= MOST_CHANNELS and first >= NARROW * last:
        text = f"read as {series}: no picture of reals is so narrow; "
        return "tc", (Note(f"{text}--axes hw (axes='hw') reads grey images of {first}x{last}"),)
    if first <= MOST_CHANNELS and last >= NARROW * first:
        text = f"read as {turned}: no picture of reals is so wide; "
        return "ct", (Note(f"{text}--axes hw (axes='hw') reads grey images of {first}x{last}"),)
    text = f"read as grey images of {first}x{last}; --axes tc (axes='tc') reads {series}"
    return "hw", (Note(text),)


def _own_means(seen: np.ndarray) -> bool:
    """Whether two channels, the last axis, differ in mean by more than ten of their spreads."""
    with np.errstate(all="ignore"):
        mean, spread = np.nanmean(seen, (0, 1)), np.nanstd(seen, (0, 1))
        low, high = np.nanargmin(mean), np.nanargmax(mean)
        return bool(mean[high] - mean[low] > 10 * max(spread[low], spread[high]) > 0)


def _own_spreads(seen: np.ndarray) -> bool:
    """Whether the spreads of channels that vary differ by more than ten."""
    with np.errstate(all="ignore"):
        spread = np.nanstd(seen, (0, 1))
    spread = spread[spread > 0]
    return len(spread) > 1 and bool(spread.max() > 10 * spread.min())


def _four(shape: tuple[int, ...], where: str) -> tuple[Axes, tuple[Note, ...]]:
    _, a, b, c = shape
    first, last = a in COLOUR, c in COLOUR
    if first and last:
        text = f"shape {shape} is ambiguous: the last axis was taken as channels; --axes chw "
        return "hwc", (Note(f"{text}(axes='chw') takes the first"),)
    if first or last:
        return ("chw" if first else "hwc"), ()
    channels = min(a, c)
    if channels >= b or channels > MOST_CHANNELS or a == c:
        raise DataError(
            f"{where} has shape {shape}: volumes are not modelled; read the slices as channels "
            f"with --axes chw (axes='chw'), or as images with x.reshape(-1, {b}, {c})"
        )
    axes, other = ("chw", "hwc") if a < c else ("hwc", "chw")
    place = "first" if a < c else "last"
    text = f"read as images of {channels} channels, the {place} axis; --axes {other} "
    return axes, (Note(f"{text}(axes='{other}') takes the other"),)
