"""Tar archives as a store: those of `pack` with their manifest, and anybody else's."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from lowerbound.data.array_files import PARTS, read_npy
from lowerbound.data.arrays import class_labels
from lowerbound.data.notes import Note
from lowerbound.data.raw import TRAIN
from lowerbound.data.read.download import cache_folder
from lowerbound.data.stored.decoded import kept_rows
from lowerbound.data.stored.flat import native
from lowerbound.data.stored.manifest import (
    LABELS,
    NAME,
    Entry,
    Manifest,
    places_of,
    read_manifest,
    sha256_of,
)
from lowerbound.data.stored.shard import Index, Shard, index_of, part_word
from lowerbound.data.stored.store import Store
from lowerbound.errors import DataError

REMEDY = "make the shards again, in a new place, from what they were made of: lowerbound data pack"
#: Makes a store of the pictures of archives: (where, [(path, name, offset, size)]).
OpenPictures = Callable[[str, list[tuple[Path, str, int, int]]], Store]


def is_shards(path: Path) -> bool:
    """Whether a path is a tar archive, or a folder that holds a manifest or archives alone."""
    if path.is_file():
        return path.suffix.lower() == ".tar"
    if not path.is_dir():
        return False
    if (path / NAME).is_file():
        return True
    endings = {os.path.splitext(n)[1].lower() for n in os.listdir(path) if not n.startswith(".")}
    return ".tar" in endings and endings <= {".tar", ".json", ".txt", ".md", ""}


def open_shards(path: Path, open_pictures: OpenPictures) -> Store:
    """The samples of one archive, or of all archives of a folder.

    The archives of `pack` are compared with their checksums when they are first seen. In others,
    a sample is the members that share a stem, one after the other: a `.npy` or a picture, and a
    `.cls` with its class; of other members only the endings are noted.

    Args:
        path: For which `is_shards` holds.
        open_pictures: Decodes archives that hold pictures.

    Raises:
        DataError: An archive is missing, truncated, changed or damaged.
    """
    if path.is_dir() and (path / NAME).is_file():
        return _packed(path, read_manifest(path))
    paths = [path] if path.is_file() else sorted(path.glob("*.[tT][aA][rR]"))
    return _foreign(repr(path.name), paths, open_pictures)


def _packed(folder: Path, manifest: Manifest) -> Store:
    for entry in manifest.shards:
        file = folder / entry.name
        if not file.is_file():
            raise DataError(f"the shard {entry.name!r} of {folder.name!r} is missing; {REMEDY}")
        if file.stat().st_size != entry.bytes:
            raise DataError(
                f"the shard {entry.name!r} has {file.stat().st_size} bytes, its manifest says "
                f"{entry.bytes}: it is truncated or another one; {REMEDY}"
            )
        _compare(file, entry.sha256)
    shards = tuple(Shard(folder / entry.name, places_of(entry)) for entry in manifest.shards)
    label = None
    if manifest.labels is not None:
        _compare(folder / LABELS, manifest.labels)
        label = np.asarray(read_npy(folder / LABELS).values)[:, 0]
    spans = _spans([entry.part for entry in manifest.shards], manifest.shards)
    return _store(
        repr(folder.name),
        shards,
        names=manifest.names,
        parts=spans if manifest.parted else None,
        label=label,
        label_names=manifest.label_names,
        levels=manifest.levels,
        pictures=manifest.pictures,
        notes=manifest.notes,
    )


def _spans(parts: list[int], entries: tuple[Entry, ...]) -> tuple[tuple[int, int, int], ...]:
    ends = np.cumsum([0, *(entry.samples for entry in entries)]).tolist()
    return _merged(list(zip(parts, ends, ends[1:], strict=False)))


def _merged(spans: list[tuple[int, int, int]]) -> tuple[tuple[int, int, int], ...]:
    """Neighbouring runs of the same part as one."""
    found: list[tuple[int, int, int]] = []
    for part, start, stop in spans:
        if found and found[-1][0] == part and found[-1][2] == start:
            found[-1] = (part, found[-1][1], stop)
        else:
            found.append((part, start, stop))
    return tuple(found)


def _foreign(where: str, paths: list[Path], open_pictures: OpenPictures) -> Store:
    indices = [index_of(path) for path in paths]
    classes, notes = _classes(indices)
    parts = [PARTS.get(part_word(path.name), TRAIN) for path in paths]
    order = sorted(range(len(paths)), key=lambda i: parts[i])  # a part's shards lie together
    paths, indices = [paths[i] for i in order], [indices[i] for i in order]
    parts = [parts[i] for i in order]
    ends = np.cumsum([0, *(len(index.places) for index in indices)]).tolist()
    spans = _merged(list(zip(parts, ends, ends[1:], strict=False)))
    parted = TRAIN in parts and len(set(parts)) > 1
    label, names = (None, None) if classes is None else classes
    if label is not None:
        label = np.concatenate([label[number] for number in order])
    if all(index.ending == ".npy" for index in indices):
        shards = tuple(Shard(p, i.places) for p, i in zip(paths, indices, strict=True))
        return _store(
            where, shards, parts=spans if parted else None, label=label, label_names=names,
            notes=notes,
        )  # fmt: skip
    if any(index.ending == ".npy" for index in indices):
        raise DataError(f"some archives of {where} hold arrays, others pictures; give one kind")
    entries = [
        (path, name, int(offset), int(size))
        for path, index in zip(paths, indices, strict=True)
        for name, (offset, size) in zip(index.names, index.places, strict=True)
    ]
    store = open_pictures(where, entries)
    return store if label is None else _labelled(store, label, names, notes)


def _classes(
    indices: list[Index],
) -> tuple[tuple[list[np.ndarray], tuple[str, ...]] | None, tuple[Note, ...]]:
    """The class of each sample, by archive, and the names of all classes."""
    notes: tuple[Note, ...] = ()
    endings = sorted({ending for index in indices for ending in index.ignored})
    if endings:
        notes = (Note("kinds of members ignored", len(endings), tuple(endings)),)
    texts = [index.classes for index in indices if index.classes is not None]
    if len(texts) < len(indices):
        return None, notes
    every = np.array([text for part in texts for text in part])
    found = class_labels(every, len(every))
    if found is None:
        return None, notes
    label, names = found
    cuts = np.cumsum([len(part) for part in texts])[:-1]
    small = label.astype(np.min_scalar_type(len(names)))
    return (np.split(small, cuts), names), notes


def _labelled(
    store: Store, label: np.ndarray, names: tuple[str, ...] | None, notes: tuple[Note, ...]
) -> Store:
    """A store of decoded pictures with the classes of those that could be decoded."""
    rows = kept_rows(store)
    return replace(store, label=label[rows], label_names=names, notes=(*store.notes, *notes))


def _store(where: str, shards: tuple[Shard, ...], **rest: object) -> Store:
    first = shards[0]
    for shard in shards:
        if (shard.shape, shard.dtype) != (first.shape, first.dtype):
            raise DataError(
                f"{shard.path.name!r} holds examples of {shard.shape} {shard.dtype}, "
                f"{first.path.name!r} of {first.shape} {first.dtype}; {REMEDY}"
            )
    dtype = native(np.empty(0, first.dtype)).dtype
    return Store(where, shards, first.shape, dtype, **rest)  # type: ignore[arg-type]


def _compare(file: Path, sha256: str) -> None:
    """Compare a file with its checksum, once for as long as its size and date stay the same."""
    status = file.stat()
    known = f"{file.absolute()}|{status.st_size}|{status.st_mtime_ns}|{sha256}"
    key = hashlib.sha256(known.encode()).hexdigest()
    mark = cache_folder("verified") / key[:2] / key
    if mark.exists():
        return
    if sha256_of(file) != sha256:
        raise DataError(
            f"{file.name!r} is damaged: its checksum is not that of its manifest; {REMEDY}"
        )
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError:
        pass  # it is compared again next time
