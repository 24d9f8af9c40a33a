"""Whether the first row of a table names its columns: it is told from the rest by the rest."""

import re
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from lowerbound.data.notes import Note
from lowerbound.data.read.words import MISSING

NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?")
TELL = "--header or --no-header (header=True or False) tells"


@dataclass(frozen=True)
class Header:
    """Names of the columns.

    Args:
        names: One a column; None where there are none.
        in_row: Whether the first row holds them and is no data.
        notes: Decisions that are not plain.
    """

    names: tuple[str, ...] | None
    in_row: bool
    notes: tuple[Note, ...] = ()


def find_header(
    rows: list[list[str]],
    told: bool | None,
    *,
    quoted: bool = False,
    known: Collection[str] = (),
) -> Header:
    """Decide whether the first of some rows names the columns.

    Words above numbers are names. A row of numbers names the columns where it stands in steps of
    its own (0 1 2, or the wavelengths of a spectrum) and is unlike the rows below, or where it
    alone is quoted; a row that is unlike them in one respect only is data, and that is said.

    Args:
        rows: Some of the table's, their cells without spaces around them.
        told: Decision of a person; None to decide here.
        quoted: Whether the first row stands in quotes and the second does not.
        known: Names that columns have in other data like these.
    """
    head, rest = rows[0], rows[1:]
    notes: tuple[Note, ...] = ()
    if told is None and known and len(set(head) & set(known)) >= len(known) / 2:
        told = True
    if told is None:
        if any(not _missing(cell) and not NUMBER.fullmatch(cell) for cell in head):
            told, notes = _words(head, rest)
        else:
            told, notes = _numbers(head, rest, quoted)
    if not told:
        return Header(None, False, notes)
    if rest and all(len(row) == len(head) + 1 for row in rest):  # R does not name the row names
        head = ["", *head]
    return Header(tuple(head), True, notes)


def _words(head: list[str], rest: list[list[str]]) -> tuple[bool, tuple[Note, ...]]:
    """Whether a first row with words in it is the names: words above numbers are."""
    filled = [cell for cell in head if not _missing(cell)]
    words = [cell for cell in filled if not NUMBER.fullmatch(cell)]
    if len(words) < len(filled) / 2 or not all(c.isdigit() for c in filled if c not in words):
        return False, ()
    if not rest:
        return True, ()
    width = min(len(head), *(len(row) for row in rest))
    below = [[row[j] for row in rest if not _missing(row[j])] for j in range(width)]
    numeric = [j for j in range(width) if below[j] and all(NUMBER.fullmatch(c) for c in below[j])]
    if numeric:
        above = [j for j in numeric if NUMBER.fullmatch(head[j])]
        return len(above) < len(numeric), ()
    again = sum(head[j] in below[j] for j in range(width))
    if again > width / 2:
        note = Note(f"the first row was read as data: its words come again below; {TELL}")
        return False, (note,)
    sure = any(len(set(column)) < len(column) for column in below)
    note = Note(f"the first row was read as the names of the columns; {TELL}")
    return True, () if sure and not again else (note,)


def _numbers(head: list[str], rest: list[list[str]], quoted: bool) -> tuple[bool, tuple[Note, ...]]:
    """Whether a first row of numbers alone is the names."""
    running = head[1:] if head and head[0] == "" else head
    if len(running) >= 3 and running == [str(i) for i in range(len(running))]:
        note = Note(f"the first row, 0 1 2 ..., was read as the names of the columns; {TELL}")
        return True, (note,)
    if quoted:
        note = Note(f"the first row alone is quoted: read as the names of the columns; {TELL}")
        return True, (note,)
    first = _values([head])
    below = _values([row for row in rest if len(row) == len(head)])
    if len(below) < 5 or not np.isfinite(first).all() or first.shape[1] < 3:
        return False, ()
    first, steps = first[0], np.diff(first[0])
    own = (steps > 0).all() or (steps < 0).all()
    even = own and np.allclose(steps, steps[0], rtol=1e-6)
    turning = np.diff(below, axis=1)
    ordered = ((turning > 0).all(axis=1) | (turning < 0).all(axis=1)).mean()
    stepped = (even or (own and len(first) >= 8)) and ordered < 0.1
    low, high = np.nanmin(below, axis=0), np.nanmax(below, axis=0)
    margin = 3 * (high - low)
    apart = ((first < low - margin) | (first > high + margin)).mean() >= 0.9
    whole = [cell.lstrip("+-").isdigit() for row in rest for cell in row if not _missing(cell)]
    unlike = all(cell.lstrip("+-").isdigit() for cell in head) and np.mean(whole) < 0.5
    shown = f"{head[0]} {head[1]} {head[2]} ..."
    if stepped and (apart or unlike):
        text = f"the first row, {shown}, was read as the names of the columns: it stands in steps "
        return True, (Note(f"{text}of its own and is unlike the rows below; {TELL}"),)
    if stepped or apart:
        why = "stands in steps of its own" if stepped else "is of another size than the others"
        return False, (Note(f"the first row, {shown}, was read as data, but it {why}; {TELL}"),)
    return False, ()


def _values(rows: list[list[str]]) -> np.ndarray:
    def number(cell: str) -> float:
        try:
            return float(cell.replace(",", "."))
        except ValueError:
            return np.nan

    return np.array([[number(cell) for cell in row] for row in rows], dtype=float)


def _missing(cell: str) -> bool:
    return cell.lower() in MISSING
