"""Options that say how data are read: those of `lowerbound.data.reading`, for every command."""

import functools
import inspect
import re
from collections.abc import Callable
from inspect import Parameter
from typing import Annotated, Any

from lowerbound.cli.common import option
from lowerbound.errors import SettingError

#: Name, type, place holder and help of each option.
_OPTIONS: tuple[tuple[str, Any, str | None, str], ...] = (
    ("binarize", bool, None, "Make every value 0 or 1, cut at half of its range."),
    ("binarize-dynamic", bool, None,
     "Draw every value 0 or 1, its grey level the chance: anew each time in training."),
    ("image-size", str, "HxW", "Fit picture files to this size."),
    ("fit", str, "HOW", "crop, pad or stretch pictures of other sizes."),
    ("pages", str, "HOW", "Of pictures with pages: first, examples or channels."),
    ("channels", int, "N", "Of pictures: 1 grey, 3 colour, 4 all bands."),
    ("intensity", str, "HOW", "Of deep pixels: bytes, LOW:HIGH, levels or reals."),
    ("axes", str, "AXES", "Of an array: hw, chw, hwc, tc, ct, flat, or roll (piano rolls)."),
    ("files", str, "HOW", "Of a folder of arrays: examples or rows."),
    ("header/--no-header", bool | None, None, "Whether the first row names the columns."),
    ("decimal", str, "SIGN", "Of numbers in text: . or ,"),
    ("row-names", str, "COLUMN", "That names the rows; none for none."),
    ("gaps", list[str], "COLUMN=CODE", "Missing where so; may be repeated."),
    ("column", list[str], "NAME=KIND",
     "A column's kind, date:%d.%m.%Y, id, text or skip; may be repeated."),
    ("condition", str, "NAME", "What the model is told: class, of folders; a column."),
    ("most-genes", int, "N", "Of single cells: how many genes are kept; 2000 if left out."),
    ("longest", int, "N", "Of texts, bytes; of tunes, sixteenths: longer ones are left out."),
    ("bars", int, "N", "Of music: bars of a window; 2 if left out."),
    ("transpose/--no-transpose", bool | None, None,
     "Whether a training moves tunes by some semitones."),
    ("time", str, "COLUMN", "Of times, in a table whose rows are steps of recordings."),
    ("id", str, "COLUMN", "That tells the devices of recordings apart."),
    ("window", int, "STEPS", "Recordings are cut into windows of so many steps."),
    ("stride", int, "STEPS", "From one window to the next; half a window if left out."),
)  # fmt: skip
#: Options of new data for a run, which is otherwise read as that of its training.
_NEW = (
    *(one for one in _OPTIONS if one[0] in ("gaps", "column")),
    ("allow-missing", bool, None, "Columns of the model that DATA lacks are all gaps."),
)

Command = Callable[..., None]


def reads_data(command: Command) -> Command:
    """Give a command the options of reading, in place of its parameter `reading`."""
    return _with_options(command, _OPTIONS)


def reads_new_data(command: Command) -> Command:
    """Give a command the options of reading new data for a run, in place of `reading`."""
    return _with_options(command, _NEW)


def _with_options(
    command: Command, options: tuple[tuple[str, Any, str | None, str], ...]
) -> Command:
    more = {
        (key := name.partition("/")[0].replace("-", "_")): Parameter(
            key,
            Parameter.KEYWORD_ONLY,
            default=False if kind is bool else None,
            annotation=Annotated[
                kind if kind is bool else kind | None, option(f"--{name}", metavar, help)
            ],
        )
        for name, kind, metavar, help in options
    }
    own = inspect.signature(command)
    at = list(own.parameters).index("reading")
    parameters = list(own.parameters.values())
    parameters[at : at + 1] = more.values()
    parameters = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in parameters]

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        told = {name: given.pop(name) for name in more if name in given}
        command(**given, reading=_reading(**told))

    with_options.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    del with_options.__wrapped__  # the signature, not the command's
    return with_options


def _reading(
    *,
    binarize: bool = False,
    binarize_dynamic: bool = False,
    image_size: str | None = None,
    intensity: str | None = None,
    gaps: list[str] | None = None,
    column: list[str] | None = None,
    allow_missing: bool = False,
    **told: Any,
) -> dict[str, Any]:
    """Turn options as they were typed into arguments of `lowerbound.data.reading.reading`."""
    if binarize and binarize_dynamic:
        raise SettingError("--binarize and --binarize-dynamic exclude each other; give one of them")
    told["device"] = told.pop("id", None)
    if told.get("row_names") == "none":
        told["row_names"] = ""
    told |= {
        "binarize": "dynamic" if binarize_dynamic else binarize or None,
        "image_size": image_size_of(image_size),
        "gaps": _pairs(gaps, "--gaps a=9999") or None,
        "columns": {k: many[-1] for k, many in _pairs(column, "--column a=count").items()} or None,
        "allow_missing": allow_missing or None,
        **_intensity(intensity),
    }
    return {name: value for name, value in told.items() if value is not None}


def image_size_of(text: str | None) -> tuple[int, int] | None:
    """Read (height, width) from "HxW" or from one number for both."""
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
