"""Data with named columns: dictionaries, pandas, polars and pyarrow tables, Parquet files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lowerbound.data.arrays import check_finite
from lowerbound.data.raw import Raw, refuse_oversize
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError, MissingExtraError


def has_columns(source: object) -> bool:
    """Whether `source` looks like a table: a mapping, pandas, polars or pyarrow."""
    if isinstance(source, Mapping) or hasattr(source, "column_names"):
        return True
    return hasattr(source, "columns") and hasattr(source, "__getitem__")


def read_columns(source: Any, where: str) -> Raw:
    """The numbers of a table, `(N, D)`, with the names of its columns.

    Raises:
        DataError: A column is not numeric, has missing cells, or has another's name.
    """
    if isinstance(source, Mapping):
        keys, column = list(source), source.__getitem__
    elif hasattr(source, "column_names"):
        keys, column = list(source.column_names), source.column
    else:
        keys, column = list(source.columns), source.__getitem__
    if not keys:
        raise DataError(f"{where} has no columns")
    names = tuple(str(key) for key in keys)
    refuse_same_names(names, where)
    arrays = [_numbers(column(key), name, where) for key, name in zip(keys, names, strict=True)]
    if len({len(array) for array in arrays}) > 1:
        lengths = ", ".join(f"{n}: {len(a)}" for n, a in zip(names[:4], arrays[:4], strict=True))
        raise DataError(f"the columns of {where} differ in length ({lengths}); give equal ones")
    if not len(arrays[0]):
        raise DataError(f"{where} has a header but no rows")
    narrow = all(array.dtype.kind == "f" and array.dtype.itemsize <= 4 for array in arrays)
    values = np.column_stack(
        [array.astype(np.float32 if narrow else np.float64) for array in arrays]
    )
    check_finite(values, where, names)
    return Raw(where, ArrayRows(values), names=names)


def read_parquet(path: Path) -> Raw:
    """The numbers of a Parquet file.

    Raises:
        MissingExtraError: pyarrow is not installed.
        DataError: The file is broken, or a column is not numeric.
    """
    where = repr(path.name)
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise MissingExtraError("reading Parquet", "pyarrow", "parquet") from error
    try:
        file = parquet.ParquetFile(path)
        refuse_oversize(8 * file.metadata.num_rows * max(file.metadata.num_columns, 1), where)
        table = file.read()
    except (ArrowException, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        line = (str(error).splitlines() or ["unknown"])[0][:200]
        raise DataError(f"cannot read {where} as Parquet: {line}; write it again") from error
    return read_columns(table, where)


def refuse_same_names(names: tuple[str, ...], where: str) -> None:
    """Raise a `DataError` when two columns share a name."""
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))
        raise DataError(f"{where} has two columns called {twice!r}; rename one")


def _numbers(column: Any, name: str, where: str) -> np.ndarray:
    array = np.asarray(column.to_numpy() if hasattr(column, "to_numpy") else column)
    if array.ndim != 1:
        raise DataError(
            f"column {name!r} of {where} has shape {array.shape}; give one number a row"
        )
    if array.dtype.kind in "biuf":
        return array
    missing, wrong = 0, None
    for row, cell in enumerate(array.tolist() if array.dtype.kind == "O" else array[:1].tolist()):
        if (
            cell is None
            or type(cell).__name__ in ("NAType", "NaTType")
            or (isinstance(cell, float) and cell != cell)
        ):
            missing += 1
        elif not isinstance(cell, bool | int | float) and not hasattr(cell, "__float__"):
            wrong = (row, cell)
            break
    if wrong is not None:
        raise DataError(
            f"column {name!r} of {where} is not numeric: row {wrong[0]} holds "
            f"{str(wrong[1])[:40]!r}; drop the column or code it as numbers"
        )
    if missing:
        raise DataError(
            f"column {name!r} of {where} has {missing} missing cells; drop those rows or fill "
            "them: this version takes complete data"
        )
    return array.astype(np.float64)
