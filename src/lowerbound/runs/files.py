"""Writing a file so that it is either the old one or the new one, never half of each."""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO

from lowerbound.errors import OutputError


def write_atomically(path: Path, write: bytes | Callable[[BinaryIO], object]) -> None:
    """Write a file under a temporary name, flush it to the disk, and rename it.

    Args:
        path: Where; its directory must exist.
        write: The contents, or a function that writes them to an open binary file.

    Raises:
        OutputError: The place cannot be written or the disk is full; an old file is untouched.
    """
    temporary = None
    try:
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = file.name
            if callable(write):
                write(file)  # type: ignore[arg-type]
            else:
                file.write(write)
            file.flush()
            os.fsync(file.fileno())
        # a temporary file is private to its owner; a result has the permissions of any new file
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
        _flush_directory(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                os.unlink(temporary)


def cannot_write(path: Path, error: OSError) -> OutputError:
    """Say in one line why a file could not be written, and the remedy."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return OutputError(
            f"cannot write {path}: no space left; free some and try again (what was saved before "
            "is intact)"
        )
    why = (error.strerror or str(error)).lower()
    return OutputError(f"cannot write {path}: {why}; choose another place with --out")


def check_new(path: Path, *, force: bool = False) -> None:
    """Raise `OutputError` if writing to `path` would overwrite something, or cannot work.

    With `force` it may overwrite.
    """
    if os.path.lexists(path) and not force:
        raise OutputError(f"{path} exists; choose another name, or --force to overwrite it")
    parent = path.parent
    if not parent.is_dir():
        raise OutputError(f"cannot write {path}: {parent} is not a directory; create it first")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write {path}: {parent} is not writable; choose another place")


def _flush_directory(directory: Path) -> None:
    """Make a rename durable, where the system has such a thing."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
