"""From whatever a person has to `Raw`: a named set, a folder, a file, an array or a table."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lowerbound.data.notes import Note, Tally
from lowerbound.data.raw import Raw, whole
from lowerbound.data.read.archives import read_archive
from lowerbound.data.read.arrays import as_array, check_array, known
from lowerbound.data.read.axes import BY_AXES, arrange, drop_alpha, find_axes
from lowerbound.data.read.cells import CELLS, read_cells
from lowerbound.data.read.columns import raw_of
from lowerbound.data.read.convert import refusal
from lowerbound.data.read.files import COLUMNS, RECORDS, TEXT, Entry, classes_of, entries_of
from lowerbound.data.read.frames import is_frame, table_of
from lowerbound.data.read.idx import find_idx, read_idx_folder
from lowerbound.data.read.locate import locate
from lowerbound.data.read.midi import MIDI, raw_of_pieces, read_midi, read_rolls
from lowerbound.data.read.npy import read_npy
from lowerbound.data.read.picture import extensions
from lowerbound.data.read.pictures import limited, plan_pictures, read_pictures
from lowerbound.data.read.series import (
    Recordings,
    raw_of_recordings,
    recordings_of_arrays,
    recordings_of_tables,
)
from lowerbound.data.read.stack import read_arrays, read_table, stack_tables
from lowerbound.data.read.suspects import suspects
from lowerbound.data.read.text import (
    STRINGS,
    is_prose,
    raw_of_texts,
    read_column,
    read_lines,
    read_strings,
    texts_in,
)
from lowerbound.data.read.ts import is_ucr, recordings_of_files
from lowerbound.data.reading import Reading
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError, SettingError

T = TypeVar("T")


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
        if place.named.pieces is not None:
            if place.path is not None:
                raise DataError(f"{place.named.name} is part of the package; give the folder alone")
            return raw_of_pieces(place.named.pieces(), options, place.named.name, Tally())
        return arranged(place.named.load(place.path), options)
    if place.path is not None:
        path = place.path
        return guarded(path, lambda: _open_path(path, place.key, options, limit))
    if (texts := texts_in(source)) is not None:
        return raw_of_texts(texts, options, "the list of texts")
    if is_frame(source) and options.time is not None:
        return raw_of_recordings(recordings_of(source, options))
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


def holds_sequences(path: Path, key: str | None, options: Reading) -> bool:
    """Whether a path holds texts or tunes, whose rows of bytes stay in memory."""
    kind, entries, _ = guarded(path, lambda: chosen(path))
    if kind not in ("tables", "texts"):
        return kind in ("midi", "strings") or options.axes == "roll"
    return key is not None or _is_prose(entries, options)


def _is_prose(entries: list[Entry], options: Reading) -> bool:
    return all(entry.suffix == ".txt" and is_prose(entry, options) for entry in entries)


def chosen(path: Path) -> tuple[str, list[Entry], Tally]:
    """Choose the files of a path that are read: pictures, else arrays, else tables.

    Returns:
        Their kind ("idx", "npz" or one of `kinds`), the files, and how many of a folder or archive
        are passed over.

    Raises:
        DataError: There is nothing that can be read.
    """
    tally = Tally()
    if path.is_dir() and find_idx(path):
        return "idx", [], tally
    kinds = {
        "images": extensions(), "cells": CELLS, "midi": MIDI, "strings": STRINGS,
        "arrays": (".npy",), "series": (".ts",), "tables": COLUMNS, "texts": TEXT,
        "records": RECORDS,
    }  # fmt: skip
    if not path.is_dir() and path.suffix.lower() not in (".zip", ".tar"):
        if not path.is_file():
            raise DataError(f"{str(path)!r} is neither a file nor a folder")
        if path.stat().st_size == 0:
            raise DataError(f"{path.name!r} is an empty file")
        entry = Entry(path.name, path)
        kinds["npz"] = (".npz", ".safetensors")
        kind = next((kind for kind, ends in kinds.items() if entry.suffix in ends), None)
        if kind is None:
            raise DataError(refusal(path.name, entry.suffix))
        return _rows_of(kind), [entry], tally
    entries, folder = entries_of(path), "folder" if path.is_dir() else "archive"
    if not entries:
        raise DataError(
            f"the {folder} {str(path)!r} is empty; put images into it, or sub-folders of them"
        )
    found = Counter(entry.suffix for entry in entries)
    kind = next((kind for kind, ends in kinds.items() if not found.keys().isdisjoint(ends)), None)
    if kind is None:
        shown = ", ".join(f"{n} {end or 'without ending'}" for end, n in sorted(found.items()))
        raise DataError(
            f"no images, arrays or tables in the {folder} {str(path)!r}, only {shown[:120]}; "
            f"{refusal(entries[0].name, entries[0].suffix)}"
        )
    for entry in entries:
        if entry.suffix not in kinds[kind]:
            tally.add(f"files skipped: not {kind.replace('texts', 'tables')}", entry.name)
    return _rows_of(kind), [entry for entry in entries if entry.suffix in kinds[kind]], tally


def _rows_of(kind: str) -> str:
    """Tables of JSON are read as other tables; in a folder they come last: many are settings."""
    return "tables" if kind == "records" else kind


def _open_path(path: Path, key: str | None, options: Reading, limit: int | None) -> Raw:
    where = repr(path.name or str(path))
    kind, entries, tally = chosen(path)
    if kind == "images":
        return pictures_raw(entries, where, options, limit, tally)
    if kind == "series" or (kind in ("tables", "texts") and _is_series(entries, options)):
        raw = raw_of_recordings(_recordings(entries, options, where))
        return replace(raw, notes=raw.notes + tally.notes())
    if kind in ("tables", "texts") and options.window is not None and not options.recorded:
        raise SettingError(
            f"window is for series; name the column of times in {where} with --time (time=)"
        )
    if kind == "cells":
        return read_cells(entries[0].path, key, options, where)
    if kind == "midi":
        raw = read_midi(entries, options, where)
    elif kind == "strings":
        raw = read_strings(entries, options, where)
    elif key is not None and kind in ("tables", "texts"):
        return read_column(read_table(entries[0], options)[0], key, options, where)
    elif kind in ("tables", "texts"):
        if _is_prose(entries, options):
            return read_lines(entries, options, where)
        raw = _with_suspects(stack_tables(entries, options, where))
    else:
        raw = whole(arrays_of(kind, path, key, entries, options))
        raw = arranged(raw, raw.reading if kind == "arrays" else options)
    return replace(raw, notes=raw.notes + tally.notes())


def recordings_of(source: Any, options: Reading) -> Recordings:
    """Read recordings as they are, not cut: see `open_source`.

    Raises:
        DataError: It cannot be read, or is no series.
    """
    place = locate(source)
    if place.path is None:
        if is_frame(source):
            return recordings_of_tables([("", table_of(source, "the table"), {})], options,
                                        "the table")  # fmt: skip
        values = np.asarray(source)
        return recordings_of_arrays(_steps(values, options), options, "the array")
    path = place.path
    kind, entries, _ = guarded(path, lambda: chosen(path))
    where = repr(path.name or str(path))
    if kind in ("series", "tables", "texts"):
        return _recordings(entries, options, where)
    raw = whole(arrays_of(kind, path, place.key, entries, options))
    return recordings_of_arrays(_steps(raw.values, options), options, where)


def _is_series(entries: list[Entry], options: Reading) -> bool:
    return options.time is not None or all(is_ucr(entry) for entry in entries)


def _recordings(entries: list[Entry], options: Reading, where: str) -> Recordings:
    if options.time is None:
        return recordings_of_files(entries, options, where)
    tables = []
    for entry in entries:
        name = entry.name if len(entries) > 1 else ""
        tables.append((name, *read_table(entry, options)))
    return recordings_of_tables(tables, options, where)


def _steps(values: np.ndarray, options: Reading) -> list[np.ndarray]:
    """Take `(T, C)` for one recording, `(N, T, C)` for `N`; or `(N, C, T)`, as a person told."""
    values = values[:, None] if values.ndim == 1 else values
    values = values.transpose(0, 2, 1) if options.axes == "ct" and values.ndim == 3 else values
    return list(values) if values.ndim == 3 else [values]


def arrays_of(
    kind: str,
    path: Path,
    key: str | None,
    entries: list[Entry],
    options: Reading,
    at_once: int | None = None,
) -> Iterator[Raw]:
    """Read arrays, their axes not yet in order, a part of about `at_once` bytes at a time."""
    where = repr(path.name or str(path))
    if kind == "idx":
        return read_idx_folder(path, where, at_once=at_once)
    if kind == "npz":
        return read_archive(path, key, at_once)
    if path.suffix.lower() == ".npy":
        return iter([Raw(where, ArrayRows(read_npy(path)), reading=options)])
    return read_arrays(entries, options, where, at_once)


def pictures_raw(
    entries: list[Entry], where: str, options: Reading, limit: int | None, tally: Tally
) -> Raw:
    """Read picture files; every decision is taken over all of them, and handed back."""
    options.refuse("table", "array", where=where)
    entries, notes = limited(entries, limit)
    plan = plan_pictures(entries, options, tally, where)
    values, names = read_pictures(plan, tally, where)
    colour = options.channels is None and values.shape[1] == 3
    # the first picture before all of them: it is rarely grey where the others are not
    if colour and all((some == some[:, :1]).all() for some in (values[:1], values)):
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


def arranged(raw: Raw, options: Reading, *, suspect: bool = True) -> Raw:
    """Put the axes of an array in order: vectors, series, images or piano rolls."""
    options.refuse("table", "picture", where=raw.where)
    if options.axes == "roll":
        return read_rolls(raw, options)
    block = raw.rows.read(0, len(raw))
    values, observed, more = known(block.values, block.observed, options)
    told = options.axes
    if options.window is not None and values.ndim in (2, 3):
        values = values if observed is None else np.where(observed, values, np.nan)
        found = recordings_of_arrays(_steps(values, options), options, raw.where)
        return raw_of_recordings(replace(found, notes=(*raw.notes, *more)))
    if options.recorded and told not in BY_AXES.get(values.ndim, ("flat",)):
        told = None
    axes, found = find_axes(values, told, raw.where)
    notes = (*raw.notes, *more, *found)
    values = arrange(values, axes)
    observed = None if observed is None else arrange(observed, axes)
    channels = options.channels
    if values.ndim == 4 and observed is None:
        values, more = drop_alpha(values, channels)
        notes, channels = notes + more, values.shape[1]
    raw = replace(
        raw,
        rows=ArrayRows(values, observed),
        notes=notes,
        reading=replace(options, axes=axes if block.values.ndim > 2 else None, channels=channels),
    )
    return _with_suspects(raw) if suspect else raw


def _with_suspects(raw: Raw) -> Raw:
    return replace(raw, notes=raw.notes + suspects(raw))
