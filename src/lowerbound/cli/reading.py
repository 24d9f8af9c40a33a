"""Options that say how data are read: those of `lowerbound.data.reading`, for every command."""

import functools
import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any

from lowerbound.cli.common import option
from lowerbound.errors import SettingError


def _options(
    binarize: Annotated[
        bool, option("--binarize", None, "Make every value 0 or 1, cut at half of its range.")
    ] = False,
    binarize_dynamic: Annotated[
        bool,
        option(
            "--binarize-dynamic",
            None,
            "Draw every value 0 or 1, its grey level the chance: anew each time in training.",
        ),
    ] = False,
    image_size: Annotated[
        str | None, option("--image-size", "HxW", "Fit picture files to this size.")
    ] = None,
    fit: Annotated[
        str | None, option("--fit", "HOW", "crop, pad or stretch pictures of other sizes.")
    ] = None,
    pages: Annotated[
        str | None, option("--pages", "HOW", "Of pictures with pages: first, examples or channels.")
    ] = None,
    channels: Annotated[
        int | None, option("--channels", "N", "Of pictures: 1 grey, 3 colour, 4 all bands.")
    ] = None,
    intensity: Annotated[
        str | None,
        option("--intensity", "HOW", "Of deep pixels: bytes, LOW:HIGH, levels or reals."),
    ] = None,
    axes: Annotated[
        str | None, option("--axes", "AXES", "Of an array: hw, chw, hwc, tc, ct or flat.")
    ] = None,
    files: Annotated[
        str | None, option("--files", "HOW", "Of a folder of arrays: examples or rows.")
    ] = None,
    header: Annotated[
        bool | None,
        option("--header/--no-header", None, "Whether the first row names the columns."),
    ] = None,
    decimal: Annotated[
        str | None, option("--decimal", "SIGN", "Of numbers in text: . or ,")
    ] = None,
    row_names: Annotated[
        str | None, option("--row-names", "COLUMN", "That names the rows; none for none.")
    ] = None,
    gaps: Annotated[
        list[str] | None, option("--gaps", "COLUMN=CODE", "Missing where so; may be repeated.")
    ] = None,
    kinds: Annotated[
        list[str] | None, option("--kinds", "COLUMN=KIND", "Of a column; may be repeated.")
    ] = None,
) -> dict[str, Any]:
    if binarize and binarize_dynamic:
        raise SettingError("--binarize and --binarize-dynamic exclude each other; give one of them")
    kinds_of = _pairs(kinds, "--kinds a=count")
    told: dict[str, Any] = {
        "binarize": "dynamic" if binarize_dynamic else binarize or None,
        "image_size": image_size_of(image_size),
        "fit": fit, "pages": pages, "channels": channels, "axes": axes, "files": files,
        "header": header, "decimal": decimal,
        "row_names": "" if row_names == "none" else row_names,
        "gaps": _pairs(gaps, "--gaps a=9999") or None,
        "kinds": {name: many[-1] for name, many in kinds_of.items()} or None,
        **_intensity(intensity),
    }  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}


SIGNATURE = inspect.signature(_options)


def reads_data(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of reading, in place of its parameter `reading`."""
    own = inspect.signature(command)
    at = list(own.parameters).index("reading")
    parameters = list(own.parameters.values())
    parameters[at : at + 1] = SIGNATURE.parameters.values()
    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        told = {name: given.pop(name) for name in SIGNATURE.parameters if name in given}
        command(**given, reading=_options(**told))

    with_options.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    del with_options.__wrapped__  # the signature, not the command's
    return with_options


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
