"""Arrays of an archive larger than memory, a part at a time."""

import math
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from lowerbound.data.raw import TRAIN, Raw
from lowerbound.data.read.archives import roles_of
from lowerbound.data.read.arrays import as_array, check_array, class_labels
from lowerbound.data.read.files import first_line
from lowerbound.data.read.npy import read_header
from lowerbound.data.read.source import arranged, open_source
from lowerbound.data.reading import Reading
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError

#: Bytes of a part, about: it takes several times as much while it is read.
AT_ONCE = 2**26


def arrays_of(path: Path, key: str | None, suffix: str, options: Reading) -> Iterator[Raw]:
    """Read the arrays of an archive a part at a time, those of the training part first.

    Args:
        path: It exists.
        key: The array that is the data; None where the names say it.
        suffix: ".npz" or ".safetensors".
        options: Decisions that a person took.

    Raises:
        DataError: It is broken, or its names say nothing.
    """
    where = repr(path.name)
    with ExitStack() as stack:
        archive = stack.enter_context(_Npz(path) if suffix == ".npz" else _Safetensors(path))
        names = archive.names()
        roles = {key: ("x", TRAIN)} if key in names else roles_of(names)
        if len(names) == 1 and key is None:
            roles = {names[0]: ("x", TRAIN)}
        if roles is None or (key is not None and key not in names):
            yield open_source(path if key is None else f"{path}#{key}", options)  # it says why
            return
        where = where if key is None else f"{where}#{key}"
        by_role = {role: name for name, role in roles.items()}
        parts = sorted(part for role, part in by_role if role == "x")
        labels = [archive.whole(by_role["y", part]) for part in parts if ("y", part) in by_role]
        lengths = [archive.length(by_role["x", part]) for part in parts]
        classes = class_labels(np.concatenate(labels), sum(lengths)) if len(labels) == len(
            parts) else None  # fmt: skip
        done = 0
        for part in parts:
            for values in archive.blocks(by_role["x", part]):
                raw = arranged(Raw(where, ArrayRows(check_array(values, where))), options)
                options = raw.reading
                stop = done + len(values)
                yield replace(
                    raw,
                    part=None if len(parts) == 1 else np.full(len(values), part, np.int8),
                    label=None if classes is None else classes[0][done:stop],
                    label_names=None if classes is None else classes[1],
                )
                done = stop


class _Npz:
    """Arrays of a zip archive, unpacked as they are read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> "_Npz":
        try:
            self.archive = zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError) as error:
            raise DataError(f"cannot read {self.path.name!r}: {first_line(error)}") from error
        return self

    def __exit__(self, *error: object) -> None:
        self.archive.close()

    def names(self) -> list[str]:
        return [n.removesuffix(".npy") for n in self.archive.namelist() if n.endswith(".npy")]

    def length(self, name: str) -> int:
        with self.archive.open(f"{name}.npy") as stream:
            return next(iter(read_header(stream, repr(self.path.name))[0]), 0)

    def whole(self, name: str) -> np.ndarray:
        return np.concatenate(list(self.blocks(name)))

    def blocks(self, name: str) -> Iterator[np.ndarray]:
        where = f"{self.path.name!r}#{name}"
        with self.archive.open(f"{name}.npy") as stream:
            shape, dtype, turned = read_header(stream, where)
            shape = list(shape) or [0]
            if turned and len(shape) > 1:
                raise DataError(f"{where} is stored columns first; save np.ascontiguousarray(x)")
            size = math.prod(shape[1:]) * dtype.itemsize
            rows = max(1, AT_ONCE // max(size, 1))
            for start in range(0, shape[0], rows):
                count = min(rows, shape[0] - start)
                content = stream.read(count * size)
                if len(content) < count * size:
                    raise DataError(f"{where} ends too early; fetch or write it again")
                yield np.frombuffer(content, dtype).reshape(count, *shape[1:])


class _Safetensors:
    """Arrays of a safetensors file, by its own slices."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> "_Safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            self.file = safe_open(self.path, "pt").__enter__()
        except SafetensorError as error:
            raise DataError(f"cannot read {self.path.name!r}: {first_line(error)}") from error
        return self

    def __exit__(self, *error: object) -> None:
        self.file.__exit__(None, None, None)

    def names(self) -> list[str]:
        return list(self.file.keys())

    def length(self, name: str) -> int:
        return next(iter(self.file.get_slice(name).get_shape()), 0)

    def whole(self, name: str) -> np.ndarray:
        return as_array(self.file.get_tensor(name), repr(self.path.name))[0]

    def blocks(self, name: str) -> Iterator[np.ndarray]:
        part = self.file.get_slice(name)
        rows = max(1, AT_ONCE // max(1, 8 * math.prod(part.get_shape()[1:])))
        for start in range(0, self.length(name), rows):
            yield as_array(part[start : start + rows], repr(self.path.name))[0]
