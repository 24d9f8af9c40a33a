"""A folder or zip of pictures as one array: every decision is taken once, over all of them."""

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TypeVar

import numpy as np

from lowerbound.data.notes import Note, Tally
from lowerbound.data.raw import refuse_oversize
from lowerbound.data.read.axes import is_alpha
from lowerbound.data.read.files import Entry
from lowerbound.data.read.picture import (
    BrokenPicture,
    Header,
    Target,
    decode,
    fourth_band,
    quiet_decoders,
    read_header,
    span_of,
)
from lowerbound.data.reading import Intensity, Reading
from lowerbound.errors import DataError

T = TypeVar("T")
R = TypeVar("R")

LARGEST_UNIFORM, LARGEST_MIXED = 256, 64
LEAST_SHORT, MOST_LONG = 16, 1024
MOST_LEVELS = 4096
SEEN = 64
HOW = "--image-size HxW (image_size=(H, W)) chooses another size"


@dataclass(frozen=True)
class Plan:
    """How the pictures of a source become examples.

    Args:
        files: Each with its pages that are read.
        target: Kind of picture that each page becomes, its size known.
        levels: How many levels the cells have; None for bytes and reals.
        reading: The options, with the decisions that were taken.
        notes: Decisions of reading.
    """

    files: tuple[tuple[Entry, range], ...]
    target: Target
    levels: int | None
    reading: Reading
    notes: tuple[Note, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of an example, `(C, H, W)`."""
        count = len(self.files[0][1]) if self.reading.pages == "channels" else 1
        height, width = self.target.size or (1, 1)
        return count * self.target.channels, height, width

    def names(self, file: tuple[Entry, range]) -> list[str]:
        """Name the examples of a file: by it, and by the page where it has several."""
        entry, pages = file
        name = entry.name.encode("utf-8", "replace").decode()
        if self.reading.pages == "examples" and len(pages) > 1:
            return [f"{name}#{page + 1}" for page in pages]
        return [name]

    def decode(self, file: tuple[Entry, range]) -> tuple[np.ndarray, set[str]]:
        """Decode the examples of a file, `(N, C, H, W)`."""
        pixels, done = decode(*file, self.target)
        if self.reading.pages == "channels":
            pixels = pixels.reshape(1, *self.shape)
        return pixels, done


def plan_pictures(entries: list[Entry], options: Reading, tally: Tally, where: str) -> Plan:
    """Decide size, channels, pages and intensity over all pictures of a source.

    Raises:
        DataError: None of them can be read, or their pages differ.
    """
    headers: dict[Entry, Header] = {}
    for entry, found in _each(entries, read_header):
        if isinstance(found, BrokenPicture):
            tally.add(f"files skipped: {found}", entry.name)
        else:
            headers[entry] = found
    if not headers:
        raise _none(tally, where)
    notes: list[Note] = []
    size = _size(headers.values(), options.image_size, notes)
    files, options = _pages(headers, options, where, notes)
    options = replace(options, channels=_channels(headers, options, notes))
    target = Target(options.channels or 1, size, options.fit)
    wide = [file for file in files if headers[file[0]].wide]
    floats = any(headers[entry].wide == "F" for entry, _ in wide)
    levels = None
    if wide:
        target, levels, options = _intensity(
            wide, floats, len(wide) < len(files), target, options, notes
        )
    return Plan(files, target, levels, options, tuple(notes))


def read_pictures(plan: Plan, tally: Tally, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Decode every example of a plan that decodes.

    Returns:
        `(N, C, H, W)`, and what the examples are called.

    Raises:
        DataError: None decodes, or they do not fit in memory.
    """
    dtype = np.dtype(plan.target.dtype)
    count = sum(len(plan.names(file)) for file in plan.files)
    refuse_oversize(count * math.prod(plan.shape) * dtype.itemsize, where)
    values, names = np.empty((count, *plan.shape), dtype), []
    for file, found in _each(plan.files, plan.decode):
        if isinstance(found, BrokenPicture):
            tally.add(f"files skipped: {found}", file[0].name)
            continue
        pixels, done = found
        for what in sorted(done):
            tally.add(what, file[0].name)
        values[len(names) : len(names) + len(pixels)] = pixels
        names += plan.names(file)
    if not names:
        raise _none(tally, where)
    return values[: len(names)], tuple(names)


def limited(entries: list[Entry], limit: int | None) -> tuple[list[Entry], tuple[Note, ...]]:
    """Choose at most `limit` files by their names, in their order."""
    if limit is None or limit >= len(entries):
        return entries, ()
    note = Note(f"limited to {limit:,} of {len(entries):,} pictures, by name")

    def name_hash(entry: Entry) -> bytes:
        return blake2b(entry.name.encode("utf-8", "surrogateescape")).digest()

    chosen = sorted(entries, key=name_hash)[:limit]
    return sorted(chosen, key=lambda entry: entry.name), (note,)


def _none(tally: Tally, where: str) -> DataError:
    told = "; ".join(str(note) for note in tally.notes())
    return DataError(f"no picture of {where} can be read: {told}; give whole image files")


def _size(
    headers: Iterable[Header], image_size: tuple[int, ...] | None, notes: list[Note]
) -> tuple[int, int]:
    """Choose the `(H, W)` that pictures get: the one asked for, or one that suits most of them.

    Pictures of one size up to 256x256 keep it. Otherwise the most common size is taken, its long
    side shrunk to 64, or to less of a shrinking where the short one would fall below 16.
    """
    if image_size is not None:
        return image_size[0], image_size[1]
    sizes = Counter(header.size for header in headers)
    # ties go to the smaller picture, so that the choice does not depend on the order of files
    common = min(sizes, key=lambda size: (-sizes[size], size))
    most = LARGEST_UNIFORM if len(sizes) == 1 else LARGEST_MIXED
    long, short = max(common), min(common)
    scale = min(1, max(LARGEST_MIXED / long, min(LEAST_SHORT / short, MOST_LONG / long)))
    if long <= most or scale == 1:
        if len(sizes) > 1:
            notes.append(
                Note(f"images of {len(sizes)} sizes: the most common one was taken; {HOW}")
            )
        return common
    size = (max(1, round(common[0] * scale)), max(1, round(common[1] * scale)))
    text = f"images of {common[0]}x{common[1]} scaled down to {size[0]}x{size[1]}; {HOW}"
    notes.append(Note(text))
    return size


def _pages(
    headers: dict[Entry, Header], options: Reading, where: str, notes: list[Note]
) -> tuple[tuple[tuple[Entry, range], ...], Reading]:
    """Choose the pages of each file that are read."""
    counts = Counter(header.pages for header in headers.values())
    most, choice = max(counts), options.pages
    if choice is None and most > 1 and len(headers) == 1:
        choice = "examples"
        other = "--pages first|channels (pages='first') reads them otherwise"
        notes.append(Note(f"{most} pages of one file are read as examples; {other}"))
    elif choice is None and most > 1:
        choice = "first"
        text = f"files of up to {most} pages: the first page was taken; --pages examples|channels "
        many = len(headers) - counts[1]
        notes.append(Note(f"{text}(pages='examples') reads all", many))
    if choice == "channels" and len(counts) > 1:
        common, _ = counts.most_common(1)[0]
        raise DataError(
            f"pages as channels need one number of pages, and files of {where} have "
            f"{', '.join(map(str, sorted(counts)[:5]))}; most have {common}: leave the others out"
        )
    all_of_them = choice in ("examples", "channels")
    read = {count: range(count if all_of_them else 1) for count in counts}
    files = tuple((entry, read[header.pages]) for entry, header in headers.items())
    return files, replace(options, pages=choice)


def _channels(headers: dict[Entry, Header], options: Reading, notes: list[Note]) -> int:
    """Choose the channels of a page, and whether the fourth band of TIFFs is one."""
    if options.channels is not None:
        if options.channels not in (1, 2, 3, 4):
            raise DataError(
                f"picture files have 1 to 4 channels, not {options.channels}; give an array "
                "(N, C, H, W) of them"
            )
        return options.channels
    if options.pages == "channels" or all(header.grey for header in headers.values()):
        return 1
    four = [entry for entry, header in headers.items() if header.fourth]
    if len(four) == len(headers):
        found = _each(four[:: max(1, len(four) // SEEN)], fourth_band)
        seen = [band for _, band in found if not isinstance(band, BrokenPicture)]
        if seen and not is_alpha(np.concatenate(seen), 255):
            text = "the fourth band of the TIFFs varies and is read as a channel, not as "
            notes.append(Note(f"{text}transparency; --channels 3 (channels=3) composites it"))
            return 4
    return 3


def _intensity(
    wide: list[tuple[Entry, range]],
    floats: bool,
    mixed: bool,
    target: Target,
    options: Reading,
    notes: list[Note],
) -> tuple[Target, int | None, Reading]:
    """Find one rule for the pixels of more than 8 bits, from the range of all of them."""
    choice, low, high = options.intensity, options.low, options.high
    if choice is None or (choice != "reals" and low is None):
        spans = [span for _, span in _each(wide, lambda file: span_of(*file))]
        found = [span for span in spans if not isinstance(span, BrokenPicture)]
        least = min((low for low, _ in found), default=0.0)
        most = max((high for _, high in found), default=255.0)
        choice, low, high, text = _scale(choice, least, most, floats, mixed)
        if text:
            what = "floats" if floats else "whole numbers"
            notes.append(Note(f"pixels hold {what} from {least:g} to {most:g}: {text}"))
    options = replace(options, intensity=choice, low=low, high=high)
    if choice == "bytes":
        return replace(target, low=low, high=high), None, options
    if choice == "reals" or high is None:
        return replace(target, dtype="float32"), None, replace(options, low=None, high=None)
    return replace(target, dtype="uint16"), int(high) + 1, options


def _scale(
    choice: Intensity | None, least: float, most: float, floats: bool, mixed: bool
) -> tuple[Intensity, float | None, float | None, str]:
    """Decide what becomes of pixels from `least` to `most`: how, by which numbers, and in words."""
    bits = max(8, int(most).bit_length()) if most >= 0 else 8
    full = float(2**bits - 1)
    if choice == "levels":
        if floats or least < 0 or bits > 16:
            raise DataError(
                f"pixels hold {'floats' if floats else 'whole numbers'} from {least:g} to "
                f"{most:g}: not levels 0 to 65535; --intensity bytes or reals reads them"
            )
        return choice, 0.0, full, ""
    if choice is None and (floats or least < 0) and not mixed:
        how = "--intensity bytes (intensity='bytes') scales them to 0..255"
        return "reals", None, None, f"kept as reals; {how}"
    if choice is None and not mixed and 255 < most < MOST_LEVELS:
        how = "--intensity bytes|reals (intensity='bytes') reads them otherwise"
        return "levels", 0.0, full, f"kept as {bits}-bit levels; {how}"
    low, high = (0.0, full) if least >= 0 and not floats else (least, max(most, least + 1e-30))
    if floats and least >= 0 and most <= 1:
        low, high = 0.0, 1.0
    how = f"{low:g} is 0 and {high:g} is 255, in all; --intensity levels|reals keeps them"
    return "bytes", low, high, f"scaled to bytes, {how}"


def _each(items: Iterable[T], work: Callable[[T], R]) -> Iterator[tuple[T, R | BrokenPicture]]:
    """Pair each item with what `work` made of it, or with the `BrokenPicture` that it raised."""

    def attempt(item: T) -> R | BrokenPicture:
        try:
            return work(item)
        except BrokenPicture as error:
            return error

    items = list(items)
    # decoders release the interpreter's lock; map keeps the order
    with quiet_decoders(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        yield from zip(items, pool.map(attempt, items), strict=True)
