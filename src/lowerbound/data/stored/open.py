"""Which files can be left on disk, which are, and how each kind is opened."""

import zipfile
from functools import partial
from pathlib import Path

import numpy as np

from lowerbound.data.raw import Raw, refuse_oversize
from lowerbound.data.read.idx import find_idx
from lowerbound.data.rows import ArrayRows
from lowerbound.data.stored import memory
from lowerbound.data.stored.arrays import open_idx, open_npy, open_npz, open_safetensors
from lowerbound.data.stored.parquet import open_parquet, parquet_files
from lowerbound.data.stored.parquet import size_of as parquet_size
from lowerbound.data.stored.pictures import open_folder, open_members
from lowerbound.data.stored.shards import is_shards, open_shards
from lowerbound.data.stored.store import Store
from lowerbound.errors import DataError


def open_store(
    path: Path,
    key: str | None = None,
    *,
    image_size: tuple[int, int] | None = None,
    shape: tuple[int, ...] | None = None,
    must: bool = False,
    cache: Path | None = None,
) -> Store | None:
    """A file or folder as a store, if it is to be left on disk.

    Args:
        path: It exists.
        key: Which array of an archive.
        image_size: `(H, W)` that picture files are cropped and resized to.
        shape: `(C, H, W)` that a model takes them in.
        must: Whether to leave it on disk whatever its size; otherwise only what is too big. Shards
            always are.
        cache: Where to keep decoded pictures; a folder of the user's cache if None.

    Returns:
        None where it is small, or of a kind that is read whole.

    Raises:
        DataError: It is broken, or must be left on disk and cannot be.
    """
    suffix = path.suffix.lower()
    members = partial(open_members, size=image_size, shape=shape, cache=cache)
    if path.is_dir():
        if find_idx(path):
            size = sum(file.stat().st_size for file in find_idx(path).values())
            packed = any(file.suffix == ".gz" for file in find_idx(path).values())
            return open_idx(path) if must or (memory.too_big(size) and not packed) else None
        if is_shards(path):
            return open_shards(
                path, partial(open_members, size=image_size, shape=shape, cache=cache)
            )
        if parquet_files(path):
            return open_parquet(path)
        return open_folder(path, image_size, shape, must=must, cache=cache)
    if not path.is_file() or not path.stat().st_size:
        return None
    if suffix == ".tar":
        return open_shards(path, members)
    size = path.stat().st_size
    if suffix == ".npy":
        return open_npy(path) if must or memory.too_big(size) else None
    if suffix == ".npz":
        plain = memory.too_big(size) and uncompressed(path)
        return open_npz(path, key) if must or plain else None
    if suffix in (".parquet", ".pq"):
        return open_parquet(path) if must or memory.too_big(parquet_size(path)) else None
    if suffix == ".safetensors":
        return open_safetensors(path, key) if must or memory.too_big(size) else None
    if must:
        raise DataError(
            f"{path.name!r} cannot be read in parts; make shards of it with: "
            f"lowerbound data pack {path.name} OUT"
        )
    return None


def read_store(store: Store) -> Raw:
    """All rows of a store, in memory.

    Raises:
        DataError: They do not fit.
    """
    refuse_oversize(len(store) * store.row_bytes, store.where)
    part = None
    if store.parts is not None:
        part = np.zeros(len(store), np.int8)
        for number, start, stop in store.parts:
            part[start:stop] = number
    return Raw(
        store.where,
        ArrayRows(store.read(0, len(store))),
        store.names,
        part=part,
        label=None if store.label is None else store.label.astype(np.int64),
        label_names=store.label_names,
        levels=store.levels,
        pictures=store.pictures,
        notes=store.notes,
    )


def uncompressed(path: Path) -> bool:
    """Whether no member of a `.npz` archive is compressed."""
    try:
        with zipfile.ZipFile(path) as archive:
            return all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError):
        return False
