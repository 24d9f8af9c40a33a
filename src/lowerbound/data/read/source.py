"""From whatever a person has to `Raw`: a named set, a folder, a file, an array or a table."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lowerbound.data.notes import Note, Tally
from lowerbound.data.raw import Raw
from lowerbound.data.read.archives import read_npz, read_safetensors
from lowerbound.data.read.arrays import as_array, check_array, known
from lowerbound.data.read.axes import BY_AXES, arrange, drop_alpha, find_axes
from lowerbound.data.read.columns import raw_of
from lowerbound.data.read.convert import refusal
from lowerbound.data.read.files import Entry, classes_of, entries_of
from lowerbound.data.read.frames import is_frame, table_of
from lowerbound.data.read.idx import find_idx, read_idx_folder
from lowerbound.data.read.locate import locate
from lowerbound.data.read.npy import read_npy
from lowerbound.data.read.picture import extensions
from lowerbound.data.read.pictures import limited, plan_pictures, read_pictures
from lowerbound.data.read.stack import stack_arrays, stack_tables
from lowerbound.data.read.suspects import suspects
from lowerbound.data.read.tables import COLUMNS, TEXT
from lowerbound.data.read.text import is_prose, is_texts, raw_of_texts, read_lines
from lowerbound.data.reading import Reading
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError

T = TypeVar("T")

FILES = (
    ".npy, .npz, .csv, .tsv, .parquet, .feather, .safetensors, .zip, .tar, or a folder "
    "of pictures, arrays or tables"
)


def open_source(source: Any, options: Reading | None = None, *, limit: int | None = None) -> Raw:
    """Read all of a source as it is, its axes, columns and gaps decided and said.

    Args:
        source: See `lowerbound.data.read`.
        options: Decisions that a person took; the others are taken here.
        limit: The most picture files to read, chosen by their names; for other sources nothing.

    Returns:
        The rows, and in `reading` the decisions that new data need to be read alike.

    Raises:
        DataError: It cannot be read; the message says why and what to do.
        UnknownNameError: No such named set, or no such column.
    """
    options = Reading() if options is None else options
    place = locate(source)
    if place.named is not None:
        if place.path is not None and not place.path.is_dir():
            raise DataError(
                f"no such folder: {str(place.path)!r}; give {place.named.name}:FOLDER of IDX files"
            )
        return arranged(place.named.load(place.path), options)
    if place.path is not None:
        path = place.path
        return guarded(path, lambda: _open_path(path, place.key, options, limit))
    if is_texts(source):
        return raw_of_texts(source, options, "the list of texts")
    if is_frame(source):
        options.refuse("picture", "array", where="a table")
        return _with_suspects(raw_of(table_of(source, "the table"), "the table", options))
    values, observed = as_array(source, "the array")
    values = check_array(values, "the array")
    if observed is not None:
        observed = observed.reshape(values.shape)
    return arranged(Raw("the array", ArrayRows(values, observed)), options)


def guarded(path: Path, reader: Callable[[], T]) -> T:
    """Call a reader; a system error (permission, a vanished file) becomes a `DataError`."""
    try:
        return reader()
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror or error}") from error


def is_pictures(path: Path) -> bool:
    """Whether a path is a picture file, or a folder or zip with one in it."""
    if path.is_file() and path.suffix.lower() not in (".zip", ".tar"):
        return path.suffix.lower() in extensions()
    return not (path.is_dir() and find_idx(path)) and any(
        entry.suffix in extensions() for entry in guarded(path, lambda: entries_of(path))
    )


def _open_path(path: Path, key: str | None, options: Reading, limit: int | None) -> Raw:
    if path.is_dir() and find_idx(path):
        return arranged(read_idx_folder(path, repr(path.name)), options)
    if path.is_dir() or path.suffix.lower() in (".zip", ".tar"):
        return _open_entries(entries_of(path), path, options, limit)
    if not path.is_file():
        raise DataError(f"{str(path)!r} is neither a file nor a folder")
    if path.stat().st_size == 0:
        raise DataError(f"{path.name!r} is an empty file")
    entry = Entry(path.name, path)
    where, suffix = repr(path.name), entry.suffix
    if suffix == ".npy":
        return arranged(Raw(where, ArrayRows(read_npy(path))), options)
    if suffix == ".npz":
        return arranged(read_npz(path, key), options)
    if suffix == ".safetensors":
        return arranged(read_safetensors(path, key), options)
    if suffix == ".txt" and is_prose(entry, options):
        return read_lines(entry, options, where)
    if suffix in (*TEXT, *COLUMNS):
        return _with_suspects(stack_tables([entry], options, where))
    if suffix in extensions():
        return pictures_raw([entry], where, options, None, Tally())
    raise DataError(refusal(path.name, suffix, FILES))


def _open_entries(entries: list[Entry], path: Path, options: Reading, limit: int | None) -> Raw:
    """The pictures of a folder or zip, else its arrays, else its tables."""
    where, tally = repr(path.name or str(path)), Tally()
    folder = "folder" if path.is_dir() else "archive"
    if not entries:
        raise DataError(
            f"the {folder} {str(path)!r} is empty; put images into it, or sub-folders of them"
        )
    kinds = {"images": extensions(), "arrays": (".npy",), "tables": COLUMNS, "texts": TEXT}
    here = (kind for kind, ends in kinds.items() if any(e.suffix in ends for e in entries))
    kind = next(here, None)
    if kind is None:
        ends = dict.fromkeys(sorted({entry.suffix for entry in entries}), 0)
        for entry in entries:
            ends[entry.suffix] += 1
        found = ", ".join(f"{count} {end or 'without ending'}" for end, count in ends.items())
        raise DataError(
            f"no images, arrays or tables in the {folder} {str(path)!r}, only {found[:120]}; "
            f"{refusal(entries[0].name, entries[0].suffix, FILES)}"
        )
    chosen = [entry for entry in entries if entry.suffix in kinds[kind]]
    for entry in entries:
        if entry.suffix not in kinds[kind]:
            tally.add(f"files skipped: not {kind.replace('texts', 'tables')}", entry.name)
    if kind == "images":
        return pictures_raw(chosen, where, options, limit, tally)
    if kind == "arrays":
        raw = stack_arrays(chosen, options, where)
        raw = arranged(raw, raw.reading)
    else:
        raw = _with_suspects(stack_tables(chosen, options, where))
    return replace(raw, notes=raw.notes + tally.notes())


def pictures_raw(
    entries: list[Entry], where: str, options: Reading, limit: int | None, tally: Tally
) -> Raw:
    """Read picture files; every decision is taken over all of them, and handed back."""
    options.refuse("table", "array", where=where)
    entries, notes = limited(entries, limit)
    plan = plan_pictures(entries, options, tally, where)
    values, names = read_pictures(plan, tally, where)
    if options.channels is None and values.shape[1] == 3 and _grey(values):
        values = np.ascontiguousarray(values[:, :1])
        plan = replace(plan, reading=replace(plan.reading, channels=1))
        notes += (Note("all pictures are stored as colour but grey: read as grey"),)
    part, label, label_names = classes_of(names)
    return Raw(
        where,
        ArrayRows(values),
        part=part,
        label=label,
        label_names=label_names,
        levels=plan.levels,
        pictures=True,
        row_names=names,
        row_label="file",
        notes=(*notes, *plan.notes, *tally.notes()),
        reading=plan.reading,
    )


def _grey(values: np.ndarray) -> bool:
    return bool((values[:1] == values[:1, :1]).all() and (values == values[:, :1]).all())


def arranged(raw: Raw, options: Reading, *, suspect: bool = True) -> Raw:
    """Put the axes of an array in order: vectors, series or images."""
    options.refuse("table", "picture", where=raw.where)
    block = raw.rows.read(0, len(raw))
    values, observed, more = known(block.values, block.observed, options)
    raw = replace(raw, notes=raw.notes + more)
    told = options.axes
    if options.recorded and told not in BY_AXES.get(values.ndim, ("flat",)):
        told = None
    axes, notes = find_axes(values, told, raw.where)
    values = arrange(values, axes)
    observed = None if observed is None else arrange(observed, axes)
    channels = options.channels
    if values.ndim == 4 and observed is None:
        values, more = drop_alpha(values, channels)
        notes, channels = notes + more, values.shape[1]
    raw = replace(
        raw,
        rows=ArrayRows(values, observed),
        notes=raw.notes + notes,
        reading=replace(options, axes=axes if block.values.ndim > 2 else None, channels=channels),
    )
    return _with_suspects(raw) if suspect else raw


def _with_suspects(raw: Raw) -> Raw:
    return replace(raw, notes=raw.notes + suspects(raw))
