"""A source larger than memory as parts that fit in it, each read as a whole source is."""

import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from lowerbound.data.notes import Tally
from lowerbound.data.packed.archives import AT_ONCE, arrays_of
from lowerbound.data.raw import Raw
from lowerbound.data.read.columns import raw_of
from lowerbound.data.read.delimited import parse
from lowerbound.data.read.files import Entry, classes_of, entries_of, first_line
from lowerbound.data.read.picture import extensions
from lowerbound.data.read.pictures import plan_pictures
from lowerbound.data.read.source import open_source, pictures_raw
from lowerbound.data.read.tables import COLUMNS, TEXT
from lowerbound.data.reading import Reading, Said
from lowerbound.errors import DataError

#: Pictures in a part.
PICTURES = 1024


def parts_of(path: Path, key: str | None, options: Reading) -> Iterator[Raw]:
    """Read a file or folder a part at a time; the first part takes the decisions for all.

    Args:
        path: It exists.
        key: The array within the file.
        options: Decisions that a person took.

    Raises:
        DataError: It cannot be read.
    """
    suffix, where = Entry(path.name, path).suffix, repr(path.name)
    if suffix in (".npz", ".safetensors"):
        yield from arrays_of(path, key, suffix, options)
        return
    entries = [Entry(path.name, path)]
    if path.is_dir() or suffix in (".zip", ".tar"):
        entries = entries_of(path)
    for endings, reader in ((extensions(), _pictures), (COLUMNS, _tables), (TEXT, _tables)):
        chosen = [entry for entry in entries if entry.suffix in endings]
        if chosen:
            yield from reader(chosen, options, where)
            return
    yield open_source(path if key is None else f"{path}#{key}", options)


def _pictures(entries: list[Entry], options: Reading, where: str) -> Iterator[Raw]:
    tally = Tally()
    plan = plan_pictures(entries, options, tally, where)
    told = replace(plan.reading, image_size=plan.target.size)
    names = [entry.name for entry in entries]
    part, label, label_names = classes_of(names)
    place = {name: i for i, name in enumerate(names)}
    for start in range(0, len(entries), PICTURES):
        raw = pictures_raw(entries[start : start + PICTURES], where, told, None, Tally())
        own = [place[name.rpartition("#")[0] if name not in place else name]
               for name in raw.row_names or ()]  # fmt: skip
        yield replace(
            raw,
            part=None if part is None else part[own],
            label=None if label is None else label[own],
            label_names=label_names,
            notes=raw.notes if start else (*plan.notes, *raw.notes),
            reading=plan.reading,
        )


def _tables(entries: list[Entry], options: Reading, where: str) -> Iterator[Raw]:
    """Read the tables of several files, or of one, in batches of pyarrow."""
    names: list[str] = []
    decided = options
    for table, rest in (found for entry in entries for found in _batches(entry, options, where)):
        if names and not set(names) <= set(table.column_names):
            raise DataError(f"the tables of {where} differ in their columns; give them the same")
        raw = raw_of(table.select(names) if names else table, where, options, **rest)
        changed = [one for one in names if one not in (*(raw.names or ()), options.row_names)]
        if changed:
            raise DataError(
                f"column {changed[0]!r} of {where} holds words further down, and numbers at first; "
                f"say its kind with --column {changed[0]}=categorical"
            )
        if not names:  # the first part has decided
            columns, label = raw.table or (), raw.row_label or ""
            names = [
                name for name in table.column_names if name == label or name in (raw.names or ())
            ]
            words = [one.name for one in columns if one.categories is not None]
            kinds = {one.column: one.kind for one in options.columns} | dict.fromkeys(
                words, "categorical"
            )
            decided = replace(raw.reading, files="rows" if len(entries) > 1 else None)
            told = tuple(Said(name, kind) for name, kind in kinds.items() if name in names)
            options = replace(options, row_names=label, columns=told)
        yield replace(raw, reading=decided)


def _batches(entry: Entry, options: Reading, where: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Read tables of pyarrow, and what else `raw_of` is told of them."""
    import pyarrow as pa
    from pyarrow import ipc, parquet

    try:
        with entry.open() as stream:
            if entry.suffix in TEXT:
                yield from _texts(stream, entry, options, where)
                return
            if entry.suffix in (".parquet", ".pq"):
                file = parquet.ParquetFile(pa.PythonFile(stream, mode="r"))
                rows = max(1, AT_ONCE // (8 * max(file.metadata.num_columns, 1)))
                batches = file.iter_batches(batch_size=rows)
            else:
                found = ipc.open_file(pa.PythonFile(stream, mode="r"))
                batches = map(found.get_batch, range(found.num_record_batches))
            for batch in batches:
                yield pa.Table.from_batches([batch]), {}
    except (pa.ArrowException, EOFError) as error:
        raise DataError(
            f"cannot read {entry.name!r}: {first_line(error)}; write it again"
        ) from error


def _texts(
    stream: IO[bytes], entry: Entry, options: Reading, where: str
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Read a table of text in pieces that end with a row; its first lines say what it is."""
    names: list[str] | None = None
    packed = entry.name.lower().endswith(".gz")
    for piece in _pieces(gzip.GzipFile(fileobj=stream) if packed else stream):
        if piece[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise DataError(f"{where} is UTF-16 text, larger than memory; save it as UTF-8")
        header = options.header if names is None else False
        table, dialect = parse(piece, entry.suffix, replace(options, header=header), where)
        first, names = names is None, names or list(table.column_names)
        notes = dialect.notes if first else ()
        yield table.rename_columns(names), {"decimal": dialect.decimal, "notes": notes}


def _pieces(stream: Any) -> Iterator[bytes]:
    rest = b""
    while content := stream.read(AT_ONCE):
        content = rest + content
        end = content.rfind(b"\n") + 1
        while end and content.count(b'"', 0, end) % 2:  # within a quoted cell
            end = content.rfind(b"\n", 0, end - 1) + 1
        rest = content[end:]
        if content[:end].strip():
            yield content[:end]
    if rest.strip():
        yield rest
