"""A source larger than memory as parts that fit in it, each read as a whole source is."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from lowerbound.data.notes import Tally
from lowerbound.data.raw import Raw
from lowerbound.data.read.columns import raw_of
from lowerbound.data.read.delimited import parse
from lowerbound.data.read.files import RECORDS, TEXT, Entry, classes_of, first_line
from lowerbound.data.read.pictures import plan_pictures
from lowerbound.data.read.source import arranged, arrays_of, chosen, pictures_raw
from lowerbound.data.read.stack import read_table
from lowerbound.data.reading import Reading, Said
from lowerbound.errors import DataError

#: Bytes of a part, about: it takes several times as much while it is read.
AT_ONCE = 2**26
#: Pictures in a part.
PICTURES = 1024


def parts_of(path: Path, key: str | None, options: Reading) -> Iterator[Raw]:
    """Read a file or folder a part at a time; the first part takes the decisions for all."""
    where, (kind, entries, tally) = repr(path.name), chosen(path)
    if kind == "images":
        found = _pictures(entries, options, where)
    elif kind in ("tables", "texts"):
        found = _tables(entries, options, where)
    else:
        found = _arrays(arrays_of(kind, path, key, entries, options, AT_ONCE), options)
    for number, raw in enumerate(found):
        yield raw if number else replace(raw, notes=raw.notes + tally.notes())


def _arrays(parts: Iterator[Raw], options: Reading) -> Iterator[Raw]:
    for part in parts:
        raw = arranged(part, replace(options, files=part.reading.files))
        options = raw.reading
        yield raw


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
            if entry.suffix in RECORDS:
                yield read_table(entry, options)
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
    for piece in _pieces(stream):
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
