"""One process at a time writes a run."""

import os
from contextlib import suppress
from pathlib import Path

from lowerbound.errors import OutputError
from lowerbound.runs.files import cannot_write

try:
    import fcntl
except ImportError:  # Windows has no such locks: there nothing is held
    fcntl = None  # type: ignore[assignment]

#: The name of the file that is locked, inside the run.
NAME = ".lock"


class Lock:
    """A lock held by the process that writes a run, until it lets go or ends in whatever way."""

    def __init__(self, directory: Path) -> None:
        self._file: int | None = None
        if fcntl is None:
            return
        self._path = directory / NAME
        for last in (False, False, True):
            file = _locked(self._path)
            # who held it may have let go, and deleted it, while this process was opening it:
            # then a third could lock a new file of the same name
            if last or _is(file, self._path):  # some file systems cannot tell
                self._file = file
                break
            os.close(file)

    def release(self, directory: Path | None = None) -> None:
        """Let go, also twice; `directory` is where the run is now, if it was moved."""
        if self._file is None:
            return
        with suppress(OSError):
            (self._path if directory is None else directory / NAME).unlink()
        os.close(self._file)
        self._file = None


def _locked(path: Path) -> int:
    """Open and lock a file."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(file)
        raise _held(path.parent) from error
    except OSError:  # some file systems know no locks: nothing is held there
        pass
    return file


def _is(file: int, path: Path) -> bool:
    """Tell whether an open file is the one that has this name now."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except OSError:
        return False


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
