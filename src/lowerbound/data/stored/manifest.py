"""What `pack` writes beside its shards: what they hold and their checksums, as JSON."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lowerbound.data.notes import Note
from lowerbound.data.raw import TEST, TRAIN, VALIDATION
from lowerbound.errors import DataError

NAME = "manifest.json"
LABELS = "labels.npy"
FORMAT, VERSION = "lowerbound shards", 1
#: A manifest longer than this is none.
LONGEST = 256 * 2**20
PART_NAMES = {TRAIN: "train", VALIDATION: "validation", TEST: "test"}


@dataclass(frozen=True)
class Entry:
    """One shard: `samples` arrays of `size` bytes, header and all, `stride` bytes apart."""

    name: str
    part: int
    samples: int
    bytes: int
    sha256: str
    first: int
    stride: int
    size: int


@dataclass(frozen=True)
class Manifest:
    """All shards of a data set, in their order; see `Store` for the other attributes."""

    where: str
    shards: tuple[Entry, ...]
    names: tuple[str, ...] | None
    parted: bool
    labels: str | None
    label_names: tuple[str, ...] | None
    levels: int | None
    pictures: bool
    notes: tuple[Note, ...]

    def to_json(self) -> bytes:
        """The file."""
        values = {"format": FORMAT, "version": VERSION, **asdict(self)}
        return json.dumps(values, indent=1).encode()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder of shards; trusts nothing.

    Raises:
        DataError: It is missing, damaged, or of a newer version.
    """
    path = folder / NAME
    again = f"make {folder.name!r} again with: lowerbound data pack SOURCE OUT"
    try:
        if path.stat().st_size > LONGEST:
            raise ValueError
        values = json.loads(path.read_bytes())
        if values["format"] != FORMAT or int(values["version"]) > VERSION:
            raise DataError(f"{str(path)!r} is of a newer version; install a newer lowerbound")
        shards = tuple(_entry(entry) for entry in values["shards"])
        if not shards:
            raise ValueError
        notes = tuple(
            Note(str(n["what"]), int(n["count"]), tuple(map(str, n["examples"])))
            for n in values["notes"]
        )
        return Manifest(
            where=str(values["where"])[:1000],
            shards=shards,
            names=_texts(values["names"]),
            parted=values["parted"] is True,
            labels=None if values["labels"] is None else str(values["labels"]),
            label_names=_texts(values["label_names"]),
            levels=None if values["levels"] is None else int(values["levels"]),
            pictures=values["pictures"] is True,
            notes=notes,
        )
    except DataError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{str(path)!r} is missing or damaged; {again}") from error


def _entry(values: dict[str, Any]) -> Entry:
    numbers = ("part", "samples", "bytes", "first", "stride", "size")
    entry = Entry(
        name=str(values["name"]),
        sha256=str(values["sha256"]),
        **{key: int(values[key]) for key in numbers},
    )
    plain = Path(entry.name).name == entry.name and entry.name.endswith(".tar")
    counts = (entry.samples, entry.bytes, entry.first, entry.stride, entry.size)
    last = entry.first + (entry.samples - 1) * entry.stride + entry.size
    if not plain or min(counts) < 1 or entry.part not in PART_NAMES or last > entry.bytes:
        raise ValueError
    if entry.stride < entry.size:
        raise ValueError
    return entry


def _texts(values: Any) -> tuple[str, ...] | None:
    if values is None:
        return None
    if not isinstance(values, list) or not all(isinstance(text, str) for text in values):
        raise TypeError
    return tuple(values)


def sha256_of(path: Path) -> str:
    """Of a file's contents, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def places_of(entry: Entry) -> np.ndarray:
    """Where the arrays of a shard lie and how many bytes each has, int64 `(N, 2)`."""
    first = entry.first + entry.stride * np.arange(entry.samples, dtype=np.int64)
    return np.stack([first, np.full(entry.samples, entry.size)], axis=1)
