"""Data frames of pandas, polars and pyarrow, and dictionaries of columns, as tables of pyarrow."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lowerbound.errors import DataError


def is_frame(source: object) -> bool:
    """Whether `source` is a table: a mapping, or whatever hands itself over through Arrow."""
    if isinstance(source, Mapping) or hasattr(source, "__arrow_c_stream__"):
        return True
    return hasattr(source, "columns") and hasattr(source, "__getitem__")


def table_of(source: Any, where: str) -> Any:
    """Take a data frame as a table of pyarrow, without a copy where it allows it.

    Raises:
        DataError: Columns differ in length, or hold neither numbers nor words.
    """
    import pyarrow as pa

    if hasattr(source, "to_frame") and not hasattr(source, "columns"):
        source = source.to_frame()  # a single column
    if not isinstance(source, Mapping) and hasattr(source, "__arrow_c_stream__"):
        try:
            return pa.table(source)
        except (pa.ArrowException, TypeError, ValueError) as error:
            line = (str(error).splitlines() or ["unknown"])[0][:160]
            raise DataError(f"{where} cannot be taken through Arrow: {line}") from error
    keys = list(source if isinstance(source, Mapping) else source.columns)
    columns = {str(key): _column(source[key], str(key), where) for key in keys}
    if len(columns) < len(keys):
        raise DataError(f"{where} has two columns of one name; rename one")
    if len({len(column) for column in columns.values()}) > 1:
        lengths = ", ".join(f"{name}: {len(c)}" for name, c in list(columns.items())[:4])
        raise DataError(f"the columns of {where} differ in length ({lengths}); give equal ones")
    return pa.table(columns)


def _column(values: Any, name: str, where: str) -> Any:
    import pyarrow as pa

    if not isinstance(values, list | tuple | pa.Array | pa.ChunkedArray):
        values = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
        if values.ndim != 1:
            raise DataError(
                f"column {name!r} of {where} has shape {values.shape}; give one number a row"
            )
        if values.dtype.kind == "c":
            raise DataError(f"column {name!r} of {where} holds complex numbers; give its parts")
        if values.dtype.kind == "f":
            values = values.astype(values.dtype.newbyteorder("="), copy=False)
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError) as error:
        line = (str(error).splitlines() or ["unknown"])[0][:160]
        raise DataError(f"column {name!r} of {where} is mixed: {line}; give one kind") from error
