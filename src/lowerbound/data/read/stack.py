"""A folder or zip of arrays or tables: a file is an example, or holds some of the rows."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lowerbound.data.notes import Note
from lowerbound.data.raw import Raw
from lowerbound.data.read.arrays import check_array
from lowerbound.data.read.axes import arrange
from lowerbound.data.read.columns import raw_of
from lowerbound.data.read.files import Entry, classes_of
from lowerbound.data.read.npy import array_of
from lowerbound.data.read.tables import parse_entry
from lowerbound.data.reading import Files, Reading
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError

LONGEST = 4096
"""Tables of more rows than this, all of one length, hold rows all the same."""


def stack_arrays(entries: list[Entry], options: Reading, where: str) -> Raw:
    """Read the `.npy` files of a folder as one array.

    Files of one shape are an example each; where only their first axes differ, they hold rows.

    Raises:
        DataError: The shapes do not go together, or a file is broken.
    """
    arrays = []
    for entry in entries:
        name = repr(entry.name)
        arrays.append(check_array(array_of(entry.content(), name), name))
    if all(array.shape[1:] == (1,) for array in arrays):  # vectors: a column in a file by itself
        arrays = [array[:, 0] for array in arrays]
    shapes = sorted({array.shape for array in arrays})
    choice, notes = _choice(len(shapes) == 1, len(arrays), shapes, options)
    fits = len(shapes) == 1 if choice == "examples" else len({shape[1:] for shape in shapes}) == 1
    if not fits or (choice == "rows" and len(shapes[0]) == 1):
        shown = " and ".join(str(shape) for shape in shapes[:3])
        raise DataError(f"the files of {where} have the shapes {shown}; give them one shape")
    if choice == "examples":
        raw = Raw(where, ArrayRows(np.stack(arrays)), row_names=tuple(e.name for e in entries))
    else:
        names = _row_names(entries, [len(array) for array in arrays])
        raw = Raw(where, ArrayRows(np.concatenate(arrays)), row_names=names)
    reading = replace(options, files=choice) if len(entries) > 1 else options
    return _labelled(replace(raw, row_label="file", notes=notes, reading=reading))


def stack_tables(entries: list[Entry], options: Reading, where: str) -> Raw:
    """Read a table, or those of a folder as one; several of one length are series.

    Raises:
        DataError: Their columns differ.
    """
    import pyarrow as pa

    options.refuse("picture", *(["array"] if len(entries) == 1 else []), where=where)
    parsed = [parse_entry(entry, options) for entry in entries]
    tables, first = [one.table for one in parsed], parsed[0]
    names = first.table.column_names
    for entry, table in zip(entries, tables, strict=True):
        if set(table.column_names) != set(names):
            raise DataError(
                f"the tables of {where} differ: {entry.name!r} has other columns than "
                f"{entries[0].name!r}; give them the same"
            )
    tables = [one if one.column_names == names else one.select(names) for one in tables]
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException:  # numbers in one file and words in another: words in all
        text = pa.schema([(name, pa.string()) for name in names])
        table = pa.concat_tables([one.cast(text) for one in tables])
    lengths = [one.num_rows for one in tables]
    raw = raw_of(table, where, options, decimal=first.decimal, named=first.named, notes=first.notes)
    alike = len(set(lengths)) == 1 and 1 < lengths[0] <= LONGEST and len(entries) > 1
    words = any(column.categories is not None for column in raw.columns or ())
    alike &= not words and not entries[0].suffix.startswith(".p")
    shapes = sorted({(length, len(names)) for length in lengths})
    choice, notes = _choice(alike, len(entries), shapes, options)
    if len(entries) > 1:
        raw = replace(raw, reading=replace(raw.reading, files=choice))
    if choice == "rows":
        raw = replace(raw, notes=raw.notes + notes)
        if raw.row_names is not None or len(entries) == 1:
            return raw
        names = _row_names(entries, lengths)
        return _labelled(replace(raw, row_names=names, row_label="file"))
    if words or len(set(lengths)) > 1:
        raise DataError(f"the tables of {where} are no series: give numbers, and equal lengths")
    values = raw.rows.read(0, len(raw)).values
    channels = values.shape[1]
    series = values.reshape(len(entries), lengths[0], channels)
    told = Note(f"series of {lengths[0]} steps, their channels: {', '.join(raw.names or ())[:200]}")
    axes = options.axes or ("tc" if channels > 1 else "flat")
    return _labelled(
        Raw(
            where,
            ArrayRows(arrange(series, axes)),
            row_names=tuple(entry.name for entry in entries),
            row_label="file",
            notes=(*raw.notes, *notes, told),
            reading=raw.reading,
        )
    )


def _choice(
    alike: bool, count: int, shapes: Sequence[tuple[int, ...]], options: Reading
) -> tuple[Files, tuple[Note, ...]]:
    if options.files is not None or count == 1:
        return options.files or "rows", ()
    if alike:
        text = f"{count} files of shape {shapes[0]}: each is one example; --files rows "
        return "examples", (Note(f"{text}(files='rows') takes their rows instead"),)
    text = f"{count} files: their rows are the examples; --files examples (files='examples') "
    return "rows", (Note(f"{text}takes each file as one"),)


def _row_names(entries: list[Entry], lengths: list[int]) -> tuple[str, ...]:
    return tuple(
        f"{entry.name}#{row + 1}"
        for entry, length in zip(entries, lengths, strict=True)
        for row in range(length)
    )


def _labelled(raw: Raw) -> Raw:
    part, label, label_names = classes_of(raw.row_names or ())
    return replace(raw, part=part, label=label, label_names=label_names)
