"""Several arrays in one file: `.npz`, scipy's sparse matrices, `.safetensors`."""

import math
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from lowerbound.data.notes import Note
from lowerbound.data.raw import TEST, TRAIN, VALIDATION, Raw, refuse_oversize
from lowerbound.data.read.arrays import as_array, check_array, class_labels
from lowerbound.data.read.files import PARTS, first_line, refuse_false_claim
from lowerbound.data.read.npy import read_header, refuse_false_size
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError

DATA = ("x", "data", "images", "image", "examples", "features")
LABELS = ("y", "labels", "label", "targets", "target", "classes")


def read_archive(path: Path, key: str | None = None, at_once: int | None = None) -> Iterator[Raw]:
    """Read the examples of an archive a part at a time, those for training first.

    Args:
        path: A `.npz` or `.safetensors` file.
        key: The array that is the data; None where the names say it.
        at_once: Bytes of a part, about; None for a whole array.

    Raises:
        DataError: The archive is broken, or its names say nothing; then they are listed.
    """
    where, npz = repr(path.name), path.suffix.lower() == ".npz"
    remedy = "make it again with np.savez" if npz else "save it again"
    try:
        archive = _Npz(path) if npz else _Safetensors(path)
        if not archive.names:
            raise DataError(f"{where} holds no arrays")
        if npz and key is None and {"format", "shape", "data"} <= set(archive.names):
            yield _sparse(path, where)
        else:
            yield from _arrays(archive, path, key, at_once)
    except DataError:
        raise
    except Exception as error:  # the two libraries raise anything at all on hostile files
        raise DataError(f"cannot read {where}: {first_line(error)}; {remedy}") from error


def _arrays(
    archive: "_Npz | _Safetensors", path: Path, key: str | None, at_once: int | None
) -> Iterator[Raw]:
    names, where = archive.names, repr(path.name)
    shown = ", ".join(names[:12]) + ", ..." * (len(names) > 12)
    if key is not None and key not in names:
        raise DataError(f"no array {key!r} in {where}; there are: {shown}")
    roles = _roles(names) if key is None and len(names) > 1 else {("x", TRAIN): key or names[0]}
    if roles is None:
        raise DataError(
            f"{where} holds {len(names)} arrays: {shown}; choose one with {path.name}#{names[0]}"
        )
    where = where if key is None else f"{where}#{key}"
    parts = [part for part in (TRAIN, VALIDATION, TEST) if ("x", part) in roles]
    shapes = [archive.shape(roles["x", part]) for part in parts]
    labels = []
    for part, shape in zip(parts, shapes, strict=True):
        if shape[1:] != shapes[0][1:]:
            raise DataError(
                f"the parts of {where} differ: examples are {shapes[0][1:]} and {shape[1:]}; give "
                "them one shape"
            )
        if ("y", part) in roles:
            y = next(archive.blocks(roles["y", part], None))
            if y.shape[:1] != shape[:1]:
                raise DataError(f"{where} pairs {shape[0]} examples with labels of shape {y.shape}")
            labels.append(y.reshape(len(y), -1))
    classes, notes = None, ()
    if len(labels) == len(parts) and len({y.shape[1] for y in labels}) == 1:
        classes = class_labels(np.concatenate(labels), sum(shape[0] for shape in shapes))
    if classes is None and any(role == "y" for role, _ in roles):
        notes = (Note("the labels were left out: they are not one class an example"),)
    label, label_names = classes or (None, None)
    done = 0
    for part in parts:
        for block in archive.blocks(roles["x", part], at_once):
            values = check_array(block, where)
            own = slice(done, done := done + len(values))
            yield Raw(
                where,
                ArrayRows(values),
                part=np.full(len(values), part, np.int8) if len(parts) > 1 else None,
                label=None if label is None else label[own],
                label_names=label_names,
                notes=notes,
            )


