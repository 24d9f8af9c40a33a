"""The `.npy` format, without pickle and without trusting what a file says of its size."""

import math
from pathlib import Path
from typing import IO

import numpy as np

from lowerbound.data.raw import refuse_oversize
from lowerbound.data.read.arrays import check_array
from lowerbound.data.read.files import first_line
from lowerbound.errors import DataError

PICKLED = "holds pickled objects, refused because loading them can run code"
REMEDY = "save it again as a plain number array: np.save(file, np.asarray(values, dtype=float))"

Start = tuple[tuple[int, ...], np.dtype, bool]
"""Shape, dtype, and whether columns come first."""


def read_npy(path: Path) -> np.ndarray:
    """Read the array of a `.npy` file.

    Raises:
        DataError: The file is pickled, truncated, or no array of numbers.
    """
    with path.open("rb") as stream:
        return read_array(stream, path.stat().st_size, repr(path.name))


def read_array(stream: IO[bytes], size: int, where: str) -> np.ndarray:
    """Read the array that a stream of `size` bytes holds, checked before memory is allocated."""
    shape, dtype, _ = read_start(stream, where)
    refuse_false_size(shape, dtype, size - stream.tell(), where)
    stream.seek(0)
    try:
        return check_array(np.lib.format.read_array(stream, allow_pickle=False), where)
    except DataError:
        raise
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"cannot read {where}: {first_line(error)}; {REMEDY}") from error


def read_start(stream: IO[bytes], where: str) -> Start:
    """Read the header of a file that may not be a `.npy` at all.

    Raises:
        DataError: It is a pickle, or something else; or as `read_header`.
    """
    start = stream.read(6)
    if start[:1] == b"\x80":
        raise DataError(f"{where} {PICKLED}; {REMEDY}")
    if start != b"\x93NUMPY":
        raise DataError(f"{where} is not a .npy file: it starts with {start!r}")
    stream.seek(0)
    return read_header(stream, where)


def read_header(stream: IO[bytes], where: str) -> Start:
    """Read the header of the `.npy` that the stream stands before.

    Raises:
        DataError: The header is broken, or the array holds objects.
    """
    try:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise DataError(
                f"{where} is in .npy format {version}, which plain arrays do not need; {REMEDY}"
            )
        read = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
        shape, turned, dtype = read(stream)
    except DataError:
        raise
    except Exception as error:  # numpy parses the header as Python: a hostile one raises anything
        raise DataError(
            f"the header of {where} is broken: {first_line(error)}; {REMEDY}"
        ) from error
    if dtype.hasobject:
        raise DataError(f"{where} {PICKLED}; {REMEDY}")
    return shape, dtype, turned


def refuse_false_size(
    shape: tuple[int, ...], dtype: np.dtype, size: int, where: str, *, memory: bool = True
) -> None:
    """Raise a `DataError` for a shape that `size` bytes cannot hold, nor, if asked, memory."""
    if any(length < 0 for length in shape):
        raise DataError(f"{where} claims the shape {shape}; {REMEDY}")
    claimed = math.prod(shape) * dtype.itemsize
    if claimed > size:
        raise DataError(
            f"{where} is truncated: its header says {claimed} bytes of data, the file has {size}"
        )
    if memory:
        refuse_oversize(claimed, where)
