"""Options that say how data are read: those of `lowerbound.data.reading`, for every command."""

import functools
import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any

import typer

from lowerbound.errors import SettingError


def _options(
    binarize: Annotated[
        bool, typer.Option("--binarize", help="Make every value 0 or 1, cut at half of its range.")
    ] = False,
    binarize_dynamic: Annotated[
        bool,
        typer.Option(
            "--binarize-dynamic",
            help="Draw every value 0 or 1, its grey level the chance: anew each time in training.",
        ),
    ] = False,
    image_size: Annotated[
        str | None,
        typer.Option("--image-size", metavar="HxW", help="Fit picture files to this size."),
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option("--fit", metavar="HOW", help="crop, pad or stretch pictures of other sizes."),
    ] = None,
    pages: Annotated[
        str | None,
        typer.Option(
            "--pages", metavar="HOW", help="Of pictures with pages: first, examples or channels."
        ),
    ] = None,
    channels: Annotated[
        int | None,
        typer.Option("--channels", metavar="N", help="Of pictures: 1 grey, 3 colour, 4 all bands."),
    ] = None,
    intensity: Annotated[
        str | None,
        typer.Option(
            "--intensity", metavar="HOW", help="Of deep pixels: bytes, LOW:HIGH, levels or reals."
        ),
    ] = None,
    axes: Annotated[
        str | None,
        typer.Option("--axes", metavar="AXES", help="Of an array: hw, chw, hwc, tc, ct or flat."),
    ] = None,
    files: Annotated[
        str | None,
        typer.Option("--files", metavar="HOW", help="Of a folder of arrays: examples or rows."),
    ] = None,
    header: Annotated[
        bool | None,
        typer.Option("--header/--no-header", help="Whether the first row names the columns."),
    ] = None,
    decimal: Annotated[
        str | None, typer.Option("--decimal", metavar="SIGN", help="Of numbers in text: . or ,")
    ] = None,
    row_names: Annotated[
        str | None,
        typer.Option("--row-names", metavar="COLUMN", help="That names the rows; none for none."),
    ] = None,
    gaps: Annotated[
        list[str] | None,
        typer.Option("--gaps", metavar="COLUMN=CODE", help="Missing where so; may be repeated."),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="NAME=KIND",
            help="What a column is: a kind, date:%d.%m.%Y, id, text or skip; may be repeated.",
        ),
    ] = None,
) -> dict[str, Any]:
    if binarize and binarize_dynamic:
        raise SettingError("--binarize and --binarize-dynamic exclude each other; give one of them")
    columns = _pairs(column, "--column a=count")
    told: dict[str, Any] = {
        "binarize": "dynamic" if binarize_dynamic else binarize or None,
        "image_size": image_size_of(image_size),
        "fit": fit,
        "pages": pages,
        "channels": channels,
        "axes": axes,
        "files": files,
        "header": header,
        "decimal": decimal,
        "row_names": "" if row_names == "none" else row_names,
        "gaps": _pairs(gaps, "--gaps a=9999") or None,
        "columns": {name: many[-1] for name, many in columns.items()} or None,
        **_intensity(intensity),
    }
    return {name: value for name, value in told.items() if value is not None}


def _new_options(
    gaps: Annotated[
        list[str] | None,
        typer.Option("--gaps", metavar="COLUMN=CODE", help="Missing where so; may be repeated."),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="NAME=KIND", help="What a column is; may be repeated."),
    ] = None,
    allow_missing: Annotated[
        bool,
        typer.Option("--allow-missing", help="Columns of the model that DATA lacks are all gaps."),
    ] = False,
) -> dict[str, Any]:
    columns = _pairs(column, "--column a=count")
    told = {
        "gaps": _pairs(gaps, "--gaps a=9999"),
        "columns": {name: many[-1] for name, many in columns.items()},
        "allow_missing": allow_missing,
    }
    return {name: value for name, value in told.items() if value}


Command = Callable[..., None]


def reads_data(command: Command) -> Command:
    """Give a command the options of reading, in place of its parameter `reading`.

    Args:
        command: Takes `reading`, keyword arguments of `lowerbound.data.reading.reading`.
    """
    return _with_options(command, _options)


def reads_new_data(command: Command) -> Command:
    """Give a command the options of reading new data for a run, in place of `reading`.

    Args:
        command: Takes `reading`, keyword arguments of `lowerbound.cli.sources.read_for`.
    """
    return _with_options(command, _new_options)


def _with_options(command: Command, options: Callable[..., dict[str, Any]]) -> Command:
    own, more = inspect.signature(command), inspect.signature(options).parameters
    at = list(own.parameters).index("reading")
    parameters = list(own.parameters.values())
    parameters[at : at + 1] = more.values()
    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        told = {name: given.pop(name) for name in more if name in given}
        command(**given, reading=options(**told))

    with_options.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    del with_options.__wrapped__  # the signature, not the command's
    return with_options


def image_size_of(text: str | None) -> tuple[int, int] | None:
    """Read (height, width) from "HxW" or from one number for both.

    Raises:
        SettingError: It is neither.
    """
    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d{1,6})\s*(?:[xX×,]\s*(\d{1,6}))?\s*", text)
    sides = [int(side) for side in found.groups() if side] if found else []
    if not sides or min(sides) < 1:
        raise SettingError(f"--image-size is HxW, such as 32x32, got {text!r}")
    return sides[0], sides[-1]


def _intensity(text: str | None) -> dict[str, Any]:
    if text is None or ":" not in text:
        return {"intensity": text}
    low, _, high = text.partition(":")
    try:
        return {"intensity": "bytes", "low": float(low), "high": float(high)}
    except ValueError as error:
        raise SettingError(f"--intensity takes LOW:HIGH, such as 0:4095, got {text!r}") from error


def _pairs(texts: list[str] | None, example: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts or []:
        name, equals, value = text.rpartition("=")
        if not equals or not name:
            raise SettingError(f"{example.split()[0]} takes COLUMN=..., got {text!r}; {example}")
        found.setdefault(name, []).append(value)
    return found
