"""The IDX files of MNIST and its relatives, plain or gzipped."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from lowerbound.data.raw import TEST, TRAIN, Raw, refuse_oversize
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError

PARTS = (("train", TRAIN), ("t10k", TEST))


def read_idx(path: Path) -> np.ndarray:
    """An array of bytes from an IDX file.

    Args:
        path: The file; gzipped if its name ends in .gz.

    Returns:
        uint8 of the shape that the header names and the contents confirm.

    Raises:
        DataError: It is no IDX file of bytes, or its size is not what the header says.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as stream:
            magic = stream.read(4)
            if len(magic) < 4 or magic[:2] != b"\0\0" or not 1 <= magic[3] <= 4:
                raise DataError(f"{path.name!r} is not an IDX file: it starts with {magic!r}")
            if magic[2] != 8:
                raise DataError(
                    f"{path.name!r} is an IDX file of type {magic[2]}, not of bytes (8)"
                )
            header = stream.read(4 * magic[3])
            if len(header) < 4 * magic[3]:
                raise DataError(f"{path.name!r} is truncated within its header; fetch it again")
            shape = tuple(int(size) for size in np.frombuffer(header, ">u4"))
            size = math.prod(shape)
            refuse_oversize(size, repr(path.name))
            # read grows with what is there: a false header allocates nothing
            body = stream.read(size)
            excess = stream.read(1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot read {path.name!r}: {error}; fetch it again") from error
    if len(body) < size:
        raise DataError(
            f"{path.name!r} is truncated: its header says {size} bytes, it holds {len(body)}; "
            "fetch it again"
        )
    if excess:
        raise DataError(f"{path.name!r} holds more than the {size} bytes its header says")
    return np.frombuffer(body, np.uint8).reshape(shape)


def find_idx(folder: Path) -> dict[str, Path]:
    """The IDX files of a folder by their bare names, such as "train-images"."""
    found: dict[str, Path] = {}
    for part, _ in PARTS:
        for what, dimensions in (("images", 3), ("labels", 1)):
            for joint in "-.":  # some copies are called train-images.idx3-ubyte
                stem = folder / f"{part}-{what}{joint}idx{dimensions}-ubyte"
                for path in (stem, stem.with_name(stem.name + ".gz")):
                    if path.is_file():
                        found.setdefault(f"{part}-{what}", path)
    return found


def read_idx_folder(folder: Path, where: str, names: tuple[str, ...] | None = None) -> Raw:
    """The images and labels of a folder of IDX files.

    Args:
        folder: Holds `train-images-idx3-ubyte`, and `t10k-...` and `...-labels-...` if it has them.
        where: What messages call the data.
        names: What the classes are called; the digits if None.

    Raises:
        DataError: A file is missing or broken, or images and labels do not pair up.
    """
    files = find_idx(folder)
    if "train-images" not in files:
        raise DataError(f"no train-images-idx3-ubyte (or .gz) in {str(folder)!r}")
    images, labels, parts = [], [], []
    for name, part in PARTS:
        if f"{name}-images" not in files:
            continue
        x = read_idx(files[f"{name}-images"])
        if x.ndim != 3 or 0 in x.shape:
            raise DataError(
                f"{files[f'{name}-images'].name!r} holds {x.shape}, not (N, H, W) images"
            )
        if images and x.shape[1:] != images[0].shape[1:]:
            raise DataError(
                f"the training images of {where} are {images[0].shape[1:]}, "
                f"its test images {x.shape[1:]}; give them one size"
            )
        images.append(x)
        parts.append(np.full(len(x), part, np.int8))
        if f"{name}-labels" in files:
            y = read_idx(files[f"{name}-labels"])
            if y.shape != (len(x),):
                raise DataError(f"{where}: {len(x)} {name} images but labels of shape {y.shape}")
            labels.append(y)
    label = np.concatenate(labels).astype(np.int64) if len(labels) == len(images) else None
    if label is not None and names is None:
        names = tuple(str(digit) for digit in range(int(label.max()) + 1))
    if label is not None and names is not None and label.max() >= len(names):
        raise DataError(f"{where} has label {label.max()}, but only {len(names)} classes")
    return Raw(
        where,
        ArrayRows(np.concatenate(images)),
        part=np.concatenate(parts) if len(parts) > 1 else None,
        label=label,
        label_names=None if label is None else names,
    )
