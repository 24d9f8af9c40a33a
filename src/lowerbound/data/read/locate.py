"""Where a source is: a named set, a file or folder, an array within a file."""

import os
from dataclasses import dataclass
from pathlib import Path

from lowerbound.data.read.named import NamedSet, named_sets
from lowerbound.errors import DataError, UnknownNameError


@dataclass(frozen=True)
class Place:
    """Where a source is.

    Args:
        path: A file or folder; None for a named set and for data in memory.
        key: The array within the file; None for all of it.
        named: The named set; None for another source.
    """

    path: Path | None = None
    key: str | None = None
    named: NamedSet | None = None


def locate(source: object) -> Place:
    """Find the file, folder or named set that a source means.

    Raises:
        DataError: There is no such file.
        UnknownNameError: No such named set.
    """
    if not isinstance(source, str | os.PathLike):
        return Place()
    text = os.fspath(source)
    if not isinstance(text, str) or not text or "\0" in text:
        raise DataError(f"no such file or folder: {text!r}")
    name, colon, folder = text.partition(":")
    named = next((one for one in named_sets() if one.name == name), None)
    if named is not None and named.table is not None and not colon:
        return Place(named.table)
    if named is not None and isinstance(source, str):
        return Place(Path(folder).expanduser() if colon else None, None, named)
    path = Path(text).expanduser()
    try:
        if path.exists():
            return Place(path)
        archive, hashed, key = text.rpartition("#")
        if hashed and Path(archive).expanduser().is_file():
            return Place(Path(archive).expanduser(), key)
    except OSError as error:
        raise DataError(f"cannot read {text[:80]!r}: {error.strerror}") from error
    if isinstance(source, str) and not path.suffix and os.sep not in text and "/" not in text:
        known = (one.name for one in named_sets())
        raise UnknownNameError("file, folder or data set", text, known)
    raise DataError(f"no such file or folder: {text!r}")
