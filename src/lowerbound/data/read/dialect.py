"""Text tables as people's programs write them: encoding, comments, delimiter, decimal comma."""

import csv
import io
import re
from dataclasses import dataclass, replace
from itertools import islice

from lowerbound.data.notes import Note
from lowerbound.data.read.header import Header, find_header
from lowerbound.data.reading import Decimal, Reading
from lowerbound.errors import DataError

NAMED = {";": "semicolons", "\t": "tabs", "|": "bars"}
DELIMITERS = (",", ";", "\t", "|")
SEEN, LINES = 2**18, 200
COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+([eE][+-]?\d+)?\s?[%€$£]?")
POINT = re.compile(r"[+-]?\d+\.\d+([eE][+-]?\d+)?\s?[%€$£]?")


@dataclass(frozen=True)
class Dialect:
    """How a text is a table.

    Args:
        body: The rows alone, UTF-8.
        first: The line of the file that `body` begins with, counted from 1.
        delimiter: Between cells.
        decimal: "." or ",".
        names: Of the columns; None without a header.
        width: How many cells a row has.
        notes: Decisions that were taken.
    """

    body: bytes
    first: int
    delimiter: str
    decimal: Decimal
    names: tuple[str, ...] | None
    width: int
    notes: tuple[Note, ...]


def find_dialect(content: bytes, suffix: str, options: Reading, where: str) -> Dialect:
    """Tell how a file of text is a table, from its first lines.

    Args:
        content: The whole file.
        suffix: Its ending, such as ".tsv".
        options: Its `header` and `decimal` are heeded.
        where: The name in messages.

    Raises:
        DataError: It is no text, or holds no rows.
    """
    text, notes = _decoded(content, where)
    text, first, last, comments = _without_comments(text)
    notes += comments
    delimiter = _delimiter(text[:SEEN], suffix)
    if delimiter == " ":
        text = re.sub(r"[ \t]+", "\t", re.sub(r"(?m)^[ \t]+|[ \t]+$", "", text))
        delimiter = "\t"
        notes += (Note("columns are separated by spaces"),)
    elif delimiter in NAMED and suffix == ".csv":
        notes += (Note(f"columns are separated by {NAMED[delimiter]}"),)
    stream = io.StringIO(text[:SEEN] if len(text) > SEEN else text, newline="")
    rows, ends = [], []
    reader = csv.reader(stream, delimiter=delimiter)
    try:
        for row in islice(reader, LINES):
            if len(row) > 1 or any(cell.strip() for cell in row):
                rows.append([cell.strip() for cell in row])
                ends.append(reader.line_num)
    except csv.Error as error:
        raise DataError(f"{where} line {reader.line_num + first} is not CSV: {error}") from error
    if not rows:
        raise DataError(f"{where} is empty: it has no rows")
    quoted = text[:SEEN].lstrip().startswith('"') and '"' not in _line(text, ends[0])
    known = {one.column for one in options.written}
    found = find_header(rows, options.header, quoted=quoted, known=known)
    if found.names is None and options.header is None and last is not None:
        found = _commented(last, rows, delimiter) or found
    skip = ends[0] if found.in_row else 0
    body = [*text.split("\n", skip), ""][skip] if skip else text
    if not body.strip():
        raise DataError(f"{where} has a header but no rows")
    decimal = options.decimal or _decimal(rows[1:] or rows, delimiter)
    if decimal == "," and options.decimal is None:
        told = "numbers are written with decimal commas; --decimal . (decimal='.') reads points"
        notes += (Note(told),)
    return Dialect(
        body.encode(),
        first + skip,
        delimiter,
        decimal,
        found.names,
        len(found.names or rows[0]),
        (*notes, *found.notes),
    )


def _decoded(content: bytes, where: str) -> tuple[str, tuple[Note, ...]]:
    notes: tuple[Note, ...] = ()
    try:
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            text, notes = content.decode("utf-16"), (Note("text is UTF-16"),)
        elif b"\0" in content:
            raise DataError(f"{where} is a binary file, not a table of text; save it as CSV")
        else:
            text = content.decode("utf-8-sig")
            if content[:3] == b"\xef\xbb\xbf":
                notes = (Note("text begins with a byte-order mark, which is left out"),)
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
        notes = (
            Note("text is not UTF-8: read as Windows-1252 (Latin-1), which touches only words"),
        )
    if "\r" in text:
        notes += (Note("lines end with carriage returns, as on Windows"),)
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text, notes


def _without_comments(text: str) -> tuple[str, int, str | None, tuple[Note, ...]]:
    """The rows, the line they begin with, the last comment above them, and what is said of it."""
    first, last, comments, start = 1, None, 0, 0
    while start < len(text):
        stop = text.find("\n", start) + 1 or len(text)
        line = text[start:stop].strip()
        if line and not line.startswith("#"):
            break
        if line:
            last, comments = line.lstrip("# "), comments + 1
        start, first = stop, first + 1
    text = text[start:]
    if not comments:
        return text, first, None, ()
    return text, first, last, (Note("lines left out: they begin with #", comments),)


def _commented(last: str, rows: list[list[str]], delimiter: str) -> Header | None:
    """The names in the comment above the rows, as `numpy.savetxt` writes them."""
    cells = [cell.strip() for cell in next(csv.reader([last], delimiter=delimiter), [])]
    if delimiter == "\t" and len(cells) != len(rows[0]):
        cells = last.split()
    if len(cells) != len(rows[0]) or len(cells) < 2:
        return None
    found = find_header([cells, *rows], None)
    if found.names is None:
        return None
    return replace(
        found, in_row=False, notes=(Note("names of the columns were found behind the #"),)
    )


def _delimiter(text: str, suffix: str) -> str:
    """The separator that occurs equally often, and at least once, in the first filled lines."""
    lines = [line for line in text.split("\n") if line.strip()][:20]
    if len(text) >= SEEN and len(lines) > 1:
        lines = lines[:-1]
    best, most = "\t" if suffix == ".tsv" else ",", 0.0
    for candidate in DELIMITERS:
        try:
            counts = [len(row) - 1 for row in csv.reader(lines, delimiter=candidate)]
        except csv.Error:  # the reader of the rows says where
            continue
        # the first line may lack the name of the column of row names
        common = max(set(counts), key=counts.count) if counts else 0
        if not common or not counts[0]:
            continue
        # a semicolon file with decimal commas has commas too: agreement of all lines decides
        score = sum(count == common for count in counts) / len(counts)
        score += 0.5 * (candidate in ";\t|") + (suffix == ".tsv" and candidate == "\t")
        if score > most:
            best, most = candidate, score
    if most == 0 and lines:
        widths = {len(line.split()) for line in lines}
        if len(widths) == 1 and widths != {1}:
            return " "
    return best


def _decimal(rows: list[list[str]], delimiter: str) -> Decimal:
    if delimiter == ",":
        return "."
    cells = [cell for row in rows for cell in row]
    commas = sum(bool(COMMA.fullmatch(cell)) for cell in cells)
    points = sum(bool(POINT.fullmatch(cell)) for cell in cells)
    return "," if commas > points else "."


def _line(text: str, number: int) -> str:
    """The line behind the first `number` lines."""
    return (text.split("\n", number + 1) + [""] * 2)[number]
