"""A folder of pictures as one array of bytes."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np

from lowerbound.data.array_files import PARTS
from lowerbound.data.notes import Note, Tally
from lowerbound.data.pictures import (
    BrokenPicture,
    Header,
    decode,
    extensions,
    quiet_decoders,
    read_header,
)
from lowerbound.data.raw import TRAIN, Raw, refuse_oversize
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError, SettingError

LARGEST_UNIFORM = 256
LARGEST_MIXED = 64
HOW = "--image-size HxW (image_size=(H, W)) chooses another size"


def read_folder(
    folder: Path, *, image_size: tuple[int, int] | None = None, limit: int | None = None
) -> Raw:
    """All pictures of a folder and its sub-folders.

    Sub-folders name classes; train, valid and test folders name parts. Pictures of one size up to
    256x256 keep it. Otherwise the most common size is taken, no longer than 64 on its long side.

    Args:
        folder: Where they lie; hidden files are ignored.
        image_size: `(H, W)` to crop and resize them to.
        limit: The most pictures to read, chosen by their names.

    Raises:
        DataError: There is no folder, or no picture in it that decodes.
    """
    tally = Tally()
    paths, shape, notes = plan_folder(folder, tally, image_size=image_size, limit=limit)
    note: tuple[Note, ...] = ()
    raw, kept = _decode_all(paths, folder, shape, tally)
    values, channels = raw.values, shape[0]
    if channels == 3 and (values == values[:, :1]).all():
        values = np.ascontiguousarray(values[:, :1])
        note = (Note("all pictures are stored as colour but grey: read as grey"),)
    part, label, label_names = classes_of(kept, folder)
    return replace(
        raw,
        rows=ArrayRows(values),
        part=part,
        label=label,
        label_names=label_names,
        notes=(*notes, *note, *tally.notes()),
    )


def plan_folder(
    folder: Path,
    tally: Tally,
    *,
    image_size: tuple[int, int] | None = None,
    limit: int | None = None,
) -> tuple[list[Path], tuple[int, int, int], tuple[Note, ...]]:
    """Which pictures of a folder are read, and the `(C, H, W)` that they all get.

    Raises:
        DataError: There is no folder, or no picture in it.
    """
    check_size(image_size)
    paths = list_pictures(folder, tally)
    notes: tuple[Note, ...] = ()
    if limit is not None and limit < len(paths):
        notes = (Note(f"limited to {limit:,} of {len(paths):,} pictures, by name"),)
        paths = sorted(sorted(paths, key=lambda path: _name_hash(path, folder))[:limit])
    headers: dict[Path, Header] = {}
    with quiet_decoders():
        for path in paths:
            try:
                headers[path] = read_header(path)
            except BrokenPicture as error:
                tally.add(f"files skipped: {error}", _shown(path, folder))
    size, more = choose_size(headers.values(), image_size)
    channels = 1 if all(header.grey for header in headers.values()) else 3
    return list(headers), (channels, *size), (*notes, *more)


def read_pictures(source: Path, shape: tuple[int, int, int]) -> Raw:
    """One picture, or all of a folder, as a model of images `(C, H, W)` takes them.

    Raises:
        DataError: None of them decodes.
    """
    tally = Tally()
    folder = source if source.is_dir() else source.parent
    paths = list_pictures(source, tally) if source.is_dir() else [source]
    raw, kept = _decode_all(paths, folder, shape, tally)
    _, label, label_names = classes_of(kept, folder)
    return replace(
        raw, where=repr(source.name), label=label, label_names=label_names, notes=tally.notes()
    )


def list_pictures(folder: Path, tally: Tally) -> list[Path]:
    """The picture files below `folder`, sorted; others are counted in `tally`.

    Raises:
        DataError: There are none.
    """
    files = sorted(_walk(folder, set()))
    known = extensions()
    paths = [path for path in files if path.suffix.lower() in known]
    if not files:
        raise DataError(
            f"the folder {str(folder)!r} is empty; put images into it, or sub-folders of them"
        )
    if not paths:
        ends = Counter(path.suffix.lower() or "no ending" for path in files)
        found = ", ".join(f"{count} {end}" for end, count in ends.most_common(3))
        raise DataError(
            f"no images in the folder {str(folder)!r}, only {found}; "
            "give a data file by its own name"
        )
    for path in files:
        if path.suffix.lower() not in known:
            tally.add("files skipped: not images", _shown(path, folder))
    return paths


def check_size(image_size: tuple[int, int] | None) -> None:
    """Raise a `SettingError` unless `image_size` is None or two numbers in 1..4096."""
    if image_size is None:
        return
    whole = [isinstance(side, int) and not isinstance(side, bool) for side in image_size]
    if len(image_size) != 2 or not all(whole) or not all(1 <= side <= 4096 for side in image_size):
        raise SettingError(f"image_size is (H, W) of 1 to 4096 pixels, got {image_size}")


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    """Plain files below `folder`. A folder is entered once, so a loop of links ends."""
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith((".", "__MACOSX")):
                continue
            if entry.is_dir():
                yield from _walk(Path(entry.path), seen)
            elif entry.is_file():  # no pipes, no devices: opening one would wait for ever
                yield Path(entry.path)


def choose_size(
    headers: Iterable[Header], image_size: tuple[int, int] | None
) -> tuple[tuple[int, int], tuple[Note, ...]]:
    """The `(H, W)` that pictures get: the one asked for, or what suits most of them."""
    sizes = Counter((header.height, header.width) for header in headers)
    if image_size is not None or not sizes:
        return image_size or (1, 1), ()
    # ties go to the smaller picture, so that the choice does not depend on the order of files
    common = min(sizes, key=lambda size: (-sizes[size], size))
    most = LARGEST_UNIFORM if len(sizes) == 1 else LARGEST_MIXED
    if max(common) <= most:
        if len(sizes) == 1:
            return common, ()
        return common, (
            Note(f"images of {len(sizes)} sizes: the most common one was taken; {HOW}"),
        )
    scale = LARGEST_MIXED / max(common)
    size = (max(1, round(common[0] * scale)), max(1, round(common[1] * scale)))
    text = f"images of {common[0]}x{common[1]} scaled down to {size[0]}x{size[1]}; {HOW}"
    return size, (Note(text),)


def _decode_all(
    paths: list[Path], folder: Path, shape: tuple[int, int, int], tally: Tally
) -> tuple[Raw, list[Path]]:
    where = repr(folder.name or str(folder))
    refuse_oversize(len(paths) * shape[0] * shape[1] * shape[2], where)

    def attempt(path: Path) -> tuple[np.ndarray | None, list[str]]:
        try:
            return decode(path, shape[0], (shape[1], shape[2]))
        except BrokenPicture as error:
            return None, [f"files skipped: {error}"]

    values = np.empty((len(paths), *shape), np.uint8)
    kept: list[Path] = []
    # decoders release the interpreter's lock; map keeps the order
    with quiet_decoders(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for path, (pixels, done) in zip(paths, pool.map(attempt, paths), strict=True):
            for what in done:
                tally.add(what, _shown(path, folder))
            if pixels is not None:
                values[len(kept)] = pixels
                kept.append(path)
    if not kept:
        told = "; ".join(str(note) for note in tally.notes())
        raise DataError(f"no picture of {where} can be read: {told}; give whole image files")
    return Raw(where, ArrayRows(values[: len(kept)]), pictures=True), kept


def classes_of(
    paths: list[Path], folder: Path
) -> tuple[np.ndarray | None, np.ndarray | None, tuple[str, ...] | None]:
    """Parts and classes out of the names of sub-folders."""
    trails = [path.relative_to(folder).parts[:-1] for path in paths]
    part = None
    if all(trail and trail[0].lower() in PARTS for trail in trails):
        part = np.array([PARTS[trail[0].lower()] for trail in trails], np.int8)
        trails = [trail[1:] for trail in trails]
        if TRAIN not in part or len(set(part)) == 1:
            part = None
    names = tuple(sorted({trail[0] for trail in trails if trail}))
    if len(names) < 2 or not all(trails):
        return part, None, None
    number = {name: i for i, name in enumerate(names)}
    return part, np.array([number[trail[0]] for trail in trails], np.int64), names


def _name_hash(path: Path, folder: Path) -> bytes:
    return blake2b(path.relative_to(folder).as_posix().encode("utf-8", "surrogateescape")).digest()


def _shown(path: Path, folder: Path) -> str:
    name = path.relative_to(folder).as_posix()
    return name.encode("utf-8", "replace").decode()
