"""Results for every step of recordings, put together from those for windows."""

from pathlib import Path

import numpy as np

from lowerbound.cli import output
from lowerbound.data import Schema
from lowerbound.data.read.series import Recordings
from lowerbound.data.read.source import recordings_of
from lowerbound.data.reading import reading

#: Digits after the point that are looked for.
MOST_DECIMALS = 6


def is_cut(schema: Schema) -> bool:
    """Tell whether the examples of a model are windows of recordings."""
    return schema.is_series and schema.reading.window is not None


def recordings_for(source: str, schema: Schema) -> Recordings:
    """Read recordings whole, by the decisions of the training."""
    return recordings_of(source, reading(schema.reading, recorded=True))


def sensors_of(schema: Schema) -> list[str]:
    """Return the names of the channels of series, in their order."""
    named = list(schema.reading.sensors)
    return named or [f"channel {i + 1}" for i in range(schema.shape[-1])]


def by_step(found: Recordings, windows: np.ndarray) -> list[np.ndarray]:
    """Put `(N, window, C)` together to a recording each."""
    return found.put_back(found.places(), windows)


def rounded(filled: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Round filled cells `(T, C)` to the digits that the known ones have."""
    filled = np.where(np.isfinite(known), known, filled)
    for channel in range(known.shape[1]):
        own = known[np.isfinite(known[:, channel]), channel]
        for digits in range(MOST_DECIMALS + 1):
            if (np.round(own, digits) == own).all():
                filled[:, channel] = np.round(filled[:, channel], digits)
                break
    return filled


def frame(found: Recordings, names: list[str], each: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Write recordings as the columns of one table: device, time, and those of `each`."""
    table: dict[str, np.ndarray] = {}
    told = found.reading
    if len({one.name for one in found.each}) > 1:
        label = told.device or "recording"
        table[label] = np.concatenate([np.full(len(one), one.name, object) for one in found.each])
    table[told.time or "step"] = np.concatenate([found.times(i) for i in range(len(found.each))])
    whole = np.concatenate(each)
    return table | {name: whole[:, place] for place, name in enumerate(names)}


def write_steps(path: Path, found: Recordings, names: list[str], each: list[np.ndarray]) -> None:
    """Write one row a step as .csv or .parquet, or as .npy `(T, C)` or `(N, T, C)`.

    Recordings of several lengths stand below each other in .npy.
    """
    if path.suffix.lower() == ".npy":
        alike = len({len(one) for one in each}) == 1 and len(each) > 1
        whole = np.stack(each) if alike else np.concatenate(each)
        output.write_array(path, whole)
    else:
        output.write_table(path, frame(found, names, each))


def as_table(x: np.ndarray, schema: Schema, windows: np.ndarray | None) -> dict[str, np.ndarray]:
    """Write windows `(N, T, C)` as the columns of one table, one row a step.

    Args:
        x: The windows.
        schema: Their schema.
        windows: Their names; None to number them.
    """
    count, steps, _ = x.shape
    names = np.arange(count) if windows is None else windows
    table = {"window": np.repeat(names, steps), "step": np.tile(np.arange(steps), count)}
    flat = x.reshape(count * steps, -1)
    return table | {name: flat[:, place] for place, name in enumerate(sensors_of(schema))}
