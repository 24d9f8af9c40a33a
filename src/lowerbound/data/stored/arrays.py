"""Array files as stores: .npy, .npz without compression, .safetensors, folders of IDX files."""

import json
import math
import struct
import zipfile
from pathlib import Path

import numpy as np

from lowerbound.data.array_files import read_header, read_start, refuse_false_size, roles_of
from lowerbound.data.arrays import check_array, class_labels
from lowerbound.data.notes import Note
from lowerbound.data.raw import TEST, TRAIN, VALIDATION
from lowerbound.data.read.idx import PARTS as IDX_PARTS
from lowerbound.data.read.idx import find_idx, idx_header, read_idx
from lowerbound.data.stored.flat import Flat
from lowerbound.data.stored.store import Store
from lowerbound.errors import DataError

#: A .safetensors header longer than this is no header.
LONGEST_HEADER = 100 * 2**20
#: Number types of .safetensors that numpy has too.
SAFE_TYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4",
    "U64": "<u8", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip


def open_npy(path: Path) -> Store:
    """The rows of a `.npy` file.

    Raises:
        DataError: It is pickled, truncated, column by column, or no array of numbers.
    """
    where = repr(path.name)
    with path.open("rb") as stream:
        shape, dtype, turned = read_start(stream, where)
        offset = stream.tell()
    refuse_false_size(shape, dtype, path.stat().st_size - offset, where, memory=False)
    return _store(where, {("x", TRAIN): _flat(path, where, offset, shape, dtype, turned)})


def open_npz(path: Path, key: str | None = None) -> Store:
    """The rows of a `.npz` file whose arrays are not compressed; names as for `read_npz`.

    Raises:
        DataError: The archive is broken or compressed, or its names say nothing.
    """
    where = repr(path.name)
    found = {}
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as stream:
            names = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
            for name, role in _roles(names, key, path).items():
                entry = archive.getinfo(f"{name}.npy")
                label = f"{where}#{name}"
                if entry.compress_type != zipfile.ZIP_STORED:
                    raise DataError(
                        f"{label} is compressed and cannot be read in parts; save it with "
                        "np.savez or np.save, not np.savez_compressed"
                    )
                stream.seek(entry.header_offset)
                head = stream.read(30)
                if len(head) < 30 or head[:4] != b"PK\3\4":
                    raise DataError(f"{label} is broken; make it again with np.savez")
                stream.seek(sum(struct.unpack("<HH", head[26:30])), 1)
                begin = stream.tell()
                shape, dtype, turned = read_header(stream, label)
                offset = stream.tell()
                left = entry.file_size - (offset - begin)
                refuse_false_size(shape, dtype, left, label, memory=False)
                found[role] = _flat(path, label, offset, shape, dtype, turned)
    except (zipfile.BadZipFile, EOFError, ValueError, RuntimeError) as error:
        if isinstance(error, DataError):
            raise
        line = (str(error).splitlines() or ["broken"])[0][:200]
        raise DataError(f"cannot read {where}: {line}; make it again with np.savez") from error
    return _store(where if key is None else f"{where}#{key}", found)


def open_safetensors(path: Path, key: str | None = None) -> Store:
    """The rows of a `.safetensors` file; its tensors are named as the arrays of a `.npz`.

    Raises:
        DataError: The header is false, or a type is not one of numpy's.
    """
    where = repr(path.name)
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(8)
        length = int.from_bytes(start, "little") if len(start) == 8 else -1
        if not 2 <= length <= min(LONGEST_HEADER, size - 8):
            raise DataError(f"{where} is not a .safetensors file, or is truncated; write it again")
        try:
            header = json.loads(stream.read(length))
            tensors = {name: v for name, v in header.items() if name != "__metadata__"}
            found = {}
            for name, role in _roles(list(tensors), key, path).items():
                label, entry = f"{where}#{name}", tensors[name]
                if entry["dtype"] not in SAFE_TYPES:
                    raise DataError(
                        f"{label} is of type {entry['dtype']}, which is not read here; save it as "
                        "F32 or U8"
                    )
                dtype, shape = np.dtype(SAFE_TYPES[entry["dtype"]]), tuple(map(int, entry["shape"]))
                begin, end = map(int, entry["data_offsets"])
                if not 0 <= begin <= end <= size - 8 - length:
                    raise DataError(f"{label} is truncated; fetch or write it again")
                refuse_false_size(shape, dtype, end - begin, label, memory=False)
                found[role] = _flat(path, label, 8 + length + begin, shape, dtype, False)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"the header of {where} is broken; write it again") from error
    return _store(where if key is None else f"{where}#{key}", found)


