"""One picture file: what it says of itself, and the pixels of one of its pages."""

import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from lowerbound.data.read.files import Entry

FORMATS = (
    "PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "ICO",
    "JPEG2000", "AVIF", "QOI",
)  # fmt: skip
"""Formats that are opened. EPS and PDF are not among them: decoding them starts another program."""

MOST_PIXELS = 178_000_000
"""A picture of more pixels is skipped before its pixels are decoded."""

LARGE = 2**24
"""Pictures of more pixels are decoded one at a time: several at once would fill the memory."""

GREY = ("1", "L", "LA", "La", "I", "F")
TRANSPARENT = ("LA", "La", "PA", "RGBA", "RGBa")
TURNED = (5, 6, 7, 8)
ORIENTATION = 0x0112
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_ONE_AT_A_TIME = threading.Lock()


class BrokenPicture(Exception):
    """A file that does not decode; the message says why."""


class Header(NamedTuple):
    """Facts that a picture tells before it is decoded."""

    size: tuple[int, int]  # (H, W) after EXIF orientation
    grey: bool
    pages: int
    wide: str  # "I" for whole numbers of more than 8 bits, "F" for floats, "" for bytes
    fourth: bool  # a TIFF of four bands, whose fourth may be no transparency


@dataclass(frozen=True)
class Target:
    """Form that every picture of a source is turned into.

    Args:
        channels: 1 grey, 2 grey and another, 3 colour, 4 colour and another.
        size: `(H, W)`; None to leave the picture's own.
        fit: "crop", "pad" or "stretch".
        low: Number that becomes byte 0; None where pixels of more than 8 bits are not scaled.
        high: Number that becomes byte 255.
        dtype: Of the result: "uint8", "uint16" or "float32".
    """

    channels: int
    size: tuple[int, int] | None
    fit: str = "crop"
    low: float | None = None
    high: float | None = None
    dtype: str = "uint8"


def extensions() -> frozenset[str]:
    """List the file endings that are tried, in lower case, with their dots."""
    known = {*_formats(), "MPO"}  # MPO: opened as the JPEG that it is
    return frozenset(end for end, name in Image.EXTENSION.items() if name in known)


