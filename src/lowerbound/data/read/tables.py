"""Files of tables, of text or not, as tables of pyarrow."""

from dataclasses import dataclass
from typing import Any

from lowerbound.data.notes import Note
from lowerbound.data.raw import refuse_oversize
from lowerbound.data.read.delimited import parse
from lowerbound.data.read.files import Entry, first_line
from lowerbound.data.reading import Reading
from lowerbound.errors import DataError

TEXT = (".csv", ".tsv", ".txt", ".dat")
COLUMNS = (".parquet", ".pq", ".feather", ".arrow", ".ipc")


@dataclass(frozen=True)
class Parsed:
    """The table of one file.

    Args:
        table: Of pyarrow.
        decimal: "." or ",": how it writes numbers.
        named: Whether its columns have names.
        notes: What was decided.
    """

    table: Any
    decimal: str = "."
    named: bool = True
    notes: tuple[Note, ...] = ()


def parse_entry(entry: Entry, options: Reading) -> Parsed:
    """Read the table of a CSV, Parquet or Feather file or of its like.

    Raises:
        DataError: It is broken, or its rows differ in length.
    """
    where = repr(entry.name)
    if entry.suffix not in TEXT:
        return Parsed(_stored(entry, where))
    table, dialect = parse(entry.content(), entry.suffix, options, where)
    return Parsed(table, dialect.decimal, dialect.names is not None, dialect.notes)


def _stored(entry: Entry, where: str) -> Any:
    import pyarrow as pa
    from pyarrow import feather, parquet

    name = "Parquet" if entry.suffix.startswith(".p") else "Feather"
    try:
        source = pa.BufferReader(entry.content())
        if name == "Feather":
            return feather.read_table(source)
        file = parquet.ParquetFile(source)
        refuse_oversize(8 * file.metadata.num_rows * max(file.metadata.num_columns, 1), where)
        return file.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        line = first_line(error)
        raise DataError(f"cannot read {where} as {name}: {line}; write it again") from error
