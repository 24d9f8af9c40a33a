"""A source larger than memory as parts that fit in it, each read as a whole source is."""

import gzip
import math
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from lowerbound.data.notes import Tally
from lowerbound.data.raw import TRAIN, Raw
from lowerbound.data.read.archives import roles_of
from lowerbound.data.read.arrays import as_array, check_array, class_labels
from lowerbound.data.read.columns import raw_of
from lowerbound.data.read.delimited import parse
from lowerbound.data.read.files import Entry, classes_of, entries_of, first_line
from lowerbound.data.read.npy import read_header
from lowerbound.data.read.picture import extensions
from lowerbound.data.read.pictures import plan_pictures
from lowerbound.data.read.source import arranged, open_source, pictures_raw
from lowerbound.data.read.tables import COLUMNS, TEXT
from lowerbound.data.reading import KindOf, Reading
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError

#: Bytes of a part, about: it takes several times as much while it is read.
AT_ONCE = 2**26
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
        yield from _arrays(path, key, suffix, options)
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
                f"say its kind with --kinds {changed[0]}=categorical"
            )
        if not names:  # the first part has decided
            columns, label = raw.table or (), raw.row_label or ""
            names = [
                name for name in table.column_names if name == label or name in (raw.names or ())
            ]
            words = [one.name for one in columns if one.categories is not None]
            kinds = {one.column: one.kind for one in options.kinds} | dict.fromkeys(
                words, "categorical"
            )
            decided = replace(raw.reading, files="rows" if len(entries) > 1 else None)
            told = tuple(KindOf(name, kind) for name, kind in kinds.items() if name in names)
            options = replace(options, row_names=label, kinds=told)
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


def _arrays(path: Path, key: str | None, suffix: str, options: Reading) -> Iterator[Raw]:
    """Read the arrays of an archive, those of the training part first."""
    where = repr(path.name)
    with ExitStack() as stack:
        archive = stack.enter_context(_Npz(path) if suffix == ".npz" else _Safetensors(path))
        names = archive.names()
        roles = {key: ("x", TRAIN)} if key in names else roles_of(names)
        if len(names) == 1 and key is None:
            roles = {names[0]: ("x", TRAIN)}
        if roles is None or (key is not None and key not in names):
            yield open_source(path if key is None else f"{path}#{key}", options)  # it says why
            return
        where = where if key is None else f"{where}#{key}"
        by_role = {role: name for name, role in roles.items()}
        parts = sorted(part for role, part in by_role if role == "x")
        labels = [archive.whole(by_role["y", part]) for part in parts if ("y", part) in by_role]
        lengths = [archive.length(by_role["x", part]) for part in parts]
        classes = class_labels(np.concatenate(labels), sum(lengths)) if len(labels) == len(
            parts) else None  # fmt: skip
        done = 0
        for part in parts:
            for values in archive.blocks(by_role["x", part]):
                raw = arranged(Raw(where, ArrayRows(check_array(values, where))), options)
                options = raw.reading
                stop = done + len(values)
                yield replace(
                    raw,
                    part=None if len(parts) == 1 else np.full(len(values), part, np.int8),
                    label=None if classes is None else classes[0][done:stop],
                    label_names=None if classes is None else classes[1],
                )
                done = stop


class _Npz:
    """Arrays of a zip archive, unpacked as they are read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> "_Npz":
        try:
            self.archive = zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError) as error:
            raise DataError(f"cannot read {self.path.name!r}: {first_line(error)}") from error
        return self

    def __exit__(self, *error: object) -> None:
        self.archive.close()

    def names(self) -> list[str]:
        return [n.removesuffix(".npy") for n in self.archive.namelist() if n.endswith(".npy")]

    def length(self, name: str) -> int:
        with self.archive.open(f"{name}.npy") as stream:
            return next(iter(read_header(stream, repr(self.path.name))[0]), 0)

    def whole(self, name: str) -> np.ndarray:
        return np.concatenate(list(self.blocks(name)))

    def blocks(self, name: str) -> Iterator[np.ndarray]:
        where = f"{self.path.name!r}#{name}"
        with self.archive.open(f"{name}.npy") as stream:
            shape, dtype, turned = read_header(stream, where)
            shape = list(shape) or [0]
            if turned and len(shape) > 1:
                raise DataError(f"{where} is stored columns first; save np.ascontiguousarray(x)")
            size = math.prod(shape[1:]) * dtype.itemsize
            rows = max(1, AT_ONCE // max(size, 1))
            for start in range(0, shape[0], rows):
                count = min(rows, shape[0] - start)
                content = stream.read(count * size)
                if len(content) < count * size:
                    raise DataError(f"{where} ends too early; fetch or write it again")
                yield np.frombuffer(content, dtype).reshape(count, *shape[1:])


class _Safetensors:
    """Arrays of a safetensors file, by its own slices."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> "_Safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            self.file = safe_open(self.path, "pt").__enter__()
        except SafetensorError as error:
            raise DataError(f"cannot read {self.path.name!r}: {first_line(error)}") from error
        return self

    def __exit__(self, *error: object) -> None:
        self.file.__exit__(None, None, None)

    def names(self) -> list[str]:
        return list(self.file.keys())

    def length(self, name: str) -> int:
        return next(iter(self.file.get_slice(name).get_shape()), 0)

    def whole(self, name: str) -> np.ndarray:
        return as_array(self.file.get_tensor(name), repr(self.path.name))[0]

    def blocks(self, name: str) -> Iterator[np.ndarray]:
        part = self.file.get_slice(name)
        rows = max(1, AT_ONCE // max(1, 8 * math.prod(part.get_shape()[1:])))
        for start in range(0, self.length(name), rows):
            yield as_array(part[start : start + rows], repr(self.path.name))[0]
