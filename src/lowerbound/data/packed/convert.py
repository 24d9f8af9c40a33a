"""Which sources stay on disk, and how each becomes rows that are read by position."""

import hashlib
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from lowerbound.data.notes import Note
from lowerbound.data.packed.flat import FlatRows
from lowerbound.data.packed.folder import is_packed, open_packed
from lowerbound.data.packed.memory import too_big
from lowerbound.data.packed.parts import parts_of
from lowerbound.data.packed.write import write
from lowerbound.data.raw import Raw
from lowerbound.data.read.axes import arrange
from lowerbound.data.read.cells import holds_cells
from lowerbound.data.read.download import cache_folder
from lowerbound.data.read.files import COLUMNS, RECORDS, TEXT, Entry, entries_of
from lowerbound.data.read.locate import locate
from lowerbound.data.read.picture import extensions
from lowerbound.data.read.source import (
    arranged,
    guarded,
    holds_sequences,
    is_pictures,
    open_source,
)
from lowerbound.data.reading import Reading
from lowerbound.data.rows import ArrayRows, Block
from lowerbound.errors import SettingError

Stage = Callable[[str, int, int], None]

#: Bytes of a picture that is kept whole, at most, where nothing says its size.
PICTURE = 3 * 256 * 256


class Arranged:
    """Rows on disk whose axes are put in order as they are read.

    Args:
        rows: As the file has them.
        raw: A few of them, arranged: it has the decisions.
    """

    in_memory = False

    def __init__(self, rows: FlatRows, raw: Raw) -> None:
        self.rows, self.raw = rows, raw
        self.files, self.shape, self.dtype = rows.files, raw.rows.shape, raw.rows.dtype
        if raw.reading.gaps and self.dtype.kind != "f":  # whole numbers have no nan
            self.dtype = np.dtype(np.float64)

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, start: int, stop: int) -> Block:
        """Read rows `start` to `stop - 1`; see `Rows`."""
        return self._arranged(self.rows.read(start, stop))

    def take(self, index: np.ndarray) -> Block:
        """Read any rows."""
        return self._arranged(self.rows.take(index))

    def _arranged(self, block: Block) -> Block:
        told = self.raw.reading
        values = arrange(block.values, told.axes or "flat")
        if told.gaps or values.shape[1:] != self.shape:  # codes, or a channel that is no colour
            raw = replace(self.raw, rows=ArrayRows(block.values))
            values = arranged(raw, told, suspect=False).rows.read(0, len(block)).values
        return Block(values.astype(self.dtype, copy=False))


def left_on_disk(
    path: Path,
    key: str | None,
    options: Reading,
    stream: bool | None,
    limit: int | None,
    stage: Stage | None,
) -> Raw | None:
    """Open a file or folder so that its rows stay on disk; None if it is read into memory.

    A `.npy` file and a packed folder are read where they are. All else is first written as a
    packed folder, in the user's cache, where it is found again as long as it stays the same.
    Where `stream` is None, a source stays on disk if it is too big for memory; of picture files
    at most `limit` are counted. The other arguments are those of `read`.
    """
    if stream is False or (
        stream is None and not too_big(guarded(path, lambda: size_of(path, limit)))
    ):
        return None
    if holds_cells(path):
        return None  # sparse in memory, which takes less than rows on disk
    if not is_packed(path) and holds_sequences(path, key, options):
        if stream:
            raise SettingError("texts and tunes are kept in memory; leave stream out")
        return None
    if is_packed(path):
        return open_packed(path, options)
    if path.suffix.lower() == ".npy":
        return _npy(path, options)
    return _converted(path, key, options, stage)


def size_of(path: Path, limit: int | None = None) -> int:
    """Estimate the bytes that a source takes in memory."""
    suffix = Entry(path.name, path).suffix
    if path.is_dir() or suffix in (".zip", ".tar"):
        if is_packed(path):
            return sum(file.stat().st_size for file in path.iterdir())
        entries = entries_of(path)
        pictures = sum(entry.suffix in extensions() for entry in entries)
        if pictures:
            return min(pictures, limit or pictures) * PICTURE
        known = (".npy", *TEXT, *COLUMNS, *RECORDS)
        return sum(entry.size for entry in entries if entry.suffix in known)
    if suffix == ".npz":
        with suppress(zipfile.BadZipFile, OSError), zipfile.ZipFile(path) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    if suffix in (".parquet", ".pq"):
        from pyarrow import ArrowException, parquet

        with suppress(ArrowException, OSError, ValueError):
            about = parquet.ParquetFile(path).metadata
            return 8 * about.num_rows * about.num_columns
    return path.stat().st_size


def pack(
    source: str, out: Path, options: Reading, progress: Callable[[int], None] | None = None
) -> int:
    """Write all examples of a source as a folder of rows that is read by position.

    Args:
        source: As `read` takes it.
        out: A new folder.
        options: Decisions of reading.
        progress: Called with rows written.

    Returns:
        How many examples there are.

    Raises:
        DataError: The source cannot be read.
        OutputError: `out` holds other things, or cannot be written.
        SettingError: An image size is for other things than pictures; or these are texts or tunes.
    """
    place = locate(source)
    path = place.path if place.named is None else None
    if options.image_size is not None and not (path is not None and is_pictures(path)):
        raise SettingError("image_size is for picture files; resize arrays before packing them")
    if path is not None and not is_packed(path) and holds_sequences(path, place.key, options):
        raise SettingError(f"texts and tunes are kept in memory, unpacked; give {source} itself")
    if path is None:
        parts = [open_source(source, options)]
    elif is_packed(path) or path.suffix.lower() == ".npy":
        parts = [open_packed(path) if is_packed(path) else _npy(path, options)]
    else:
        parts = parts_of(path, place.key, options)
    return write(out, parts, progress)


def _npy(path: Path, options: Reading) -> Raw:
    rows = FlatRows(path)
    places = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), 512)).astype(np.int64))
    block = rows.take(places)
    raw = arranged(Raw(repr(path.name), ArrayRows(block.values)), options)
    notes = tuple(replace(note, count=len(rows)) if note.count == len(block) else note
                  for note in raw.notes)  # fmt: skip
    return replace(raw, rows=Arranged(rows, raw), notes=notes)


def _converted(path: Path, key: str | None, options: Reading, stage: Stage | None) -> Raw:
    files = [entry.path for entry in entries_of(path)] if path.is_dir() else [path]
    stats = [(str(file.absolute()), (s := file.stat()).st_size, s.st_mtime_ns) for file in files]
    name = hashlib.sha256(repr((stats, key, options)).encode("utf-8", "surrogateescape"))
    out = cache_folder("packed") / name.hexdigest()[:40]
    if not is_packed(out):
        tell = None if stage is None else lambda done: stage("converting", done, 0)
        write(out, parts_of(path, key, options), tell)
    size = sum(file.stat().st_size for file in out.iterdir())
    what = (
        f"converted into {size / 2**20:,.0f} MiB of rows in {out}, which may be deleted when no "
        "training needs it; lowerbound data pack SOURCE OUT writes them where you like"
    )
    raw = open_packed(out)
    return replace(raw, notes=(*raw.notes, Note(what)))
