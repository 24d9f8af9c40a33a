"""Files of series: `.ts` of aeon and sktime, and `.tsv` of the UCR archive."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lowerbound.data.notes import Note
from lowerbound.data.read.files import Entry
from lowerbound.data.read.series import Recording, Recordings
from lowerbound.data.reading import Reading
from lowerbound.errors import DataError

UCR = re.compile(r"_(train|test)\.tsv(\.gz)?$", re.IGNORECASE)


def is_ucr(entry: Entry) -> bool:
    """Whether a file is named as those of the UCR archive: NAME_TRAIN.tsv, NAME_TEST.tsv."""
    return UCR.search(entry.name) is not None


def recordings_of_files(entries: Sequence[Entry], options: Reading, where: str) -> Recordings:
    """Read files of series, each series a recording of its own.

    A series is one example, at the length of the longest; shorter ones end in gaps. With a window
    that a person told, they are cut.

    Raises:
        DataError: A file is broken, or the series differ in their channels.
    """
    options.refuse("picture", where=where)
    found: list[tuple[np.ndarray, str | None]] = []
    for entry in entries:
        with entry.open() as file:
            text = file.read().decode("utf-8", "replace")
        found += _ucr(text, entry.name) if is_ucr(entry) else _ts(text, entry.name)
    if not found:
        raise DataError(f"{where} holds no series")
    channels = sorted({values.shape[1] for values, _ in found})
    if len(channels) > 1:
        raise DataError(f"the series of {where} have {channels[0]} to {channels[-1]} channels")
    longest = max(len(values) for values, _ in found)
    notes: list[Note] = []
    width = options.window or longest
    uneven = sum(len(values) < longest for values, _ in found)
    if width == longest and uneven:
        notes.append(Note(f"series shorter than {longest} steps: they end in gaps", uneven))
        found = [(_ended(values, longest), label) for values, label in found]
    options = replace(options, window=width, stride=options.stride or width, axes="tc")
    each = [
        Recording(f"series {i + 1}", values, label=label) for i, (values, label) in enumerate(found)
    ]
    return Recordings(where, tuple(each), options, notes=tuple(notes))


def _ended(values: np.ndarray, length: int) -> np.ndarray:
    return np.pad(values, ((0, length - len(values)), (0, 0)), constant_values=np.nan)


def _ts(text: str, name: str) -> list[tuple[np.ndarray, str | None]]:
    """Read cases of channels between colons; "?" is a gap, and the class comes last."""
    found: list[tuple[np.ndarray, str | None]] = []
    classed = data = False
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.strip().lower().split()
        if not words or words[0].startswith("#"):
            continue
        if data:
            channels = line.strip().split(":")
            label = channels.pop().strip() if classed else None
            each = [_numbers(one.split(","), name, number) for one in channels]
            longest = max(map(len, each))
            found.append((np.hstack([_ended(one[:, None], longest) for one in each]), label))
        elif words[0] == "@timestamps" and words[1:] == ["true"]:
            raise DataError(f"{name!r} has times of its own for each step; give a table and --time")
        elif words[0] == "@classlabel":
            classed = words[1:2] == ["true"]
        data = data or words[0] == "@data"
    if not data:
        raise DataError(f"{name!r} has no line @data: it is no .ts file of series")
    return found


def _ucr(text: str, name: str) -> list[tuple[np.ndarray, str | None]]:
    """Read rows of a class and steps, ended by NaN where they are shorter."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            label, *steps = line.split("\t")
            values = _numbers(steps, name, number)
            known = np.flatnonzero(np.isfinite(values))
            end = int(known[-1]) + 1 if len(known) else 0
            if end:
                found.append((values[:end, None], label.strip()))
    return found


def _numbers(cells: Sequence[str], name: str, line: int) -> np.ndarray:
    try:
        return np.array(
            [np.nan if one.strip() in ("?", "", "NaN", "nan") else float(one) for one in cells]
        )
    except ValueError:
        raise DataError(f"line {line} of {name!r} holds what is no number") from None
