"""What is printed: results on stdout, all else on stderr, text from outside made harmless."""

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


#: Whether nothing but results of its own failure is for this process to print.
_muted = False


def mute() -> None:
    """Print nothing from here on but what `complain` is given: another process prints."""
    global _muted
    _muted = True


def clean(text: object) -> str:
    """The text with every control, bidirectional or otherwise unprintable character escaped.

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
    """Lines of a result, on stdout."""
    _echo(text, err=False)


def tell(text: object = "") -> None:
    """Lines about what is going on, on stderr."""
    _echo(text, err=True)


def wrapped(text: object, *, stderr: bool = False) -> str:
    """A sentence broken between words at the width of the terminal, unbroken elsewhere."""
    stream = sys.stderr if stderr else sys.stdout
    if not stream.isatty():
        return str(text)
    width = shutil.get_terminal_size().columns
    return textwrap.fill(str(text), max(width - 1, 20), break_on_hyphens=False)


def paragraph(text: object) -> None:
    """Sentences of a result, on stdout, broken between words: at most 79 letters a line."""
    width = min(shutil.get_terminal_size().columns - 1, 79) if sys.stdout.isatty() else 79
    say(textwrap.fill(str(text), max(width, 20), break_on_hyphens=False))


def warn(text: object) -> None:
    """One line on stderr about something that may be wrong."""
    tell(f"warning: {_one_line(text)}")


def complain(text: object) -> None:
    """The one line on stderr that says why a command failed."""
    with suppress(OSError, ValueError):
        typer.echo(clean(f"error: {_one_line(text)}"), err=True)


def say_json(value: Mapping[str, Any] | list[Any]) -> None:
    """One JSON document on stdout; numbers that JSON does not have become null."""
    if _muted:
        return
    typer.echo(json.dumps(_finite(value), indent=1, allow_nan=False, ensure_ascii=True))


def show(thing: "RenderableType") -> None:
    """Anything that rich can draw, on stdout."""
    if _muted:
        return
    screen = console()
    with screen.capture() as drawn:
        screen.print(thing)
    for line in drawn.get().rstrip("\n").split("\n"):
        typer.echo(line.rstrip())


def console(*, stderr: bool = False) -> "Console":
    """A rich console that takes no string for markup."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


class Work:
    """How far a piece of work is: called with (done, in all); `rename` says what it is now."""

    def __init__(self, what: str, update: Callable[[str], None] = lambda text: None) -> None:
        self.what, self._update = what, update

    def __call__(self, done: int, total: int) -> None:
        self._update(f"{self.what}  {done / max(total, 1):.0%}")

    def stage(self, what: str, done: int, total: int) -> None:
        """So far is a stage that has a name of its own."""
        self._update(f"{self.what}: {what}  {f'{done / total:.0%}' if total else f'{done:,}'}")

    def rename(self, what: str) -> None:
        """Another stage begins."""
        self.what = what
        self._update(what)


@contextmanager
def working(what: str, *, quiet: bool = False) -> Iterator[Work]:
    """A spinner on stderr while something takes time, where stderr is a terminal.

    Yields:
        What to call with (done, in all).
    """
    screen = console(stderr=True)
    if quiet or _muted or not screen.is_terminal:
        yield Work(what)
        return
    from rich.text import Text

    with screen.status(Text(what), refresh_per_second=5) as status:
        yield Work(what, lambda text: status.update(Text(text)))


def prepare_streams() -> None:
    """A character that a stream's encoding lacks is escaped instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def leave_the_pipe() -> int:
    """Nobody reads stdout any more: be silent, as any tool before `| head` is."""
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
