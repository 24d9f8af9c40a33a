"""One picture file: what it says of itself, and its pixels as bytes."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps

FORMATS = (
    "PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "ICO",
    "JPEG2000", "AVIF", "QOI",
)  # fmt: skip
"""What is opened. EPS and PDF are not among them: decoding them starts another program."""

MOST_PIXELS = 2**26
"""A picture of more pixels is skipped before its pixels are decoded."""

GREY = ("1", "L", "LA", "La", "I", "F")
TURNED = (5, 6, 7, 8)
ORIENTATION = 0x0112


class BrokenPicture(Exception):
    """A file that does not decode; the message says why."""


@dataclass(frozen=True)
class Header:
    """What a picture says before it is decoded; the size is that after EXIF orientation."""

    height: int
    width: int
    grey: bool


def extensions() -> frozenset[str]:
    """The file endings that are tried, in lower case, with their dots."""
    known = {*_formats(), "MPO"}  # MPO: opened as the JPEG that it is
    return frozenset(end for end, name in Image.EXTENSION.items() if name in known)


def _formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this build of Pillow decodes; it fails on a name that it lacks."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Without Pillow's warnings of large pictures and odd metadata: both are judged here.

    Around a whole folder, not around each picture: the filters are the process's, and threads
    that change them under each other leave them changed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_header(path: Path | IO[bytes]) -> Header:
    """Size and colour of a picture, without decoding it.

    Raises:
        BrokenPicture: It is no picture, or too large.
    """
    try:
        with _open(path) as image:
            width, height = image.size
            if _orientation(image) in TURNED:
                width, height = height, width
            return Header(height, width, image.mode in GREY or image.mode.startswith("I;16"))
    except BrokenPicture:
        raise
    except Exception as error:  # decoders raise anything at all on hostile files
        raise BrokenPicture("broken") from error


def decode(
    path: Path | IO[bytes], channels: int, size: tuple[int, int]
) -> tuple[np.ndarray, list[str]]:
    """The pixels of a picture.

    A picture of another size is cropped around its centre to the wanted aspect, then resized with
    antialiasing. Transparency is composited on white.

    Args:
        path: The file, or one that is open.
        channels: 1 for grey, 3 for colour.
        size: `(H, W)`.

    Returns:
        uint8 `(channels, H, W)`, and what was converted, such as "images palette: read as colour".

    Raises:
        BrokenPicture: It does not decode.
    """
    done: list[str] = []
    try:
        with _open(path) as image:
            if getattr(image, "is_animated", False):
                done.append("images animated: the first frame was taken")
            image.load()
            if _orientation(image) not in (None, 1):
                image = ImageOps.exif_transpose(image)
                done.append("images turned as their EXIF data says")
            image = _flat(_eight_bit(image, done), done)
            mode = "L" if channels == 1 else "RGB"
            if image.mode != mode:
                done.append(
                    f"images {'colour: read as grey' if channels == 1 else 'grey: read as colour'}"
                )
                image = image.convert(mode)
            if image.size != (size[1], size[0]):
                done.append(f"images resized to {size[0]}x{size[1]}")
                image = ImageOps.fit(image, (size[1], size[0]), Image.Resampling.LANCZOS)
            pixels = np.asarray(image, dtype=np.uint8)
    except BrokenPicture:
        raise
    except OSError as error:
        raise BrokenPicture("truncated" if "truncated" in str(error) else "broken") from error
    except Exception as error:
        raise BrokenPicture("broken") from error
    return (pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)), done


def _open(path: Path | IO[bytes]) -> Image.Image:
    try:
        image = Image.open(path, formats=_formats())
    except Image.DecompressionBombError as error:
        raise BrokenPicture("too large") from error
    if image.width * image.height > MOST_PIXELS:
        image.close()
        raise BrokenPicture("too large")
    return image


def _orientation(image: Image.Image) -> int | None:
    try:
        return image.getexif().get(ORIENTATION)
    except Exception:  # broken EXIF says nothing about the pixels
        return None


def _eight_bit(image: Image.Image, done: list[str]) -> Image.Image:
    """16-bit, 32-bit and float pixels as bytes."""
    if image.mode == "1":
        return image.convert("L")
    if not (image.mode in ("I", "F") or image.mode.startswith("I;16")):
        return image
    values = np.asarray(image).astype(np.float64)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if not np.isfinite([low, high]).all():
        raise BrokenPicture("not finite")
    if image.mode == "F" and low >= 0 and high <= 1:
        scaled, what = values * 255, "float from 0 to 1: scaled to 8 bits"
    elif image.mode == "F" and low >= 0 and high <= 255:
        scaled, what = values, "float from 0 to 255: rounded to 8 bits"
    elif image.mode != "F" and low >= 0 and high <= 65535:
        scaled, what = values / 257, "16-bit: scaled to 8 bits"
    else:
        scaled = (values - low) * (255 / (high - low))
        what = "of an unusual range: each stretched to 8 bits"
    done.append(f"images {what}")
    return Image.fromarray(np.round(scaled).astype(np.uint8))


def _flat(image: Image.Image, done: list[str]) -> Image.Image:
    """Without palette, transparency or print colours: mode L or RGB."""
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        done.append("images composited on white: they had an alpha channel")
        grey = image.mode in ("L", "LA", "La")
        clear = image.convert("RGBA")
        white = Image.new("RGBA", clear.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, clear).convert("L" if grey else "RGB")
    if image.mode == "P":
        done.append("images with a palette: read as colour")
        return image.convert("RGB")
    if image.mode not in ("L", "RGB"):
        done.append(f"images {image.mode}: converted to RGB")
        return image.convert("RGB")
    return image