def _roles(names: Iterable[str]) -> dict[tuple[str, int], str] | None:
    """Find the array of each role, ("x" or "y", part); None when some name does not say its own."""
    roles: dict[tuple[str, int], str] = {}
    for name in names:
        role, part = "x", TRAIN
        for word in re.split(r"[_\-. ]+", name.lower()):
            if word in PARTS:
                part = PARTS[word]
            elif word in LABELS:
                role = "y"
            elif word not in DATA:
                return None
        if roles.setdefault((role, part), name) != name:
            return None
    return roles if ("x", TRAIN) in roles else None


class _Npz:
    """Arrays of a zip archive, unpacked as they are read."""

    def __init__(self, path: Path) -> None:
        self.archive, self.where = zipfile.ZipFile(path), repr(path.name)
        members = self.archive.namelist()
        self.names = [name.removesuffix(".npy") for name in members if name.endswith(".npy")]

    def shape(self, name: str) -> tuple[int, ...]:
        with self.archive.open(f"{name}.npy") as stream:
            return read_header(stream, f"{self.where}#{name}")[0]

    def blocks(self, name: str, at_once: int | None) -> Iterator[np.ndarray]:
        where, info = f"{self.where}#{name}", self.archive.getinfo(f"{name}.npy")
        refuse_false_claim(info, where, memory=at_once is None)
        with self.archive.open(info) as stream:
            shape, dtype, turned = read_header(stream, where)
            left = info.file_size - stream.tell()
            refuse_false_size(shape, dtype, left, where, memory=at_once is None)
            if at_once is None or len(shape) == 0:
                content = stream.read(math.prod(shape) * dtype.itemsize)
                yield np.frombuffer(content, dtype).reshape(shape, order="F" if turned else "C")
                return
            if turned and len(shape) > 1:
                raise DataError(f"{where} is stored columns first; save np.ascontiguousarray(x)")
            count, size = int(shape[0]), math.prod(shape[1:]) * dtype.itemsize  # pyright: ignore[reportGeneralTypeIssues]
            rows = max(1, at_once // max(size, 1))
            for start in range(0, max(count, 1), rows):
                content = stream.read(min(rows, count - start) * size)
                yield np.frombuffer(content, dtype).reshape(-1, *shape[1:])


class _Safetensors:
    """Arrays of a safetensors file, by its own slices."""

    def __init__(self, path: Path) -> None:
        from safetensors import safe_open

        self.file, self.where, self.size = (
            safe_open(path, "pt"),
            repr(path.name),
            path.stat().st_size,
        )
        self.names = list(self.file.keys())

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.file.get_slice(name).get_shape())

    def blocks(self, name: str, at_once: int | None) -> Iterator[np.ndarray]:
        shape = self.shape(name)
        if at_once is None or not shape:
            refuse_oversize(self.size, self.where)
            yield as_array(self.file.get_tensor(name), self.where)[0]
            return
        rows = max(1, at_once // max(1, 8 * math.prod(shape[1:])))
        for start in range(0, max(shape[0], 1), rows):
            yield as_array(self.file.get_slice(name)[start : start + rows], self.where)[0]


def _sparse(path: Path, where: str) -> Raw:
    """Read the matrix that `scipy.sparse.save_npz` wrote, dense."""
    from scipy import sparse

    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            refuse_false_claim(info, where)
    try:
        matrix = sparse.load_npz(path)
        if hasattr(matrix, "check_format"):
            matrix.check_format()  # a cell beyond the shape would be written beyond the array
    except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError) as error:
        raise DataError(
            f"{where} is a broken sparse matrix: {first_line(error)}; save x.tocsr() again"
        ) from error
    if len(matrix.shape) != 2 or min(matrix.shape) < 1:
        raise DataError(f"{where} is a sparse array of shape {matrix.shape}; give a matrix (N, D)")
    refuse_oversize(math.prod(matrix.shape) * matrix.dtype.itemsize, where)
    note = Note("a sparse matrix as scipy saves it was read as the matrix it is")
    return Raw(where, ArrayRows(matrix.toarray()), notes=(note,))
