"""The data of a run: the record of it, how much of it is believed, and reading it again."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lowerbound.data import Data, names, read
from lowerbound.errors import DataError, LowerboundError, ShapeError
from lowerbound.runs.spec import Spec


def location_of(source: str) -> str:
    """Write a source so that it means the same from another directory."""
    name, colon, folder = source.partition(":")
    if name in names():
        return f"{name}:{os.path.abspath(os.path.expanduser(folder))}" if colon else source
    return os.path.abspath(os.path.expanduser(source))


def describe_data(
    data: Data, options: Mapping[str, Any] | None = None, location: str | None = None
) -> dict[str, Any]:
    """Write the record of a run's data.

    Args:
        options: The other arguments it was read with.
        location: The argument of `read`: a named set or a whole path; None if it was an array.
    """
    found = {"source": data.source, "location": location, "fingerprint": data.fingerprint}
    notes = [str(note) for note in data.notes]
    return {**found, "split": data.split, "notes": notes, "options": dict(options or {})}


def recorded(spec: Spec) -> tuple[str | None, dict[str, Any]]:
    """Find where a run's data was, and the arguments of `read` that give the same split again.

    A spec may be a stranger's: values of a wrong type are left out, and no other argument is ever
    taken from it.

    Returns:
        The source that `read` was given, None if it was an array; and its other arguments by name.
    """
    options, split = spec.data.get("options"), spec.data.get("split")
    location = spec.data.get("location")
    reading = spec.schema.reading  # a schema is checked when it is read
    given = {name: getattr(reading, name) for name in reading.told()}
    given["stream"] = isinstance(options, dict) and options.get("stream") is True
    for name in ("seed", "limit"):
        value = split.get(name) if isinstance(split, dict) else None
        if type(value) is int:
            given[name] = value
    return (location if isinstance(location, str) and location else None), given


def read_again(
    path: Path, spec: Spec, source: Any = None, *, remedy: str = "give it with --data"
) -> Data:
    """Read the data that a run was trained on, in the same split.

    Args:
        source: Where the data is now; where the run says if None.
        remedy: The advice of the message where it cannot be read.

    Returns:
        The data. Its fingerprint differs from the run's if it has changed since.

    Raises:
        DataError: The run does not say where its data is, or it cannot be read any more.
        ShapeError: It is of another kind or shape now.
    """
    location, options = recorded(spec)
    source = location if source is None else source
    if source is None:
        raise DataError(f"{path} does not say where its data is; {remedy}")
    try:
        data = read(source, **options)
    except LowerboundError as error:
        raise DataError(f"the data of {path} cannot be read again: {error}; {remedy}") from error
    if (data.schema.shape, data.schema.kind) != (spec.schema.shape, spec.schema.kind):
        raise ShapeError(
            f"the data is now {data.schema.describe()}, and {path} was trained on "
            f"{spec.schema.describe()}; {remedy}"
        )
    return data


def read_if_own(path: Path, spec: Spec, source: str) -> Data | None:
    """Read a source in the split of a run if it holds exactly the data of the run, else None."""
    if location_of(source) == recorded(spec)[0]:
        return read_again(path, spec)
    try:
        data = read_again(path, spec, source)
    except LowerboundError:
        return None
    return None if has_changed(data, spec) else data


def has_changed(data: Data, spec: Spec) -> bool:
    """Tell whether data is other than what a run was trained on."""
    return data.fingerprint != spec.data.get("fingerprint")
