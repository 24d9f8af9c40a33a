"""`.npy` and `.npz` files, without pickle and without trusting what they say of their size."""

import math
import re
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np

from lowerbound.data.arrays import check_array, class_labels
from lowerbound.data.notes import Note
from lowerbound.data.raw import TEST, TRAIN, VALIDATION, Raw, refuse_oversize
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError

PARTS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("valid", "val", "validation", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing"), TEST),
}
DATA = ("x", "data", "images", "image", "examples", "features")
LABELS = ("y", "labels", "label", "targets", "target", "classes")
PICKLED = "holds pickled objects, refused because loading them can run code"
REMEDY = "save it again as a plain number array: np.save(file, np.asarray(values, dtype=float))"


def read_npy(path: Path) -> Raw:
    """The array of a `.npy` file; it is mapped, so that a false header cannot allocate memory.

    Raises:
        DataError: The file is pickled, truncated, or no array of numbers.
    """
    where = repr(path.name)
    with path.open("rb") as stream:
        shape, dtype, _ = read_start(stream, where)
        refuse_false_size(shape, dtype, path.stat().st_size - stream.tell(), where)
    try:
        values = np.load(
            path, mmap_mode=None if 0 in shape or not shape else "r", allow_pickle=False
        )
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"cannot read {where}: {_line(error)}; {REMEDY}") from error
    return Raw(where, ArrayRows(check_array(values, where)))


def read_npz(path: Path, key: str | None = None) -> Raw:
    """The examples of a `.npz` file.

    One array alone, or named `key`, is the data. Otherwise the names say it: x (data, images) and
    y (labels, targets), alone or with train, valid or test (`x_train`, `test_images`).

    Raises:
        DataError: The archive is broken, or its names say nothing; then they are listed.
    """
    where = repr(path.name)
    try:
        with zipfile.ZipFile(path) as archive:
            members = {
                name.removesuffix(".npy"): name
                for name in archive.namelist()
                if name.endswith(".npy")
            }
            if not members:
                raise DataError(f"{where} holds no arrays")
            if key is not None:
                if key not in members:
                    raise DataError(f"no array {key!r} in {where}; there are: {_listed(members)}")
                return Raw(
                    f"{where}#{key}",
                    ArrayRows(check_array(_member(archive, members[key], where), where)),
                )
            roles = dict.fromkeys(members, ("x", TRAIN)) if len(members) == 1 else roles_of(members)
            if roles is None:
                raise DataError(
                    f"{where} holds {len(members)} arrays: {_listed(members)}; "
                    f"choose one with {path.name}#{next(iter(members))}"
                )
            found = {role: _member(archive, members[name], where) for name, role in roles.items()}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError) as error:
        raise DataError(
            f"cannot read {where}: {_line(error)}; make it again with np.savez"
        ) from error
    except (ValueError, RuntimeError, NotImplementedError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"cannot read {where}: {_line(error)}; make it again with np.savez"
        ) from error
    return _assemble(found, where)


def roles_of(names: Iterable[str]) -> dict[str, tuple[str, int]] | None:
    """What each array is, ("x" or "y", part); None when some name does not say it."""
    roles: dict[str, tuple[str, int]] = {}
    for name in names:
        role, part = "x", TRAIN
        for word in re.split(r"[_\-. ]+", name.lower()):
            if word in PARTS:
                part = PARTS[word]
            elif word in LABELS:
                role = "y"
            elif word not in DATA:
                return None
        roles[name] = (role, part)
    alone = len(set(roles.values())) == len(roles)
    return roles if alone and ("x", TRAIN) in roles.values() else None


def _assemble(found: dict[tuple[str, int], np.ndarray], where: str) -> Raw:
    parts = [part for part in (TRAIN, VALIDATION, TEST) if ("x", part) in found]
    arrays = [check_array(found["x", part], where) for part in parts]
    for part, array in zip(parts, arrays, strict=True):
        if array.shape[1:] != arrays[0].shape[1:]:
            raise DataError(
                f"the parts of {where} differ: examples are {arrays[0].shape[1:]} and "
                f"{array.shape[1:]}; give them one shape"
            )
        if ("y", part) in found and found["y", part].shape[:1] != array.shape[:1]:
            raise DataError(
                f"{where} pairs {len(array)} examples with labels of shape {found['y', part].shape}"
            )
    values = np.concatenate(arrays)
    notes: tuple[Note, ...] = ()
    classes = None
    if any(role == "y" for role, _ in found):
        if all(("y", part) in found for part in parts):
            flat = [found["y", part].reshape(len(found["y", part]), -1) for part in parts]
            if len({y.shape[1] for y in flat}) == 1:
                classes = class_labels(np.concatenate(flat), len(values))
        if classes is None:
            notes = (Note("the labels were left out: they are not one class an example"),)
    return Raw(
        where,
        ArrayRows(values),
        part=np.repeat(parts, [len(array) for array in arrays]).astype(np.int8)
        if len(parts) > 1
        else None,
        label=None if classes is None else classes[0],
        label_names=None if classes is None else classes[1],
        notes=notes,
    )


def _member(archive: zipfile.ZipFile, name: str, where: str) -> np.ndarray:
    entry = archive.getinfo(name)
    where = f"{where}#{name.removesuffix('.npy')}"
    # deflate cannot exceed 1032:1, so a larger claim is false
    if entry.file_size > 1100 * entry.compress_size + 1024:
        raise DataError(
            f"{where} claims {entry.file_size} bytes from {entry.compress_size}: it is broken"
        )
    with archive.open(entry) as stream:
        shape, dtype, _ = read_header(stream, where)
        refuse_false_size(shape, dtype, entry.file_size - stream.tell(), where)
    with archive.open(entry) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def read_start(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], np.dtype, bool]:
    """`read_header` of a file of its own, which may not be a .npy at all.

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


def read_header(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], np.dtype, bool]:
    """Shape, dtype and whether columns come first, of the .npy that the stream stands before.

    Raises:
        DataError: The header is broken, or the array holds objects.
    """
    try:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise DataError(
                f"{where} is in .npy format {version}, which plain arrays do not need; {REMEDY}"
            )
        read = np.lib.format.read_array_header_1_0
        if version == (2, 0):
            read = np.lib.format.read_array_header_2_0
        shape, turned, dtype = read(stream)
    except DataError:
        raise
    except Exception as error:  # numpy parses the header as Python: a hostile one raises anything
        raise DataError(f"the header of {where} is broken: {_line(error)}; {REMEDY}") from error
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


def _listed(names: dict[str, str]) -> str:
    shown = list(names)[:12]
    return ", ".join(shown) + (", ..." if len(names) > len(shown) else "")


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
