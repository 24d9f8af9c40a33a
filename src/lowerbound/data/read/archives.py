"""Several arrays in one file: `.npz`, scipy's sparse matrices, `.safetensors`."""

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from lowerbound.data.notes import Note
from lowerbound.data.raw import TEST, TRAIN, VALIDATION, Raw, refuse_oversize
from lowerbound.data.read.arrays import check_array, class_labels
from lowerbound.data.read.files import PARTS, first_line, unpacked
from lowerbound.data.read.npy import array_of
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError

DATA = ("x", "data", "images", "image", "examples", "features")
LABELS = ("y", "labels", "label", "targets", "target", "classes")


def read_npz(path: Path, key: str | None = None) -> Raw:
    """Read the examples of a `.npz` file, a sparse matrix as scipy saves it among them.

    Args:
        path: The file.
        key: The array that is the data; None where the names say it.

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

            def member(name: str) -> np.ndarray:
                told = f"{where}#{name}"
                content = unpacked(archive, members[name], told)
                if name in ("format", "shape") and sparse:
                    return np.load(io.BytesIO(content), allow_pickle=False)
                return array_of(content, told)

            sparse = key is None and {"format", "shape", "data"} <= members.keys()
            if sparse:
                matrix = _sparse({name: member(name) for name in members}, where)
                note = Note("a sparse matrix as scipy saves it was read as the matrix it is")
                return Raw(where, ArrayRows(matrix), notes=(note,))
            return _chosen(list(members), member, where, path.name, key)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError) as error:
        raise DataError(
            f"cannot read {where}: {first_line(error)}; make it again with np.savez"
        ) from error
    except (ValueError, RuntimeError, NotImplementedError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"cannot read {where}: {first_line(error)}; make it again with np.savez"
        ) from error


def read_safetensors(path: Path, key: str | None = None) -> Raw:
    """Read the examples of a `.safetensors` file.

    Raises:
        DataError: It is broken, or its names say nothing; then they are listed.
    """
    from safetensors import SafetensorError, safe_open

    from lowerbound.data.read.arrays import as_array

    where = repr(path.name)
    try:
        refuse_oversize(path.stat().st_size, where)
        with safe_open(path, "pt") as file:

            def member(name: str) -> np.ndarray:
                return as_array(file.get_tensor(name), where)[0]

            return _chosen(list(file.keys()), member, where, path.name, key)
    except SafetensorError as error:
        raise DataError(f"cannot read {where}: {first_line(error)}; save it again") from error


def roles_of(names: Iterable[str]) -> dict[str, tuple[str, int]] | None:
    """Tell each array's role, ("x" or "y", part); None when some name does not say it."""
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


def _chosen(names: list[str], member, where: str, file: str, key: str | None) -> Raw:  # type: ignore[no-untyped-def]
    shown = ", ".join(names[:12]) + ", ..." * (len(names) > 12)
    if key is not None:
        if key not in names:
            raise DataError(f"no array {key!r} in {where}; there are: {shown}")
        return Raw(f"{where}#{key}", ArrayRows(check_array(member(key), where)))
    roles = {names[0]: ("x", TRAIN)} if len(names) == 1 else roles_of(names)
    if roles is None:
        raise DataError(
            f"{where} holds {len(names)} arrays: {shown}; choose one with {file}#{names[0]}"
        )
    return _assembled({role: member(name) for name, role in roles.items()}, where)


def _assembled(found: Mapping[tuple[str, int], np.ndarray], where: str) -> Raw:
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
    sizes = [len(array) for array in arrays]
    part = np.repeat(parts, sizes).astype(np.int8) if len(parts) > 1 else None
    label, names = classes or (None, None)
    return Raw(where, ArrayRows(values), part=part, label=label, label_names=names, notes=notes)


def _sparse(arrays: dict[str, np.ndarray], where: str) -> np.ndarray:
    """The matrix that `scipy.sparse.save_npz` wrote, dense."""
    kind = bytes(arrays["format"]).decode("ascii", "replace").strip("\0")
    shape = tuple(int(size) for size in arrays["shape"].ravel())
    data = arrays["data"].ravel()
    if len(shape) != 2 or min(shape) < 1:
        raise DataError(f"{where} is a sparse array of shape {shape}; give a matrix (N, D)")
    refuse_oversize(shape[0] * shape[1] * data.dtype.itemsize, where)
    if kind in ("csr", "csc") and {"indices", "indptr"} <= arrays.keys():
        starts, inner = arrays["indptr"].ravel(), arrays["indices"].ravel()
        counts = np.diff(starts)
        whole = len(starts) == shape[kind == "csc"] + 1 and counts.min(initial=0) >= 0
        if not whole or starts[0] != 0 or starts[-1] != len(data):
            raise DataError(f"{where} is a broken sparse matrix: its row starts are wrong")
        outer = np.repeat(np.arange(len(counts)), counts)
        rows, columns = (outer, inner) if kind == "csr" else (inner, outer)
    elif kind == "coo" and {"row", "col"} <= arrays.keys():
        rows, columns = arrays["row"].ravel(), arrays["col"].ravel()
    else:
        raise DataError(f"{where} is a sparse matrix of kind {kind!r}; save x.tocsr() instead")
    inside = all(
        part.min(initial=0) >= 0 and part.max(initial=0) < size
        for part, size in zip((rows, columns), shape, strict=True)
    )
    if not inside or not len(rows) == len(columns) == len(data):
        raise DataError(f"{where} is a broken sparse matrix: it has cells beyond its shape {shape}")
    dense = np.zeros(shape, data.dtype)
    np.add.at(dense, (rows, columns), data)  # entries of one cell are summed, as scipy does
    return dense
