"""Files of a folder or of a zip or tar archive, named alike and read alike."""

import gzip
import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

import numpy as np

from lowerbound.data.raw import TEST, TRAIN, VALIDATION, refuse_oversize
from lowerbound.errors import DataError

TEXT = (".csv", ".tsv", ".txt", ".dat")
COLUMNS = (".parquet", ".pq", ".feather", ".arrow", ".ipc")
RECORDS = (".jsonl", ".ndjson", ".json")
PARTS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("valid", "val", "validation", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing"), TEST),
}


@dataclass(frozen=True)
class Entry:
    """One file.

    Args:
        name: Its path below the folder or within the archive, with slashes.
        path: The file itself, or the archive.
        archive: The open archive; None for a file of a folder.
    """

    name: str
    path: Path
    archive: "zipfile.ZipFile | Tar | None" = None

    @property
    def suffix(self) -> str:
        """The ending of the name in lower case, without that of gzip."""
        plain = self.name[:-3] if self.name.lower().endswith(".gz") else self.name
        return PurePosixPath(plain).suffix.lower()

    @property
    def size(self) -> int:
        """Bytes as they lie on disk, or unpacked from the archive."""
        if self.archive is None:
            return self.path.stat().st_size
        return self.archive.getinfo(self.name).file_size

    def open(self) -> IO[bytes]:
        """Open the file, unpacked and seekable.

        Raises:
            DataError: The archive is broken.
        """
        if self.archive is not None:
            return io.BytesIO(self.content())
        with self.path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        return cast(IO[bytes], gzip.open(self.path)) if packed else self.path.open("rb")

    def content(self) -> bytes:
        """Read the whole file, unpacked.

        Raises:
            DataError: It is broken, or unpacks to more than memory is for.
        """
        where = repr(PurePosixPath(self.name).name)
        try:
            if self.archive is not None:
                refuse_false_claim(self.archive.getinfo(self.name), where)
                found = self.archive.read(self.name)
            else:
                refuse_oversize(self.size, where)
                found = self.path.read_bytes()
            if found[:2] == b"\x1f\x8b":
                from lowerbound.data.raw import MOST_BYTES

                with gzip.open(io.BytesIO(found)) as stream:
                    found = stream.read(MOST_BYTES // 4 + 1)  # a table takes several times more
                refuse_oversize(4 * len(found), where)
            return found
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise DataError(f"cannot read {where}: {first_line(error)}; make it again") from error


def entries_of(path: Path) -> list[Entry]:
    """List the plain files below a folder or within a zip or tar archive, sorted by name.

    Hidden files are passed over, and each folder is entered once, so that a loop of links ends.
    Of a folder of tar archives all members are listed, one archive after the other.

    Raises:
        DataError: The archive is broken.
    """
    if path.is_dir():
        files = sorted(_walk(path, set()))
        if files and all(file.suffix.lower() == ".tar" for file in files):
            return [entry for file in files for entry in entries_of(file)]
        return [Entry(file.relative_to(path).as_posix(), file) for file in files]
    kind = path.suffix.lower()[1:]
    try:
        archive = Tar(path) if kind == "tar" else zipfile.ZipFile(path)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, ValueError, RuntimeError) as error:
        raise DataError(
            f"cannot read {path.name!r}: {first_line(error)}; {kind} it again"
        ) from error
    files = [name for name in archive.namelist() if not name.endswith("/")]
    shown = [name for name in files if not any(map(_hidden, PurePosixPath(name).parts))]
    return [Entry(name, path, archive) for name in sorted(shown)]


class Tar:
    """Plain files of a tar archive, read by position from any thread, as of a zip archive."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with tarfile.open(path, "r:") as archive:
            self.members = {one.name: one for one in archive if one.isreg() and not one.sparse}

    def namelist(self) -> list[str]:
        return list(self.members)

    def getinfo(self, name: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name)
        info.file_size = info.compress_size = self.members[name].size
        return info

    def read(self, name: str) -> bytes:
        member = self.members[name]
        with self.path.open("rb") as file:
            file.seek(member.offset_data)
            content = file.read(member.size)
        if len(content) < member.size:
            raise EOFError(f"{name} ends too early")
        return content


def refuse_false_claim(info: zipfile.ZipInfo, where: str, *, memory: bool = True) -> None:
    """Raise a `DataError` for a member larger than its bytes can hold, or, if asked, memory."""
    if info.file_size > 1100 * info.compress_size + 1024:  # deflate cannot exceed 1032:1
        raise DataError(
            f"{where} claims {info.file_size} bytes from {info.compress_size}: it is broken"
        )
    if memory:
        refuse_oversize(info.file_size, where)


def classes_of(
    names: Sequence[str],
) -> tuple[np.ndarray | None, np.ndarray | None, tuple[str, ...] | None]:
    """Tell parts and classes from the names of sub-folders.

    Args:
        names: Paths of the examples' files below the folder.

    Returns:
        Int8 parts `(N,)`, int64 classes `(N,)` and what these are called; None where the names do
        not say it.
    """
    trails = [PurePosixPath(name).parts[:-1] for name in names]
    part = None
    if all(trail and trail[0].lower() in PARTS for trail in trails):
        part = np.array([PARTS[trail[0].lower()] for trail in trails], np.int8)
        trails = [trail[1:] for trail in trails]
        if TRAIN not in part or len(set(part)) == 1:
            part = None
    known = tuple(sorted({trail[0] for trail in trails if trail}))
    if len(known) < 2 or not all(trails):
        return part, None, None
    number = {name: i for i, name in enumerate(known)}
    return part, np.array([number[trail[0]] for trail in trails], np.int64), known


def first_line(error: BaseException) -> str:
    """Take the first line of an error's text, or its name."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if _hidden(entry.name):
                continue
            if entry.is_dir():
                yield from _walk(Path(entry.path), seen)
            elif entry.is_file():  # no pipes, no devices: opening one would wait for ever
                yield Path(entry.path)
