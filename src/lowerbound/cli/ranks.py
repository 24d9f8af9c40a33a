"""A command that a launcher such as torchrun has started as several processes."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lowerbound.cli.console import mute

#: Commands whose work several processes share; of any other, process 0 does all.
SHARED = ("fit", "evaluate", "encode", "generate")


def several() -> bool:
    """Tell whether this process is one of several."""
    told = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    return all(name in os.environ for name in told) and os.environ["WORLD_SIZE"] != "1"


def restarted() -> bool:
    """Tell whether the launcher starts these processes anew, after one of them failed."""
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") not in ("", "0")


@contextmanager
def taking_part(arguments: Sequence[str]) -> Iterator[bool]:
    """Let all processes run a shared command together, and process 0 alone print.

    Yields True if this process is to run the command.
    """
    if not several():
        yield True
        return
    first = os.environ["RANK"] == "0"
    if not first:
        mute()
    command = next((word for word in arguments if not word.startswith("-")), "")
    if command not in SHARED or {"--help", "-h"} & set(arguments):
        yield first
        return
    from lowerbound.processes.launch import joined

    with joined():
        yield True


def where(error: BaseException) -> str | None:
    """Name the process that failed, for its error line; None if another failed first."""
    if getattr(error, "silent", False):
        return None
    rank = os.environ.get("RANK", "0")
    if not several() or rank == "0":
        return ""
    return f"process {rank} on {os.uname().nodename}: "
