"""Texts: lines of a file, a column of a table, sequences of FASTA and SMILES files; as bytes."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lowerbound.data.notes import Note, Tally
from lowerbound.data.raw import Raw, refuse_oversize
from lowerbound.data.read.files import Entry
from lowerbound.data.reading import Reading
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError, UnknownNameError

#: Bytes of the longest text that is kept where nobody says another limit.
LONGEST = 512
#: Endings of files of SMILES, and of these and FASTA.
SMILES = (".smi", ".smiles")
STRINGS = (*SMILES, ".fa", ".fasta", ".fna", ".faa")
#: The values of a byte; 0 ends a text, and does not occur in one.
BYTES = 256


def read_lines(entries: Sequence[Entry], options: Reading, where: str) -> Raw:
    """Read the lines of files, each a text; empty ones are passed over.

    Raises:
        DataError: A file is binary, or there is no text.
    """
    tally, lines = Tally(), []
    for entry in entries:
        with entry.open() as file:
            content = file.read().removeprefix(b"\xef\xbb\xbf")
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            content = content.decode("utf-16", "replace").encode()
            tally.add("files in UTF-16, not UTF-8", entry.name)
        if b"\0" in content:
            raise DataError(f"{entry.name!r} is a binary file, not text; give lines in UTF-8")
        try:
            content.decode("utf-8")
        except UnicodeDecodeError:
            content = content.decode("latin-1").encode("utf-8")
            tally.add("files not in UTF-8, read as Latin-1", entry.name)
        lines += content.splitlines()
    notes = tally.notes()
    if len(entries) > 1 and not options.recorded:
        notes = (Note(f"each line of {len(entries):,} files is a text, and no file is one"), *notes)
    return raw_of_texts(lines, options, where, notes)


def read_column(table: Any, name: str, options: Reading, where: str) -> Raw:
    """Read a column of a table of pyarrow as texts.

    Raises:
        UnknownNameError: There is no such column.
        DataError: It holds no text.
    """
    if name not in table.column_names:
        raise UnknownNameError("column", name, table.column_names)
    cells = table.column(name).cast("string").to_pylist()
    return raw_of_texts([cell or "" for cell in cells], options, f"column {name!r} of {where}")


def read_strings(entries: Sequence[Entry], options: Reading, where: str) -> Raw:
    """Read FASTA files, whose sequences may run over lines, and SMILES, one a line.

    Words after a SMILES on its line are its name, the first word after ">" that of a sequence.
    Letters are kept as they are, large or small.

    Raises:
        DataError: There is no sequence.
    """
    texts: list[bytes] = []
    names: list[str] = []
    for entry in entries:
        lines = entry.content().splitlines()
        if entry.suffix in SMILES:
            for text, *words in filter(None, map(bytes.split, lines)):
                texts.append(text)
                names.append(b" ".join(words).decode("utf-8", "replace"))
            continue
        name, parts = "", list[bytes]()
        for line in [*lines, b">"]:
            if not line.startswith((b">", b";")):
                parts.append(line.strip())
                continue
            if parts:
                texts.append(b"".join(parts))
                names.append(name)
            name, parts = line[1:].decode("utf-8", "replace").partition(" ")[0].strip(), []
    return raw_of_texts(texts, options, where, names=names if any(names) else None)


def raw_of_texts(
    texts: Iterable[bytes | str],
    options: Reading,
    where: str,
    notes: tuple[Note, ...] = (),
    names: Sequence[str] | None = None,
) -> Raw:
    """Store texts as rows of bytes, each ended and filled by 0.

    Args:
        texts: In their order; as `str`, or as bytes of UTF-8.
        options: `longest` is the most bytes of a text; a longer one is left out of data to train
            on, and cut in data for a trained model.
        where: The name in messages.
        notes: Decisions so far.
        names: Of the texts, where the source says them.

    Raises:
        DataError: There is no text, all are too long, or one is no Unicode.
    """
    found = [_encoded(text, where) if isinstance(text, str) else text for text in texts]
    every = [text.replace(b"\0", b"").rstrip(b"\r\n") for text in found]
    rows = [row for row, text in enumerate(every) if options.recorded or text.strip()]
    kept = [every[row] for row in rows]
    if len(kept) < len(every):
        notes += (Note("empty lines passed over", len(every) - len(kept)),)
    longest = LONGEST if options.longest is None else options.longest
    over = sum(len(text) > longest for text in kept)
    if over and options.recorded:
        kept = [text[:longest] for text in kept]
        notes += (Note(f"texts cut after {longest} bytes, the longest of the training", over),)
    elif over:
        rows = [row for row in rows if len(every[row]) <= longest]
        kept = [every[row] for row in rows]
        how = "--longest BYTES (longest=) keeps longer ones"
        notes += (Note(f"texts of over {longest} bytes left out; {how}", over),)
    if not kept and over:
        most = max(map(len, every))
        raise DataError(
            f"{where} holds no text of up to {longest} bytes; --longest {most} (longest={most}) "
            "keeps all of it"
        )
    if not kept:
        raise DataError(f"{where} holds no text: its lines are empty")
    width = (longest if options.recorded else max(map(len, kept))) + 1
    refuse_oversize(len(kept) * width, where)
    return Raw(
        where,
        ArrayRows(_packed(kept, width)),
        levels=BYTES,
        kind="byte",
        row_names=None if names is None else tuple(names[row] for row in rows),
        row_label=None if names is None else "name",
        notes=notes,
        reading=replace(options, longest=width - 1),
    )


def _encoded(text: str, where: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:  # half of a character, which no file of text can hold
        raise DataError(f"a text of {where} is not Unicode: {text[:60]!a}; mend it") from error


def texts_in(source: object) -> list[str] | None:
    """Return the texts of a list, an array `(N,)` or a column of a data frame; None if none are.

    Those that are missing (None, nan) are empty.
    """
    if isinstance(source, np.ndarray):
        source = source.tolist() if source.ndim == 1 and source.dtype.kind in "UO" else None
    elif not isinstance(source, list | tuple) and not hasattr(source, "columns"):
        # Series of pandas and polars, arrays of pyarrow
        names = ("to_list", "to_pylist")
        listed: Any = next((getattr(source, name) for name in names if hasattr(source, name)), None)
        source = None if listed is None else listed()
    if not isinstance(source, list | tuple) or not any(isinstance(one, str) for one in source):
        return None
    known = all(isinstance(one, str) or _is_missing(one) for one in source)
    return [one if isinstance(one, str) else "" for one in source] if known else None


def _is_missing(cell: object) -> bool:
    if type(cell).__name__ in ("NoneType", "NAType", "NaTType"):
        return True
    return isinstance(cell, float) and math.isnan(cell)


def is_prose(entry: Entry, options: Reading) -> bool:
    """Whether a .txt file holds lines of text, and not a table.

    A table has the same number of fields in each of its first lines, most of them numbers, or
    more than one of them between tabs or semicolons.
    """
    if options.recorded:
        return options.longest is not None
    with entry.open() as file:
        lines = [line for line in file.read(2**16).splitlines()[:50] if line.strip()]
    if len(lines) < 2:
        return bool(lines)
    for mark in (b"\t", b";", b",", None):
        fields = [line.split(mark) for line in lines]
        if len({len(one) for one in fields}) != 1:
            continue
        cells = [cell for one in fields[1:] for cell in one]
        share = sum(map(_is_number, cells)) / len(cells)
        if share > 0.5 or (share == 0.5 and mark is not None):
            return False
        if mark in (b"\t", b";") and len(fields[0]) > 1:
            return False
    return True


def _is_number(cell: bytes) -> bool:
    try:
        float(cell.replace(b",", b"."))
    except ValueError:
        return False
    return True


def _packed(texts: Sequence[bytes], width: int) -> np.ndarray:
    rows = np.zeros((len(texts), width), np.uint8)
    for row, text in zip(rows, texts, strict=True):
        row[: len(text)] = np.frombuffer(text, np.uint8)
    return rows


def texts_of(tokens: np.ndarray) -> list[str]:
    """Return the texts of rows of bytes, `(N, T)`; what is not UTF-8 becomes a replacement mark."""
    rows = np.ascontiguousarray(tokens, np.uint8)
    return [row.tobytes().partition(b"\0")[0].decode("utf-8", "replace") for row in rows]
