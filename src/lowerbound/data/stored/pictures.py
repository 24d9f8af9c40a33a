"""Pictures, of a folder or in archives, as a store: decoded once and kept."""

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from lowerbound.data.array_files import PARTS
from lowerbound.data.images import (
    LARGEST_UNIFORM,
    choose_size,
    classes_of,
    list_pictures,
    plan_folder,
)
from lowerbound.data.notes import Tally
from lowerbound.data.pictures import BrokenPicture, quiet_decoders, read_header
from lowerbound.data.stored import memory
from lowerbound.data.stored.decoded import decoded, kept_rows
from lowerbound.data.stored.store import Store
from lowerbound.errors import ShapeError

#: Pictures of an archive whose headers decide the size of all.
LOOKED_AT = 2000


def open_folder(
    folder: Path,
    image_size: tuple[int, int] | None,
    shape: tuple[int, ...] | None,
    *,
    must: bool,
    cache: Path | None = None,
) -> Store | None:
    """The pictures of a folder, if they are to be left on disk; names as for `read_folder`.

    Args:
        folder: Where they lie.
        image_size: `(H, W)` that they are cropped and resized to.
        shape: `(C, H, W)` that a model takes them in; it decides.
        must: Whether to leave them on disk however few they are.
        cache: Where to keep the decoded ones.

    Raises:
        DataError: There is no picture that decodes.
    """
    tally = Tally()
    if not must:  # a first look, before every picture is opened for its size
        sides = (LARGEST_UNIFORM, LARGEST_UNIFORM) if image_size is None else image_size
        most = (3, *sides) if shape is None else shape
        if not memory.too_big(len(list_pictures(folder, Tally())) * math.prod(most)):
            return None
    if shape is None:
        paths, shape, notes = plan_folder(folder, tally, image_size=image_size)
    else:
        paths, notes = list_pictures(folder, tally), ()
    if not must and not memory.too_big(len(paths) * math.prod(shape)):
        return None
    where = repr(folder.name or str(folder))
    pictures = sorted(paths, key=lambda path: _part_of(path, folder))
    store = decoded(
        where,
        [(path, path.relative_to(folder).as_posix(), 0, -1) for path in pictures],
        _three(shape),
        cache=cache,
        notes=(*notes, *tally.notes()),
    )
    kept = [pictures[row] for row in kept_rows(store).tolist()]
    part, label, names = classes_of(kept, folder)
    spans = None
    if part is not None:
        cuts = np.flatnonzero(np.diff(part)) + 1
        starts, stops = [0, *cuts.tolist()], [*cuts.tolist(), len(part)]
        spans = tuple((int(part[a]), a, b) for a, b in zip(starts, stops, strict=True))
    if label is not None and names is not None:
        label = label.astype(np.min_scalar_type(len(names)))
    return replace(store, parts=spans, label=label, label_names=names)


def open_members(
    where: str,
    entries: list[tuple[Path, str, int, int]],
    *,
    size: tuple[int, int] | None,
    shape: tuple[int, ...] | None,
    cache: Path | None = None,
) -> Store:
    """The pictures of tar archives; without a size, one that suits the first 2,000 is taken.

    Raises:
        DataError: No picture decodes.
    """
    if shape is None:
        headers = []
        with quiet_decoders():
            for path, _, offset, length in entries[:LOOKED_AT]:
                with path.open("rb") as stream:
                    stream.seek(offset)
                    try:
                        headers.append(read_header(io.BytesIO(stream.read(length))))
                    except BrokenPicture:
                        continue
        chosen, notes = choose_size(headers, size)
        shape = (1 if all(header.grey for header in headers) else 3, *chosen)
    else:
        notes = ()
    return decoded(where, entries, _three(shape), cache=cache, notes=notes)


def _part_of(path: Path, folder: Path) -> int:
    trail = path.relative_to(folder).parts[:-1]
    return PARTS.get(trail[0].lower(), 0) if trail else 0


def _three(shape: tuple[int, ...]) -> tuple[int, int, int]:
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ShapeError(f"pictures have 1 or 3 channels, the model takes {shape}; give an array")
    return shape[0], shape[1], shape[2]
