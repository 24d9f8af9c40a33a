"""Tables as JSON: an object a line, a list of objects, or an object of columns."""

import json
from typing import Any

from lowerbound.data.raw import refuse_oversize
from lowerbound.errors import DataError

HOW = "give one object a line (.jsonl), a list of objects, or an object of lists (.json)"


def table_of_records(content: bytes, suffix: str, where: str) -> Any:
    """Read a table of JSON: names are those of all objects, and what one lacks is a gap.

    Args:
        content: The whole file.
        suffix: ".json", or ".jsonl" or ".ndjson" for an object a line.
        where: The name in messages.

    Returns:
        A table of pyarrow; columns of numbers and words are words, those of objects are left as
        they are.

    Raises:
        DataError: It is no JSON, or no table.
    """
    import pyarrow as pa

    refuse_oversize(4 * len(content), where)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is no UTF-8 text: {error.reason}; save it as UTF-8") from error
    found = _lines(text, where) if suffix != ".json" else _parsed(text, where)
    if isinstance(found, dict):
        columns = found
        if not all(isinstance(column, list) for column in columns.values()):
            raise DataError(f"{where} is one object and no table; {HOW}")
        if len({len(column) for column in columns.values()}) > 1:
            raise DataError(f"the columns of {where} differ in length; make them equally long")
    else:
        rows = found if isinstance(found, list) else [found]
        odd = next((i for i, row in enumerate(rows, 1) if not isinstance(row, dict)), None)
        if odd is not None:
            raise DataError(f"item {odd:,} of {where} is no object; {HOW}")
        names = dict.fromkeys(name for row in rows for name in row)
        columns = {name: [row.get(name) for row in rows] for name in names}
    return pa.table({name: _column(cells) for name, cells in columns.items()})


def _lines(text: str, where: str) -> list[Any]:
    return [
        _parsed(line, f"line {number:,} of {where}")
        for number, line in enumerate(text.split("\n"), start=1)
        if line.strip()
    ]


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        told = getattr(error, "msg", None) or "it is nested too deeply"
        raise DataError(f"{where} is no JSON: {told}; write it again") from error


def _column(cells: list[Any]) -> Any:
    import pyarrow as pa

    try:
        return pa.array(cells)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return pa.array([None if cell is None else _word(cell) for cell in cells])


def _word(cell: Any) -> str:
    return cell if isinstance(cell, str) else json.dumps(cell)
