"""One process at a time writes a run."""

import os
from contextlib import suppress
from pathlib import Path

from lowerbound.errors import OutputError
from lowerbound.storage.files import cannot_write

try:
    import fcntl
except ImportError:  # Windows has no such locks: there nothing is held
    fcntl = None  # type: ignore[assignment]

#: The name of the file that is locked, inside the run.
NAME = ".lock"


class Lock:
    """Held by the process that writes a run, until it lets go or ends in whatever way.

    Args:
        directory: Of the run; it exists.

    Raises:
        OutputError: Another process holds it, or the directory is not writable.
    """

    def __init__(self, directory: Path) -> None:
        self._file: int | None = None
        if fcntl is None:
            return
        path = directory / NAME
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise cannot_write(path, error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._file)
            self._file = None
            raise _held(directory) from error
        except OSError:  # some file systems know no locks: nothing is held there
            pass
        self._path = path

    def release(self, directory: Path | None = None) -> None:
        """Let go; it does no harm twice.

        Args:
            directory: Where the run is now, if it was moved.
        """
        if self._file is None:
            return
        with suppress(OSError):
            (self._path if directory is None else directory / NAME).unlink()
        os.close(self._file)
        self._file = None


def check_free(directory: Path) -> None:
    """Raise an `OutputError` if another process writes the run; nothing is made or held."""
    if fcntl is None:
        return
    try:
        file = os.open(directory / NAME, os.O_RDONLY)
    except OSError:
        return  # there is no lock, or none that could be read
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _held(directory) from error
    except OSError:
        pass
    finally:
        os.close(file)


def _held(directory: Path) -> OutputError:
    return OutputError(
        f"{directory} is being trained by another process; wait until it ends, or end it"
    )
