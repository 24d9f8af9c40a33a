"""A table with its gaps filled, in which every other cell stays as it was in the file."""

import csv
import io
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from lowerbound.data import Schema
from lowerbound.data.read.dialect import find_dialect
from lowerbound.data.read.files import COLUMNS, RECORDS, TEXT, Entry
from lowerbound.data.read.stack import read_table
from lowerbound.data.read.words import ENDLESS, MISSING
from lowerbound.data.table import Words
from lowerbound.errors import DataError
from lowerbound.runs import write_atomically


def fill(source: Path, out: Path, schema: Schema, count: int, several: list[Words]) -> None:
    """Write a table of text, Parquet or Feather with its gaps filled, once or several times.

    Args:
        source: The file.
        out: Where to; of the same family of formats, or a .csv file.
        schema: By which it was read.
        count: Rows that were read.
        several: The gaps; of more than one, the tables stand below each other, and the first
            column, "imputation", counts them from 1.

    Raises:
        DataError: The file has another number of rows than were read.
    """
    entry = Entry(source.name, source)
    if entry.suffix in TEXT and out.suffix.lower() in TEXT:
        _fill_text(entry, out, schema, count, several)
    else:
        _fill_columns(entry, out, schema, count, several)


def can_fill(source: str | None) -> bool:
    """Tell whether a source is one file of a table."""
    path = Path(source or "")
    return path.is_file() and Entry(path.name, path).suffix in (*TEXT, *COLUMNS, *RECORDS)


def _fill_text(entry: Entry, out: Path, schema: Schema, count: int, several: list[Words]) -> None:
    where = repr(entry.name)
    dialect = find_dialect(entry.content(), entry.suffix, schema.reading, where)
    rows = [
        row
        for row in csv.reader(io.StringIO(dialect.body.decode(), ""), delimiter=dialect.delimiter)
        if len(row) == dialect.width and (len(row) > 1 or row[0].strip())
    ]
    if len(rows) != count:
        raise DataError(f"{where} has {len(rows):,} rows of text where {count:,} were read")
    names = dialect.names or ("",) * dialect.width
    place = {name or f"column {index + 1}": index for index, name in enumerate(names)}
    gap = _gap_of(schema)
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=dialect.delimiter, lineterminator="\n")
    first = ["imputation"] if len(several) > 1 else []
    if dialect.names is not None:
        writer.writerow([*first, *dialect.names])
    for number, words in enumerate(several, start=1):
        filled = [list(row) for row in rows]
        for name, values in words.values.items():
            if name not in place:  # a column that follows from others may be left out
                continue
            column = place[name]
            for row, value in zip(words.rows[name].tolist(), values.tolist(), strict=True):
                if gap(name, filled[row][column]):
                    filled[row][column] = _written(value, dialect.decimal)
        writer.writerows([[str(number)] * len(first) + row for row in filled])
    write_atomically(out, text.getvalue().encode("utf-8"))


def _gap_of(schema: Schema) -> Callable[[str, str], bool]:
    """Tell gaps from what was observed and stays: new words, and what follows from others."""
    worded = {field.name for field in schema.modelled if field.categories}
    worded |= {one.name for one in schema.derived}

    def gap(name: str, text: str) -> bool:
        bare = text.strip()
        if name not in worded or bare.lower() in MISSING or bare in schema.reading.codes(name):
            return True
        return ENDLESS.fullmatch(bare) is not None

    return gap


def _written(value: Any, decimal: str) -> str:
    text = str(value)
    return text.replace(".", ",") if decimal == "," and isinstance(value, float) else text


def _fill_columns(
    entry: Entry, out: Path, schema: Schema, count: int, several: list[Words]
) -> None:
    import pyarrow as pa
    from pyarrow import compute, feather, parquet

    table = read_table(entry, schema.reading)[0]
    if table.num_rows != count:
        raise DataError(f"{entry.name!r} has {table.num_rows:,} rows where {count:,} were read")
    tables, gap = [], _gap_of(schema)
    for number, words in enumerate(several, start=1):
        whole = table
        for name, values in words.values.items():
            if name not in table.column_names:
                continue
            column = table.column(name).combine_chunks()
            kind = column.type
            if pa.types.is_dictionary(kind):
                column = column.cast(kind.value_type)
            gaps, new = np.zeros(count, bool), [None] * count
            for row, value in zip(words.rows[name].tolist(), values.tolist(), strict=True):
                there = column[row].as_py()
                gaps[row] = there is None or gap(name, str(there))
                new[row] = value
            filler = _as_type(new, column.type, schema.reading.how(name) or "")
            column = compute.call_function("if_else", [pa.array(gaps), filler, column])
            place = whole.column_names.index(name)
            column = column.dictionary_encode() if pa.types.is_dictionary(kind) else column
            whole = whole.set_column(place, name, column)
        if len(several) > 1:
            whole = whole.add_column(0, "imputation", pa.array([number] * count))
        tables.append(whole)
    whole = pa.concat_tables(tables, promote_options="default").unify_dictionaries()
    suffix = out.suffix.lower()
    if suffix in (".parquet", ".pq"):
        write_atomically(out, lambda file: parquet.write_table(whole, file))
    elif suffix in COLUMNS:
        write_atomically(out, lambda file: feather.write_feather(whole, file))
    else:
        from pyarrow import csv as text

        write_atomically(out, lambda file: text.write_csv(whole, file))


def _as_type(values: list[Any], kind: Any, how: str) -> Any:
    """Make an array of a column's own type; dates are written as `how` says."""
    import pyarrow as pa

    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        moments = [None if v is None else datetime.strptime(v, how) for v in values]
        return pa.array(moments, type=pa.timestamp("us")).cast(kind, safe=False)
    if pa.types.is_boolean(kind):
        return pa.array([None if v is None else str(v) == "True" for v in values], type=kind)
    if pa.types.is_integer(kind):
        values = [None if v is None else round(float(v)) for v in values]
    if pa.types.is_decimal(kind):
        return pa.array(values, type=pa.float64()).cast(kind, safe=False)
    return pa.array(values).cast(kind, safe=False)
