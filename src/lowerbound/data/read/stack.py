"""A folder or zip of arrays or tables: a file is an example, or holds some of the rows."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lowerbound.data.notes import Note
from lowerbound.data.raw import Raw, refuse_oversize
from lowerbound.data.read.axes import arrange
from lowerbound.data.read.columns import raw_of
from lowerbound.data.read.delimited import parse
from lowerbound.data.read.files import RECORDS, TEXT, Entry, classes_of, first_line
from lowerbound.data.read.npy import read_array, read_start
from lowerbound.data.read.records import table_of_records
from lowerbound.data.reading import Files, Reading
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError

LONGEST = 4096
"""Tables of more rows than this, all of one length, hold rows all the same."""


def read_arrays(
    entries: list[Entry], options: Reading, where: str, at_once: int | None = None
) -> Iterator[Raw]:
    """Read the `.npy` files of a folder as one array, some files at a time.

    Files of one shape are an example each; where only their first axes differ, they hold rows.

    Args:
        entries: The files.
        options: Options that a person gave.
        where: Name of the folder in messages.
        at_once: Bytes of a part, about; None for all files.

    Raises:
        DataError: The shapes do not go together, or a file is broken.
    """
    whole = [_array(entry) for entry in entries] if at_once is None else None
    shapes = [_shape(entry) for entry in entries] if whole is None else [x.shape for x in whole]
    if all(shape[1:] in ((), (1,)) for shape in shapes):  # vectors: a column in a file by itself
        shapes = [shape[:1] for shape in shapes]
    kinds = sorted(set(shapes))
    choice, notes = _choice(len(kinds) == 1, len(entries), kinds, options)
    fits = len(kinds) == 1 if choice == "examples" else len({shape[1:] for shape in kinds}) == 1
    if not fits or (choice == "rows" and len(kinds[0]) == 1):
        shown = " and ".join(str(shape) for shape in kinds[:3])
        raise DataError(f"the files of {where} have the shapes {shown}; give them one shape")
    lengths = [1] * len(entries) if choice == "examples" else [shape[0] for shape in shapes]
    names = _row_names(entries, None if choice == "examples" else lengths)
    raw = _labelled(Raw(where, ArrayRows(np.empty(0)), row_names=names, row_label="file"))
    reading = replace(options, files=choice) if len(entries) > 1 else options
    largest = max(entry.size for entry in entries)
    step, done = max(1, (at_once or largest * len(entries)) // largest), 0
    for i in range(0, len(entries), step):
        some = whole or [_array(entry) for entry in entries[i : i + step]]
        some = [x.reshape(shape) for x, shape in zip(some, shapes[i : i + step], strict=True)]
        own = slice(done, done := done + sum(lengths[i : i + step]))
        yield replace(
            raw,
            rows=ArrayRows(np.stack(some) if choice == "examples" else np.concatenate(some)),
            part=None if raw.part is None else raw.part[own],
            label=None if raw.label is None else raw.label[own],
            row_names=names[own],
            notes=notes,
            reading=reading,
        )


def _array(entry: Entry) -> np.ndarray:
    content = entry.content()
    return read_array(io.BytesIO(content), len(content), repr(entry.name))


def _shape(entry: Entry) -> tuple[int, ...]:
    with entry.open() as stream:
        return read_start(stream, repr(entry.name))[0]


def stack_tables(entries: list[Entry], options: Reading, where: str) -> Raw:
    """Read a table, or those of a folder as one; several of one length are series.

    Raises:
        DataError: Their columns differ.
    """
    import pyarrow as pa

    several = len(entries) > 1
    options.refuse("picture", *([] if several else ["array"]), where=where)
    tables, told = [], []
    for entry in entries:
        table, how = read_table(entry, options)
        names = tables[0].column_names if tables else table.column_names
        if set(table.column_names) != set(names):
            raise DataError(
                f"the tables of {where} differ: {entry.name!r} has other columns than "
                f"{entries[0].name!r}; give them the same"
            )
        tables.append(table if table.column_names == names else table.select(names))
        told.append(how)
    names = tables[0].column_names
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException:  # numbers in one file and words in another: words in all
        text = pa.schema([(name, pa.string()) for name in names])
        table = pa.concat_tables([one.cast(text) for one in tables])
    lengths = [one.num_rows for one in tables]
    raw = raw_of(table, where, options, **told[0])
    words = any(column.categories is not None for column in raw.columns or ())
    alike = several and len(set(lengths)) == 1 and 1 < lengths[0] <= LONGEST and not words
    alike &= not entries[0].suffix.startswith(".p")
    shapes = sorted({(length, len(names)) for length in lengths})
    choice, notes = _choice(alike, len(entries), shapes, options)
    raw = replace(raw, notes=raw.notes + notes)
    if several:
        raw = replace(raw, reading=replace(raw.reading, files=choice))
    if choice == "rows":
        if raw.row_names is not None or not several:
            return raw
        return _labelled(replace(raw, row_names=_row_names(entries, lengths), row_label="file"))
    if words or len(set(lengths)) > 1:
        raise DataError(f"the tables of {where} are no series: give numbers, and equal lengths")
    series = raw.values.reshape(len(entries), lengths[0], -1)
    axes = options.axes or ("tc" if series.shape[2] > 1 else "flat")
    note = Note(f"series of {lengths[0]} steps, their channels: {', '.join(raw.names or ())[:200]}")
    return _labelled(
        Raw(
            where,
            ArrayRows(arrange(series, axes)),
            row_names=_row_names(entries, None),
            row_label="file",
            notes=(*raw.notes, note),
            reading=raw.reading,
        )
    )


def read_table(entry: Entry, options: Reading) -> tuple[Any, dict[str, Any]]:
    """Read a file as a table of pyarrow, and what `raw_of` is to know of it."""
    import pyarrow as pa
    from pyarrow import feather, parquet

    where = repr(entry.name)
    if entry.suffix in TEXT:
        table, dialect = parse(entry.content(), entry.suffix, options, where)
        named = dialect.names is not None
        return table, {"decimal": dialect.decimal, "named": named, "notes": dialect.notes}
    if entry.suffix in RECORDS:
        return table_of_records(entry.content(), entry.suffix, where), {}
    name = "Parquet" if entry.suffix.startswith(".p") else "Feather"
    try:
        source = pa.BufferReader(entry.content())
        if name == "Feather":
            return feather.read_table(source), {}
        file = parquet.ParquetFile(source)
        refuse_oversize(8 * file.metadata.num_rows * max(file.metadata.num_columns, 1), where)
        return file.read(), {}
    except DataError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        line = first_line(error)
        raise DataError(f"cannot read {where} as {name}: {line}; write it again") from error


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


def _row_names(entries: list[Entry], lengths: list[int] | None) -> tuple[str, ...]:
    if lengths is None:
        return tuple(entry.name for entry in entries)
    pairs = zip(entries, lengths, strict=True)
    return tuple(f"{entry.name}#{row + 1}" for entry, count in pairs for row in range(count))


def _labelled(raw: Raw) -> Raw:
    part, label, label_names = classes_of(raw.row_names or ())
    return replace(raw, part=part, label=label, label_names=label_names)
