"""CSV and TSV files of plain numbers.

A fast path reads what is well formed. Whatever it stumbles over is read again, cell by cell, to
say which line and column was wrong.
"""

import csv
import io
import re
from pathlib import Path

import numpy as np

from lowerbound.data.columns import refuse_same_names
from lowerbound.data.notes import Note
from lowerbound.data.raw import Raw, refuse_oversize
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-", ".", "inf", "-inf", "+inf", "infinity"}
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")


def read_table(path: Path) -> Raw:
    """The numbers of a CSV or TSV file, `(N, D)`, with the column names if it has a header.

    Raises:
        DataError: A cell is missing or no number, rows differ in length, or it is no text file.
    """
    where = repr(path.name)
    text = _text(path, where)
    delimiter = _delimiter(text, path.suffix)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    first: list[str] = []
    try:
        while not _filled(first):
            first = next(rows)
    except StopIteration:
        raise DataError(f"{where} is empty: it has no rows") from None
    except csv.Error as error:
        raise DataError(f"{where} line {rows.line_num} is not CSV: {error}") from error
    head = [cell.strip() for cell in first]
    titled, notes = _is_header(head)
    names = None
    if titled:
        names = tuple(cell or f"column {i + 1}" for i, cell in enumerate(head))
        refuse_same_names(names, where)
    skip = rows.line_num if titled else 0
    refuse_oversize(4 * len(text), where)
    values = _fast(text, delimiter, skip, len(head))
    if values is None:
        values = _careful(text, delimiter, skip, names, len(head), where)
    return Raw(where, ArrayRows(values), names=names, notes=notes)


def _text(path: Path, where: str) -> str:
    refuse_oversize(4 * path.stat().st_size, where)
    content = path.read_bytes()
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{where} is UTF-16 text; save it as UTF-8")
    if b"\0" in content:
        raise DataError(f"{where} is a binary file, not a table of text; save it as CSV")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # only names can hold such letters: numbers are ASCII
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _delimiter(text: str, suffix: str) -> str:
    """The separator that occurs equally often, and at least once, in the first filled lines."""
    lines = [line for line in text[:65536].splitlines() if line.strip()][:20]
    lines = lines[:-1] if len(text) > 65536 and len(lines) > 1 else lines
    best, most = "\t" if suffix == ".tsv" else ",", 0.0
    for candidate in DELIMITERS:
        try:
            counts = [len(row) - 1 for row in csv.reader(lines, delimiter=candidate)]
        except csv.Error:  # the careful reading says where
            continue
        if not counts or not counts[0]:
            continue
        # a semicolon file with decimal commas has commas too: agreement of all lines decides
        agreeing = sum(count == counts[0] for count in counts) / len(counts)
        score = (
            agreeing
            + (0.5 if candidate in ";\t|" else 0)
            + (1 if suffix == ".tsv" and candidate == "\t" else 0)
        )
        if score > most:
            best, most = candidate, score
    return best


def _is_header(cells: list[str]) -> tuple[bool, tuple[Note, ...]]:
    """Whether the first row names columns: text, or the running numbers that pandas writes."""
    filled = [cell for cell in cells if cell.lower() not in MISSING]
    words = [
        cell for cell in filled if not NUMBER.fullmatch(cell) and not DECIMAL_COMMA.fullmatch(cell)
    ]
    if words:
        rest = [cell for cell in filled if cell not in words]
        return len(words) >= len(rest) and all(cell.isdigit() for cell in rest), ()
    tail = cells[1:] if cells and cells[0] == "" else cells
    running = len(tail) >= 3 and tail == [str(i) for i in range(len(tail))]
    if running:
        return True, (Note("the first row, 0 1 2 ..., was read as the names of the columns"),)
    return False, ()


def _fast(text: str, delimiter: str, skip: int, width: int) -> np.ndarray | None:
    body = text.split("\n", skip)[skip] if text.count("\n") >= skip else ""
    if not body.strip():
        return None
    try:
        values = np.loadtxt(
            io.StringIO(body),
            delimiter=delimiter,
            comments=None,
            quotechar='"',
            ndmin=2,
        )
    except (ValueError, RuntimeError):
        return None
    good = values.size and values.shape[1] == width and bool(np.isfinite(values).all())
    return values if good else None


def _careful(
    text: str, delimiter: str, skip: int, names: tuple[str, ...] | None, width: int, where: str
) -> np.ndarray:
    """Every cell by itself; raises a `DataError` that names the first wrong one."""
    values: list[list[float]] = []
    missing = 0
    first = ""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in rows:
            if rows.line_num <= skip or not _filled(row):
                continue
            if len(row) != width:
                raise DataError(
                    f"{where} line {rows.line_num} has {len(row)} cells, the first row {width}; "
                    "every row needs the same number"
                )
            numbers: list[float] = []
            for place, cell in enumerate(row):
                cell = cell.strip()
                column = repr(names[place]) if names else str(place + 1)
                if NUMBER.fullmatch(cell):
                    numbers.append(float(cell))
                elif cell.lower() in MISSING:
                    missing += 1
                    first = first or f"line {rows.line_num}, column {column}"
                else:
                    raise DataError(_not_a_number(cell, rows.line_num, column, where))
            values.append(numbers)
    except csv.Error as error:
        raise DataError(f"{where} line {rows.line_num} is not CSV: {error}") from error
    if missing:
        raise DataError(
            f"{where} has {missing:,} empty, NaN or infinite cell{'s' * (missing > 1)}, the first "
            f"at {first}; drop those rows or fill the cells: this version takes complete data"
        )
    if not values:
        raise DataError(f"{where} has a header but no rows")
    array = np.array(values)
    if not np.isfinite(array).all():
        raise DataError(f"{where} has numbers too large for float64; rescale them")
    return array


def _not_a_number(cell: str, line: int, column: str, where: str) -> str:
    remedy = "drop the column or code it as numbers"
    if DECIMAL_COMMA.fullmatch(cell):
        remedy = "write decimal points, not commas"
    return f"{where} line {line}, column {column} holds {cell[:40]!r}, not a number; {remedy}"


def _filled(row: list[str]) -> bool:
    return any(cell.strip() for cell in row) or len(row) > 1
