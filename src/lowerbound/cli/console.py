"""Printing: results on stdout, all else on stderr, text from outside made harmless."""

import json
import math
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


#: True if this process prints nothing but why it failed.
_muted = False


def mute() -> None:
    """Print nothing from here on but what `complain` is given: another process prints."""
    global _muted
    _muted = True


def clean(text: object) -> str:
    """Escape every control, bidirectional or otherwise unprintable character.

    Example:
        >>> clean("a" + chr(27) + "[31mb") == "a" + chr(92) + "x1b[31mb"
        True
    """
    return "".join(
        letter
        if letter.isprintable()
        else letter.encode("unicode_escape", "backslashreplace").decode()
        for letter in str(text)
    )


def say(text: object = "") -> None:
    """Print lines of a result on stdout."""
    _echo(text, err=False)


def tell(text: object = "") -> None:
    """Print lines about the course of things on stderr."""
    _echo(text, err=True)


def wrapped(text: object, *, stderr: bool = False) -> str:
    """Break a sentence between words at the width of the terminal; elsewhere leave it."""
    stream = sys.stderr if stderr else sys.stdout
    if not stream.isatty():
        return str(text)
    width = shutil.get_terminal_size().columns
    return textwrap.fill(str(text), max(width - 1, 20), break_on_hyphens=False)


def paragraph(text: object) -> None:
    """Print sentences of a result on stdout, in lines of at most 79 letters."""
    width = min(shutil.get_terminal_size().columns - 1, 79) if sys.stdout.isatty() else 79
    say(textwrap.fill(str(text), max(width, 20), break_on_hyphens=False))


def warn(text: object) -> None:
    """Print one line on stderr about something that may be wrong."""
    tell(f"warning: {_one_line(text)}")


def complain(text: object) -> None:
    """Print the one line on stderr that says why a command failed."""
    with suppress(OSError, ValueError):
        typer.echo(clean(f"error: {_one_line(text)}"), err=True)


def say_json(value: Mapping[str, Any] | list[Any]) -> None:
    """Print one JSON document on stdout; numbers that JSON does not have become null."""
    if _muted:
        return
    typer.echo(json.dumps(_finite(value), indent=1, allow_nan=False, ensure_ascii=True))


def show(thing: "RenderableType") -> None:
    """Print anything that rich can draw on stdout."""
    if _muted:
        return
    screen = console()
    with screen.capture() as drawn:
        screen.print(thing)
    for line in drawn.get().rstrip("\n").split("\n"):
        typer.echo(line.rstrip())


def console(*, stderr: bool = False) -> "Console":
    """Make a rich console that takes no string for markup."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


class Work:
    """Progress of a piece of work: called with (done, in all); `rename` gives it a new name."""

    def __init__(self, what: str, update: Callable[[str], None] = lambda text: None) -> None:
        self.what, self._update = what, update

    def __call__(self, done: int, total: int) -> None:
        self._update(f"{self.what}  {done / max(total, 1):.0%}")

    def stage(self, what: str, done: int, total: int) -> None:
        """Tell how far a stage of it is."""
        self._update(f"{self.what}: {what}  {f'{done / total:.0%}' if total else f'{done:,}'}")

    def rename(self, what: str) -> None:
        """Begin another stage."""
        self.what = what
        self._update(what)


@contextmanager
def working(what: str, *, quiet: bool = False) -> Iterator[Work]:
    """Turn a spinner on stderr while something takes time, where stderr is a terminal."""
    screen = console(stderr=True)
    if quiet or _muted or not screen.is_terminal:
        yield Work(what)
        return
    from rich.text import Text

    with screen.status(Text(what), refresh_per_second=5) as status:
        yield Work(what, lambda text: status.update(Text(text)))


def prepare_streams() -> None:
    """Escape characters that a stream's encoding lacks, instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def leave_the_pipe() -> int:
    """Be silent when nobody reads stdout any more, as any tool before `| head` is."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
    return 141


def _echo(text: object, *, err: bool) -> None:
    if _muted:
        return
    for line in str(text).split("\n"):
        typer.echo(clean(line), err=err)


def _one_line(text: object) -> str:
    return " ".join(str(text).split("\n"))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value
