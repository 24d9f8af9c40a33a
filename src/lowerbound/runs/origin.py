"""The origin of a run's data: the record of it, and how much of a record is believed."""

import os
from collections.abc import Mapping
from typing import Any

from lowerbound.data import Data, names
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
        data: The data.
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
