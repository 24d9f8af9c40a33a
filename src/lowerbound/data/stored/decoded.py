"""Pictures decoded once, by worker processes, into a file of rows that is kept."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lowerbound.data.notes import Note, Tally
from lowerbound.data.read.download import cache_folder
from lowerbound.data.stored.flat import Flat
from lowerbound.data.stored.rows import Span
from lowerbound.data.stored.store import Store, even_starts
from lowerbound.data.stored.workers import in_workers
from lowerbound.errors import DataError

#: Pictures in one piece of work.
AT_ONCE = 64
#: (file, name within it or "", where it begins, how many bytes; -1 for the whole file).
Picture = tuple[Path, str, int, int]


@dataclass(frozen=True)
class Kept:
    """Those rows of a flat file that hold something.

    Args:
        flat: All rows.
        span: Those that are kept.
    """

    flat: Flat
    span: Span

    @property
    def starts(self) -> np.ndarray:
        """Where blocks begin and the last one ends."""
        return even_starts(len(self.span), self.flat.row_bytes)

    @property
    def files(self) -> tuple[Path, ...]:
        """The file."""
        return self.flat.files

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows `start` to `stop - 1` of those kept."""
        if start >= stop:
            return self.flat.read(0, 0)
        first, last = self.span.rows(np.array([start, stop - 1])).tolist()
        rows = self.flat.read(first, last + 1)
        kept = self.span.kept(first, last + 1)
        return rows if kept.all() else rows[kept]

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Any rows of those kept."""
        return self.flat.take(self.span.rows(rows))


def decoded(
    where: str,
    pictures: list[Picture],
    shape: tuple[int, int, int],
    *,
    cache: Path | None = None,
    notes: tuple[Note, ...] = (),
) -> Store:
    """Pictures as rows of one shape, `(C, H, W)` bytes.

    They are decoded by as many processes as there are cores, into a file that is kept in the cache
    and found again as long as no picture changes; what was interrupted goes on. A picture that
    does not decode is skipped and counted.

    Args:
        where: What messages call the source.
        pictures: In their order.
        shape: `(C, H, W)`: they are cropped and resized to it.
        cache: Where to keep the file; a folder of the user's cache if None.
        notes: To go with it.

    Raises:
        DataError: No picture decodes, or the disk has no room.
    """
    if not pictures:
        told = "; ".join(str(note) for note in notes)
        raise DataError(f"no picture of {where} can be read: {told}; give whole image files")
    folder = cache or cache_folder("decoded") / _key(pictures, shape)
    size = len(pictures) * int(np.prod(shape))
    path = folder / "pixels"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            done = _progress(folder)
            if not (path.is_file() and path.stat().st_size == size):
                done = {}
                (folder / "done.jsonl").unlink(missing_ok=True)
                with path.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, size)
            _decode(pictures, shape, path, folder / "done.jsonl", done)
    except OSError as error:
        raise DataError(
            f"{where} takes {size / 2**30:.1f} GiB decoded, and {str(folder)!r} cannot hold them: "
            f"{error.strerror or error}; make room, set XDG_CACHE_HOME, or choose --image-size"
        ) from error
    tally, broken = Tally(), []
    for first in sorted(done):
        for row, what in done[first]:
            name = pictures[row][1] or pictures[row][0].name
            tally.add(what, name.encode("utf-8", "replace").decode())
            if what.startswith("files skipped"):
                broken.append(row)
    if len(broken) == len(pictures):
        told = "; ".join(str(note) for note in tally.notes())
        raise DataError(f"no picture of {where} can be read: {told}; give whole image files")
    flat = Flat(path, 0, len(pictures), shape, np.dtype(np.uint8))
    kept = Kept(flat, Span(0, len(pictures), np.array(sorted(broken), np.int64)))
    keeping = () if cache else (Note(f"decoded pictures are kept in {folder}"),)
    return Store(
        where, (kept,), shape, flat.dtype, pictures=True,
        notes=(*notes, *tally.notes(), *keeping),
    )  # fmt: skip


def kept_rows(store: Store) -> np.ndarray:
    """Which of the pictures that a store was decoded from are its rows, int64."""
    (piece,) = store.pieces
    if not isinstance(piece, Kept):
        return np.arange(len(store))
    return piece.span.rows(np.arange(len(piece.span)))


def _decode(
    pictures: list[Picture],
    shape: tuple[int, int, int],
    path: Path,
    record: Path,
    done: dict[int, list[tuple[int, str]]],
) -> None:
    """Decode what is not done yet; what is done is recorded line by line."""
    firsts = [first for first in range(0, len(pictures), AT_ONCE) if first not in done]
    jobs = (
        {
            "do": "decode",
            "pictures": [[os.fspath(p[0]), p[2], p[3]] for p in pictures[i : i + AT_ONCE]],
            "shape": shape,
            "out": os.fspath(path),
            "first": i,
        }
        for i in firsts
    )
    with record.open("a", encoding="utf-8") as lines:
        for first, answer in zip(firsts, in_workers(jobs, _one_by_one), strict=True):
            done[first] = [(int(row), str(what)) for row, what in answer["told"]]
            lines.write(json.dumps([first, done[first]]) + "\n")
            lines.flush()


def _one_by_one(job: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The pieces of a job whose worker died: one picture each; None if it was one already."""
    if len(job["pictures"]) == 1:
        return None
    return [
        {**job, "pictures": [picture], "first": job["first"] + i}
        for i, picture in enumerate(job["pictures"])
    ]


def _progress(folder: Path) -> dict[int, list[tuple[int, str]]]:
    found: dict[int, list[tuple[int, str]]] = {}
    try:
        for line in (folder / "done.jsonl").read_text("utf-8").splitlines():
            first, told = json.loads(line)
            found[int(first)] = [(int(row), str(what)) for row, what in told]
    except (OSError, ValueError, TypeError):
        pass  # a last line that was cut off: its pictures are decoded again
    return found


def _key(pictures: list[Picture], shape: tuple[int, int, int]) -> str:
    """A name for these pictures as they are now, at this size."""
    digest = hashlib.sha256(repr((shape, AT_ONCE)).encode())
    files: dict[Path, str] = {}
    for path, name, offset, size in pictures:
        if path not in files:
            status = path.stat()
            files[path] = f"{path.absolute()}|{status.st_size}|{status.st_mtime_ns}"
        digest.update(f"{files[path]}|{name}|{offset}|{size};".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:32]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process decodes into the same folder."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
