"""The IDX files of MNIST and its relatives, plain or gzipped."""

import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lowerbound.data.raw import TEST, TRAIN, Raw, refuse_oversize
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError

PARTS = (("train", TRAIN), ("t10k", TEST))


def read_idx(path: Path, at_once: int | None = None) -> Iterator[np.ndarray]:
    """Read the array of bytes in an IDX file, some of its rows at a time.

    Args:
        path: The file; gzipped if its name ends in .gz.
        at_once: Bytes of a part, about; None for all in one.

    Returns:
        uint8 of the shape that the header names and the contents confirm.

    Raises:
        DataError: It is no IDX file of bytes, or its size is not what the header says.
    """
    name, opener = repr(path.name), gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as stream:
            magic = stream.read(4)
            if len(magic) < 4 or magic[:2] != b"\0\0" or not 1 <= magic[3] <= 4:
                raise DataError(f"{name} is not an IDX file: it starts with {magic!r}")
            if magic[2] != 8:
                raise DataError(f"{name} is an IDX file of type {magic[2]}, not of bytes (8)")
            header = stream.read(4 * magic[3])
            if len(header) < 4 * magic[3]:
                raise DataError(f"{name} is truncated within its header; fetch it again")
            shape = tuple(int(size) for size in np.frombuffer(header, ">u4"))
            size, row = math.prod(shape), max(1, math.prod(shape[1:]))
            if at_once is None:
                refuse_oversize(size, name)
            step = max(1, (at_once or size) // row) * row
            for start in range(0, max(size, 1), step):
                wanted = min(step, size - start)
                # read grows with what is there: a false header allocates nothing
                content = stream.read(wanted)
                if len(content) < wanted:
                    raise DataError(
                        f"{name} is truncated: its header says {size} bytes, it holds "
                        f"{start + len(content)}; fetch it again"
                    )
                yield np.frombuffer(content, np.uint8).reshape(wanted // row, *shape[1:])
            if stream.read(1):
                raise DataError(f"{name} holds more than the {size} bytes its header says")
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot read {name}: {error}; fetch it again") from error


def find_idx(folder: Path) -> dict[str, Path]:
    """Find the IDX files of a folder by their bare names, such as "train-images"."""
    found: dict[str, Path] = {}
    for part, _ in PARTS:
        for what, dimensions in (("images", 3), ("labels", 1)):
            for joint in "-.":  # some copies are called train-images.idx3-ubyte
                for end in ("", ".gz"):
                    path = folder / f"{part}-{what}{joint}idx{dimensions}-ubyte{end}"
                    if path.is_file():
                        found.setdefault(f"{part}-{what}", path)
    return found


def read_idx_folder(
    folder: Path, where: str, names: tuple[str, ...] | None = None, at_once: int | None = None
) -> Iterator[Raw]:
    """Read the images and labels of a folder of IDX files, a part at a time.

    Args:
        folder: Holds `train-images-idx3-ubyte`, and `t10k-...` and `...-labels-...` if it has them.
        where: Name of the data in messages.
        names: Names of the classes; the digits if None.
        at_once: Bytes of a part, about; None for a whole file.

    Raises:
        DataError: A file is missing or broken, or images and labels do not pair up.
    """
    files = find_idx(folder)
    if "train-images" not in files:
        raise DataError(f"no train-images-idx3-ubyte (or .gz) in {str(folder)!r}")
    parts = [(name, part) for name, part in PARTS if f"{name}-images" in files]
    labels = {
        name: next(read_idx(files[f"{name}-labels"])).astype(np.int64)
        for name, _ in parts
        if f"{name}-labels" in files
    }
    if len(labels) < len(parts):
        labels = {}
    most = max((int(y.max(initial=0)) for y in labels.values()), default=0)
    names = tuple(str(digit) for digit in range(most + 1)) if names is None else names
    if most >= len(names):
        raise DataError(f"{where} has label {most}, but only {len(names)} classes")
    size = None
    for name, part in parts:
        path, y, done = files[f"{name}-images"], labels.get(name), 0
        for x in read_idx(path, at_once):
            if x.ndim != 3 or 0 in x.shape:
                raise DataError(f"{path.name!r} holds {x.shape}, not (N, H, W) images")
            size = size or x.shape[1:]
            if x.shape[1:] != size:
                raise DataError(
                    f"the training images of {where} are {size}, its test images {x.shape[1:]}; "
                    "give them one size"
                )
            own = slice(done, done := done + len(x))
            yield Raw(
                where,
                ArrayRows(x),
                part=np.full(len(x), part, np.int8) if len(parts) > 1 else None,
                label=None if y is None else y[own],
                label_names=None if y is None else names,
            )
        if y is not None and y.shape != (done,):
            raise DataError(f"{where}: {done} {name} images but labels of shape {y.shape}")
