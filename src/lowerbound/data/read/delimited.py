"""CSV, TSV and other tables of text, by pyarrow."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lowerbound.data.notes import Note
from lowerbound.data.raw import refuse_oversize
from lowerbound.data.read.dialect import Dialect, find_dialect
from lowerbound.data.read.words import MISSING, has_leading_zeros
from lowerbound.data.reading import Reading
from lowerbound.errors import DataError

NULLS = sorted({form for word in MISSING for form in (word, word.upper(), word.capitalize())}
               | {"NaN", "NaT", "N/A", "#N/A", "<NA>"})  # fmt: skip
WHOLE = re.compile(r"[+-]?\d+")


def parse(content: bytes, suffix: str, options: Reading, where: str) -> tuple[Any, Dialect]:
    """Parse a table of text.

    Args:
        content: The whole file.
        suffix: Its ending.
        options: Options that a person gave.
        where: The name in messages.

    Returns:
        A table of pyarrow whose columns are named as in the file, or "column 1", ...; and its
        dialect.

    Raises:
        DataError: Rows differ in length, names repeat, or it is no text.
    """
    refuse_oversize(4 * len(content), where)
    dialect = find_dialect(content, suffix, options, where)
    given = dialect.names or ("",) * dialect.width
    names = [name or f"column {i + 1}" for i, name in enumerate(given)]
    bad: list[Any] = []
    try:
        table = _parse(dialect, names, bad, threads=True)
        worded = _worded(table, dialect)
        if worded:
            bad.clear()
            table = _parse(dialect, names, bad, threads=True, worded=worded)
            table = _numbers_again(table, worded)
        notes = []
        if bad:
            notes.append(Note("lines left out: they begin with # and are no rows", len(bad)))
        if b'"' in dialect.body:
            lines = sum(bool(line.strip()) for line in dialect.body.split(b"\n"))
            if lines > table.num_rows + len(bad):
                notes.append(Note("cells in quotes hold line breaks, and are read whole"))
        return table, replace(dialect, notes=(*dialect.notes, *notes))
    except _invalid() as error:
        bad.clear()
        try:  # again in one thread, which counts the rows
            _parse(dialect, names, bad, threads=False)
        except _invalid():
            pass
        if not bad:
            line = (str(error).splitlines() or ["unknown"])[0][:160]
            raise DataError(f"{where} is not CSV: {line}") from error
        row = bad[-1]
        place = f"line {dialect.first + (row.number or 1) - 1}"
        raise DataError(
            f"{where} {place} has {row.actual_columns} cells, the first row {len(names)}; "
            "every row needs the same number"
        ) from error


def _worded(table: Any, dialect: Dialect) -> list[str]:
    """Columns whose cells are needed as they are written: dates, and codes with leading zeros."""
    from pyarrow import types

    zeros = re.search(rb"(?m)(?:^|[^\w.])0\d", dialect.body) is not None
    return [
        field.name
        for field in table.schema
        if types.is_temporal(field.type) or (zeros and types.is_integer(field.type))
    ]


def _numbers_again(table: Any, worded: list[str]) -> Any:
    """Make numbers again of whole numbers that were looked at for leading zeros, and have none."""
    import pyarrow as pa

    for name in worded:
        column = table.column(name)
        words = column.unique().drop_null().to_pylist()
        plain = all(WHOLE.fullmatch(word.strip()) for word in words)
        if plain and not has_leading_zeros(word.strip() for word in words):
            numbers = column.cast(pa.large_string()).cast(pa.int64())
            table = table.set_column(table.column_names.index(name), name, numbers)
    return table


def _parse(
    dialect: Dialect,
    names: list[str],
    bad: list[Any],
    *,
    threads: bool,
    worded: Sequence[str] = (),
) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    def judge(row: Any) -> str:
        if not row.text.strip():
            return "skip"
        bad.append(row)
        return "skip" if row.text.lstrip().startswith("#") else "error"

    return csv.read_csv(
        pa.BufferReader(dialect.body),
        csv.ReadOptions(column_names=names, use_threads=threads),
        csv.ParseOptions(
            delimiter=dialect.delimiter,
            newlines_in_values=b'"' in dialect.body,
            invalid_row_handler=judge,
        ),
        csv.ConvertOptions(
            null_values=NULLS,
            strings_can_be_null=True,
            decimal_point=dialect.decimal,
            true_values=[],
            false_values=[],
            column_types=dict.fromkeys(worded, pa.large_string()),
        ),
    )


def _invalid() -> type[Exception]:
    from pyarrow import ArrowInvalid

    return ArrowInvalid