def open_idx(folder: Path) -> Store:
    """The images of a folder of IDX files that are not gzipped.

    Raises:
        DataError: A file is missing, broken or gzipped.
    """
    where, files, found = repr(folder.name), find_idx(folder), {}
    for name, part in IDX_PARTS:
        path = files.get(f"{name}-images")
        if path is None:
            continue
        if path.suffix == ".gz":
            raise DataError(f"{path.name!r} cannot be read in parts; unpack it: gunzip {path.name}")
        shape = idx_header(path)
        offset = 4 + 4 * len(shape)
        found["x", part] = _flat(path, repr(path.name), offset, shape, np.dtype("u1"), False)
        if f"{name}-labels" in files:
            found["y", part] = read_idx(files[f"{name}-labels"])
    if ("x", TRAIN) not in found:
        raise DataError(f"no train-images-idx3-ubyte in {str(folder)!r}")
    return _store(where, found)


def _roles(names: list[str], key: str | None, path: Path) -> dict[str, tuple[str, int]]:
    """What each array is, ("x" or "y", part)."""
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    if not names:
        raise DataError(f"{path.name!r} holds no arrays")
    if key is not None:
        if key not in names:
            raise DataError(f"no array {key!r} in {path.name!r}; there are: {shown}")
        return {key: ("x", TRAIN)}
    if len(names) == 1:
        return {names[0]: ("x", TRAIN)}
    roles = roles_of(names)
    if roles is None:
        raise DataError(
            f"{path.name!r} holds {len(names)} arrays: {shown}; choose one with "
            f"{path.name}#{names[0]}"
        )
    return roles


def _flat(
    path: Path, where: str, offset: int, shape: tuple[int, ...], dtype: np.dtype, turned: bool
) -> Flat:
    """The rows of an array, when it can be data at all."""
    # the same refusals as in memory, of an array that takes none
    wide = dtype.kind == "f" and dtype.itemsize > 8
    plain = np.zeros((), np.float64 if wide else dtype.newbyteorder("="))
    checked = check_array(np.broadcast_to(plain, shape), where)
    if turned and len(shape) > 1:
        raise DataError(
            f"{where} lies column by column and cannot be read in parts; save it again with "
            "np.save(file, np.ascontiguousarray(values))"
        )
    return Flat(path, offset, len(checked), checked.shape[1:], dtype)


def _store(where: str, found: dict[tuple[str, int], Flat | np.ndarray]) -> Store:
    parts = [part for part in (TRAIN, VALIDATION, TEST) if ("x", part) in found]
    pieces = [found["x", part] for part in parts]
    flats = [piece for piece in pieces if isinstance(piece, Flat)]
    first = flats[0]
    for flat in flats:
        if (flat.shape, flat.dtype) != (first.shape, first.dtype):
            raise DataError(
                f"the parts of {where} differ: examples are {first.shape} of {first.dtype} and "
                f"{flat.shape} of {flat.dtype}; give them one shape and type"
            )
    counts = [flat.count for flat in flats]
    ends = np.cumsum([0, *counts]).tolist()
    label, names, notes = _labels(found, parts, counts, where)
    dtype = first.dtype.newbyteorder("=") if first.dtype.itemsize <= 8 else np.dtype(np.float64)
    spans = tuple(zip(parts, ends, ends[1:], strict=False))
    return Store(
        where,
        tuple(flats),
        first.shape,
        dtype,
        parts=spans if len(parts) > 1 else None,
        label=label,
        label_names=names,
        notes=notes,
    )


def _labels(
    found: dict[tuple[str, int], Flat | np.ndarray], parts: list[int], counts: list[int], where: str
) -> tuple[np.ndarray | None, tuple[str, ...] | None, tuple[Note, ...]]:
    if not any(role == "y" for role, _ in found):
        return None, None, ()
    classes = None
    if all(("y", part) in found for part in parts):
        flat = []
        for part, count in zip(parts, counts, strict=True):
            values = found["y", part]
            rows = values.read(0, values.count) if isinstance(values, Flat) else values
            if len(rows) != count:
                raise DataError(f"{where} pairs {count} examples with labels of shape {rows.shape}")
            flat.append(rows.reshape(len(rows), math.prod(rows.shape[1:])))
        if len({y.shape[1] for y in flat}) == 1:
            classes = class_labels(np.concatenate(flat), sum(counts))
    if classes is None:
        note = Note("the labels were left out: they are not one class an example")
        return None, None, (note,)
    label, names = classes
    return label.astype(np.min_scalar_type(len(names))), names, ()
