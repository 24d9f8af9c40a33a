"""Requests and answers as JSON, as an array of NumPy, or as a table of Arrow."""

import io
import json
from typing import Any

from lowerbound.errors import LowerboundError, SettingError

JSON, NPY = "application/json", "application/x-npy"
ARROW = "application/vnd.apache.arrow.stream"


class BodyError(LowerboundError):
    """A body that is not of the type that its header says."""


def rows_of(body: bytes, media: str) -> Any:
    """Read the rows of a request: an array `(N, ...)` from NPY, or a table from ARROW.

    Raises:
        BodyError: The body is something else, or is cut short.
    """
    if media == NPY:
        import numpy as np

        try:
            return np.lib.format.read_array(io.BytesIO(body), allow_pickle=False)
        except Exception as error:  # of many types, all of them the sender's
            raise BodyError("the body is no .npy array of numbers") from error
    import pyarrow

    try:
        table = pyarrow.ipc.open_stream(body).read_all()
        table.validate(full=True)
    except Exception as error:  # likewise
        raise BodyError("the body is no stream of Arrow") from error
    return table


def written(answer: dict[str, Any], media: str) -> bytes:
    """Write an answer: all of it as JSON, its first value as NPY or ARROW.

    Raises:
        SettingError: That value is no array, or no table.
    """
    if media == JSON:
        return json.dumps(answer, allow_nan=False, separators=(",", ":")).encode()
    name, value = next(iter(answer.items()))
    try:
        if media == NPY:
            import numpy as np

            file = io.BytesIO()
            np.lib.format.write_array(file, np.array(value, dtype=np.float64), allow_pickle=False)
            return file.getvalue()
        import pyarrow

        table = pyarrow.Table.from_pylist(value)
        sink = pyarrow.BufferOutputStream()
        with pyarrow.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        return sink.getvalue().to_pybytes()
    except (TypeError, ValueError, AttributeError) as error:
        form = "array of numbers" if media == NPY else "table"
        raise SettingError(f"{name} of this answer is no {form}; ask for {JSON}") from error
