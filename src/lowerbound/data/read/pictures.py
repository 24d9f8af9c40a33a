"""A folder or zip of pictures as one array: every decision is taken once, over all of them."""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TypeVar

import numpy as np

from lowerbound.data.notes import Note, Tally
from lowerbound.data.raw import refuse_oversize
from lowerbound.data.read.axes import is_alpha
from lowerbound.data.read.files import Entry
from lowerbound.data.reading import Reading
from lowerbound.data.read.picture import (
    BrokenPicture,
    Header,
    Target,
    decode,
    quiet_decoders,
    raw_pixels,
    read_header,
)
from lowerbound.errors import DataError

T = TypeVar("T")

LARGEST_UNIFORM, LARGEST_MIXED = 256, 64
LEAST_SHORT, MOST_LONG = 16, 1024
MOST_LEVELS = 4096
SEEN = 64
HOW = "--image-size HxW (image_size=(H, W)) chooses another size"


@dataclass(frozen=True)
class Plan:
    """How the pictures of a source become examples.

    Args:
        pages: One example each: a file, and the page of it; None for all pages as channels.
        target: What each page is turned into, its size known.
        count: How many channels an example has.
        levels: How many levels the cells have; None for bytes and reals.
        reading: The options, with the decisions that were taken.
        notes: What was decided.
    """

    pages: tuple[tuple[Entry, int | None], ...]
    target: Target
    count: int
    levels: int | None
    reading: Reading
    notes: tuple[Note, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of an example, `(C, H, W)`."""
        return (self.count, *(self.target.size or (1, 1)))

    def name(self, place: int) -> str:
        """What the example at `place` is called: its file, and its page where it is one of many."""
        entry, page = self.pages[place]
        name = entry.name.encode("utf-8", "replace").decode()
        many = self.reading.pages == "examples" and page is not None
        return f"{name}#{page + 1}" if many else name

    def decode(self, place: int) -> tuple[np.ndarray | None, list[str]]:
        """Decode the example at `place`, `(C, H, W)`: None, and why, where it is broken."""
        entry, page = self.pages[place]
        try:
            if page is not None:
                return decode(entry, page, self.target)
            parts = [decode(entry, k, self.target) for k in range(self.count)]
            return np.concatenate([pixels for pixels, _ in parts]), parts[0][1]
        except BrokenPicture as error:
            return None, [f"files skipped: {error}"]


def plan_pictures(entries: list[Entry], options: Reading, tally: Tally, where: str) -> Plan:
    """Decide size, channels, pages and intensity over all pictures of a source.

    Args:
        entries: The picture files.
        options: What a person told.
        tally: Counts the files that are skipped.
        where: What messages call the source.

    Raises:
        DataError: None of them can be read, or their pages differ.
    """
    headers: dict[Entry, Header] = {}
    with quiet_decoders():
        for entry, found in _each(entries, read_header):
            if isinstance(found, BrokenPicture):
                tally.add(f"files skipped: {found}", entry.name)
            else:
                headers[entry] = found
    if not headers:
        told = "; ".join(str(note) for note in tally.notes())
        raise DataError(f"no picture of {where} can be read: {told}; give whole image files")
    size, notes = choose_size(headers.values(), options.image_size)
    pages, count, options, more = _pages(headers, options, where)
    notes += more
    channels, more = _channels(headers, options)
    notes += more
    if options.pages == "channels":
        channels, options = 1, replace(options, channels=None)
    else:
        count, options = channels, replace(options, channels=channels)
    target = Target(channels, size, options.fit)
    target, levels, options, more = _intensity(headers, pages, target, options, tally)
    return Plan(pages, target, count, levels, options, (*notes, *more))


def read_pictures(plan: Plan, tally: Tally, where: str) -> tuple[np.ndarray, list[int]]:
    """Decode every example of a plan that decodes.

    Returns:
        `(N, C, H, W)`, and the places in the plan of the examples that decoded.

    Raises:
        DataError: None decodes, or they do not fit in memory.
    """
    dtype = np.dtype(plan.target.dtype)
    count = len(plan.pages)
    refuse_oversize(count * int(np.prod(plan.shape)) * dtype.itemsize, where)
    values, kept = np.empty((count, *plan.shape), dtype), []
    with quiet_decoders():
        for place, (pixels, done) in _each(range(count), plan.decode):
            for what in done:
                tally.add(what, plan.name(place))
            if pixels is not None:
                values[len(kept)] = pixels
                kept.append(place)
    if not kept:
        told = "; ".join(str(note) for note in tally.notes())
        raise DataError(f"no picture of {where} can be read: {told}; give whole image files")
    return values[: len(kept)], kept


def limited(entries: list[Entry], limit: int | None) -> tuple[list[Entry], tuple[Note, ...]]:
    """At most so many files, chosen by their names, in their order."""
    if limit is None or limit >= len(entries):
        return entries, ()
    note = Note(f"limited to {limit:,} of {len(entries):,} pictures, by name")
    chosen = sorted(entries, key=_name_hash)[:limit]
    return sorted(chosen, key=lambda entry: entry.name), (note,)


def choose_size(
    headers: Iterable[Header], image_size: tuple[int, ...] | None
) -> tuple[tuple[int, int], tuple[Note, ...]]:
    """Choose the `(H, W)` that pictures get: the one asked for, or what suits most of them.

    Pictures of one size up to 256x256 keep it. Otherwise the most common size is taken, its long
    side shrunk to 64, or to less of a shrinking where the short one would fall below 16.
    """
    sizes = Counter((header.height, header.width) for header in headers)
    if image_size is not None:
        return (image_size[0], image_size[1]), ()
    # ties go to the smaller picture, so that the choice does not depend on the order of files
    common = min(sizes, key=lambda size: (-sizes[size], size))
    most = LARGEST_UNIFORM if len(sizes) == 1 else LARGEST_MIXED
    long, short = max(common), min(common)
    scale = min(1, max(LARGEST_MIXED / long, min(LEAST_SHORT / short, MOST_LONG / long)))
    if long <= most or scale == 1:
        if len(sizes) == 1:
            return common, ()
        return common, (
            Note(f"images of {len(sizes)} sizes: the most common one was taken; {HOW}"),
        )
    size = (max(1, round(common[0] * scale)), max(1, round(common[1] * scale)))
    text = f"images of {common[0]}x{common[1]} scaled down to {size[0]}x{size[1]}; {HOW}"
    return size, (Note(text),)


def _pages(
    headers: dict[Entry, Header], options: Reading, where: str
) -> tuple[tuple[tuple[Entry, int | None], ...], int, Reading, tuple[Note, ...]]:
    """The examples, the number of channels where pages are that, and the choice of pages."""
    counts = Counter(header.pages for header in headers.values())
    most = max(counts)
    choice, notes = options.pages, ()
    if choice is None:
        choice = "examples" if most > 1 and len(headers) == 1 else "first"
        other = "--pages examples|channels (pages='examples') reads all"
        if choice == "examples":
            notes = (Note(f"{most} pages of one file are read as examples; --pages first|channels"),)
        elif most > 1:
            many = sum(header.pages > 1 for header in headers.values())
            text = f"files of up to {most} pages: the first page was taken; {other}"
            notes = (Note(text, many),)
    options = replace(options, pages=choice if most > 1 or options.pages else None)
    if choice == "first":
        return tuple((entry, 0) for entry in headers), 1, options, notes
    if choice == "examples":
        return (
            tuple((entry, k) for entry, header in headers.items() for k in range(header.pages)),
            1,
            options,
            notes,
        )
    if len(counts) > 1:
        common, _ = counts.most_common(1)[0]
        raise DataError(
            f"pages as channels need one number of pages, and files of {where} have "
            f"{', '.join(map(str, sorted(counts)[:5]))}; most have {common}: leave the others out"
        )
    return tuple((entry, None) for entry in headers), most, options, notes


def _channels(headers: dict[Entry, Header], options: Reading) -> tuple[int, tuple[Note, ...]]:
    """Channels of a page, and whether the fourth band of TIFFs is one."""
    if options.channels is not None:
        if options.channels not in (1, 2, 3, 4):
            raise DataError(
                f"picture files have 1 to 4 channels, not {options.channels}; give an array "
                "(N, C, H, W) of them"
            )
        return options.channels, ()
    if all(header.grey for header in headers.values()):
        return 1, ()
    four = [entry for entry, header in headers.items() if header.fourth]
    if len(four) == len(headers):
        with quiet_decoders():
            found = _each(four[:: max(1, len(four) // SEEN)], raw_pixels)
            seen = [pixels[..., 3].ravel() for _, pixels in found if isinstance(pixels, np.ndarray)]
        if seen and not is_alpha(np.concatenate(seen), 255):
            text = "the fourth band of the TIFFs varies and is read as a channel, not as "
            return 4, (Note(f"{text}transparency; --channels 3 (channels=3) composites it"),)
    return 3, ()


def _intensity(
    headers: dict[Entry, Header],
    pages: tuple[tuple[Entry, int | None], ...],
    target: Target,
    options: Reading,
    tally: Tally,
) -> tuple[Target, int | None, Reading, tuple[Note, ...]]:
    """One rule for the pixels of more than 8 bits, from the range of all of them."""
    wide = [(entry, page or 0) for entry, page in pages if headers[entry].wide]
    if not wide:
        return target, None, options, ()
    choice, low, high = options.intensity, options.low, options.high
    floats = any(header.wide == "F" for header in headers.values())
    notes: tuple[Note, ...] = ()
    if choice is None or (choice == "bytes" and low is None) or choice == "levels":
        with quiet_decoders():
            spans = [span for _, span in _each(wide, _span) if isinstance(span, tuple)]
        least, most = (min(s[0] for s in spans), max(s[1] for s in spans)) if spans else (0.0, 255.0)
        choice, low, high, notes = _scale(choice, least, most, floats, len(wide) < len(pages))
    options = replace(options, intensity=choice, low=low, high=high)
    if choice == "bytes":
        return replace(target, low=low, high=high), None, options, notes
    if choice == "reals" or high is None:
        options = replace(options, low=None, high=None)
        return replace(target, dtype="float32"), None, options, notes
    return replace(target, dtype="uint16"), int(high) + 1, options, notes


def _scale(
    choice: str | None, least: float, most: float, floats: bool, mixed: bool
) -> tuple[str, float | None, float | None, tuple[Note, ...]]:
    """What becomes of pixels from `least` to `most`, the numbers that scale them, and words."""
    span = f"pixels hold {'floats' if floats else 'whole numbers'} from {least:g} to {most:g}"
    bits = max(8, int(most).bit_length()) if most >= 0 else 8
    full = float(2**bits - 1)
    if choice == "levels":
        if floats or least < 0 or bits > 16:
            raise DataError(f"{span}: not levels 0 to 65535; --intensity bytes or reals reads them")
        return choice, 0.0, full, ()
    if choice is None and (floats or least < 0) and not mixed:
        how = "--intensity bytes (intensity='bytes') scales them to 0..255"
        return "reals", None, None, (Note(f"{span}: kept as reals; {how}"),)
    if choice is None and not mixed and 255 < most < MOST_LEVELS:
        how = "--intensity bytes|reals (intensity='bytes') reads them otherwise"
        return "levels", 0.0, full, (Note(f"{span}: kept as {bits}-bit levels; {how}"),)
    low, high = (0.0, full) if least >= 0 and not floats else (least, max(most, least + 1e-30))
    if floats and 0 <= least and most <= 1:
        low, high = 0.0, 1.0
    how = f"{low:g} is 0 and {high:g} is 255, in all; --intensity levels|reals keeps them"
    return "bytes", low, high, (Note(f"{span}: scaled to bytes, {how}"),)


def _span(item: tuple[Entry, int]) -> tuple[float, float]:
    pixels = raw_pixels(*item)
    known = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
    if not known.size:
        raise BrokenPicture("not finite")
    return float(known.min()), float(known.max())


def _each(
    items: Iterable[T], work: Callable[[T], object]
) -> Iterable[tuple[T, object]]:
    """Pairs of an item and what `work` made of it, or the `BrokenPicture` that it raised."""

    def attempt(item: T) -> object:
        try:
            return work(item)
        except BrokenPicture as error:
            return error

    items = list(items)
    # decoders release the interpreter's lock; map keeps the order
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        yield from zip(items, pool.map(attempt, items), strict=True)


def _name_hash(entry: Entry) -> bytes:
    return blake2b(entry.name.encode("utf-8", "surrogateescape")).digest()