def _formats() -> tuple[str, ...]:
    """List the `FORMATS` that this build of Pillow decodes; it fails on a name that it lacks."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Silence Pillow's warnings of large pictures and odd metadata: both are judged here.

    To be used around a whole folder: the filters are the process's, and threads that change them
    under each other leave them changed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_header(entry: Entry) -> Header:
    """Read size, colour and pages of a picture, without decoding it."""
    with _opened(entry) as image:
        width, height = image.size
        return Header(
            (width, height) if _orientation(image) in TURNED else (height, width),
            image.mode in GREY or image.mode.startswith("I;16"),
            int(getattr(image, "n_frames", 1)),
            _wide(image),
            image.format == "TIFF" and image.mode in ("RGBA", "RGBX", "RGBa"),
        )


def span_of(entry: Entry, pages: range) -> tuple[float, float]:
    """Find the least and the greatest finite pixel of some pages."""
    low, high = np.inf, -np.inf
    with _decoding(entry) as image:
        for page in pages:
            image.seek(page)
            pixels = np.asarray(image)
            known = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
            if known.size:
                low, high = min(low, float(known.min())), max(high, float(known.max()))
    if low > high:
        raise BrokenPicture("not finite")
    return low, high


def fourth_band(entry: Entry) -> np.ndarray:
    """Decode the fourth band of a picture, flat."""
    with _decoding(entry) as image:
        return np.asarray(image)[..., 3].ravel()


def decode(entry: Entry, pages: range, target: Target) -> tuple[np.ndarray, set[str]]:
    """Decode some pages of a picture, counted from 0, and fit them to the others.

    Transparency is composited on white where no channel keeps it; another size is reached with
    antialiasing.

    Returns:
        `(pages, C, H, W)`, and what was converted, such as "images grey: read as colour".

    Raises:
        BrokenPicture: One of them does not decode.
    """
    done: set[str] = set()
    found = []
    with _decoding(entry, target.size) as image:
        for page in pages:
            image.seek(page)
            found.append(np.atleast_3d(np.asarray(_converted(image, target, done))))
    pixels = np.stack(found).transpose(0, 3, 1, 2)
    if target.dtype != "float32" and pixels.dtype.kind == "f":
        pixels = np.clip(np.round(pixels), 0, np.iinfo(target.dtype).max)
    return pixels.astype(target.dtype, copy=False), done


def _converted(image: Image.Image, target: Target, done: set[str]) -> Image.Image:
    if _orientation(image) not in (None, 1):
        image = ImageOps.exif_transpose(image)
        done.add("images turned as their EXIF data says")
    if _wide(image):
        image = _scaled(image, target)
    elif image.mode == "1":
        image = image.convert("L")
    image = _colours(image, target, done)
    if target.size is not None and image.size != target.size[::-1]:
        image = _fitted(image, target, done)
    return image


@contextmanager
def _decoding(entry: Entry, size: tuple[int, int] | None = None) -> Iterator[Image.Image]:
    """Open a picture, its first page decoded."""
    with _opened(entry) as image:
        large = image.width * image.height > LARGE
        with _ONE_AT_A_TIME if large else nullcontext():
            if size is not None and image.format == "JPEG":
                # decoded at 1/2, 1/4 or 1/8 where that leaves twice the pixels that are wanted
                share = 2 * max(max(size) / min(image.size), 1 / 8)
                width, height = (math.ceil(side * share) for side in image.size)
                image.draft(image.mode, (width, height))
            image.load()
            yield image


@contextmanager
def _opened(entry: Entry) -> Iterator[Image.Image]:
    """Open a picture; whatever goes wrong within is a `BrokenPicture`."""
    source = entry.path if entry.archive is None else entry.open()
    try:
        with Image.open(source, formats=_formats()) as image:
            pixels = image.width * image.height
            if pixels > MOST_PIXELS:
                raise Image.DecompressionBombError
            # a bit a pixel, and deflate cannot exceed 1032:1: a false claim allocates nothing
            deflated = image.format in ("PNG", "TIFF", "BMP")
            if deflated and pixels > max(LARGE, entry.size * 8800):
                raise BrokenPicture("broken")
            yield image
    except BrokenPicture:
        raise
    except Image.DecompressionBombError as error:
        raise BrokenPicture(f"over {MOST_PIXELS:,} pixels") from error
    except UnidentifiedImageError as error:
        raise BrokenPicture("broken") from error
    except Exception as error:  # decoders raise anything at all on hostile files
        raise BrokenPicture("truncated" if "truncated" in str(error) else "broken") from error


def _wide(image: Image.Image) -> str:
    if image.mode == "I" or image.mode.startswith("I;16"):
        return "I"
    return "F" if image.mode == "F" else ""


def _orientation(image: Image.Image) -> int | None:
    try:
        return image.getexif().get(ORIENTATION)
    except Exception:  # broken EXIF says nothing about the pixels
        return None


def _scaled(image: Image.Image, target: Target) -> Image.Image:
    """Make floats of pixels of more than 8 bits, scaled by the rule of the whole source if any."""
    values = np.asarray(image).astype(np.float32 if image.mode == "F" else np.float64)
    if target.low is not None and target.high is not None:
        values = np.clip((values - target.low) * (255 / (target.high - target.low)), 0, 255)
    if not np.isfinite(values).all() and target.size not in (None, values.shape):
        raise BrokenPicture("not finite")
    return Image.fromarray(values.astype(np.float32))


def _colours(image: Image.Image, target: Target, done: set[str]) -> Image.Image:
    """Drop palette, transparency and print colours; make as many channels as are wanted."""
    if image.mode == "F":
        if target.channels > 1:
            done.add("images grey: read as colour")
            image = Image.fromarray(np.clip(np.asarray(image), 0, 255).astype(np.uint8))
        return image if target.channels == 1 else image.convert(MODES[target.channels])
    clear = image.mode in TRANSPARENT or "transparency" in image.info
    if clear and target.channels in (1, 3):
        done.add("images composited on white: they had an alpha channel")
        grey = image.mode in ("L", "LA", "La")
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image).convert("L" if grey else "RGB")
    elif image.mode == "P":
        done.add("images with a palette: read as colour")
        image = image.convert("RGBA" if clear else "RGB")
    elif image.mode not in ("L", "RGB", *TRANSPARENT):
        if image.mode == "RGBX" and target.channels == 4:
            return image
        done.add(f"images {image.mode}: converted to RGB")
        image = image.convert("RGB")
    mode = MODES[target.channels]
    if image.mode != mode:
        to = {1: "grey", 3: "colour"}.get(target.channels, f"{target.channels} channels")
        done.add(f"images {'grey' if image.mode in GREY else 'colour'}: read as {to}")
        image = image.convert(mode)
    return image


def _fitted(image: Image.Image, target: Target, done: set[str]) -> Image.Image:
    height, width = target.size or (1, 1)
    same = abs(image.width * height - image.height * width) < max(image.size)
    how = {"crop": "cut around their centre", "pad": "padded", "stretch": "stretched"}[target.fit]
    done.add(f"images resized to {height}x{width}" + ("" if same else f", {how}"))
    resize = {"crop": ImageOps.fit, "pad": ImageOps.pad, "stretch": Image.Image.resize}[target.fit]
    return resize(image, (width, height), Image.Resampling.LANCZOS)
