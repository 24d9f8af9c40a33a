"""Data from whatever a user has: a named set, a folder, a file, an array or a table."""

import os
from pathlib import Path
from typing import Any

from lowerbound.data.array_files import read_npy, read_npz
from lowerbound.data.arrays import as_array, check_array
from lowerbound.data.build import build
from lowerbound.data.coerce import coerce
from lowerbound.data.columns import has_columns, read_columns, read_parquet
from lowerbound.data.examples import Data
from lowerbound.data.images import check_size, read_folder, read_pictures
from lowerbound.data.infer import Binarize, check_limit
from lowerbound.data.notes import Note
from lowerbound.data.pictures import extensions
from lowerbound.data.raw import Raw
from lowerbound.data.read.idx import find_idx, read_idx_folder
from lowerbound.data.read.named import NamedSet, named_sets
from lowerbound.data.rows import ArrayRows
from lowerbound.data.schema import Schema
from lowerbound.data.source import Source
from lowerbound.data.stored.arrays import open_safetensors
from lowerbound.data.stored.build import Stage, build_stored, coerce_stored
from lowerbound.data.stored.open import open_store, read_store, uncompressed
from lowerbound.data.tables import read_table
from lowerbound.errors import DataError, SettingError, ShapeError, UnknownNameError

FILES = ".npy, .npz, .csv, .tsv, .parquet, .safetensors, .tar shards, or a folder of images"
RISKY = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".ckpt")


def read(
    source: Any,
    *,
    binarize: Binarize = False,
    image_size: tuple[int, int] | None = None,
    seed: int = 0,
    limit: int | None = None,
    stream: bool | None = None,
    progress: Stage | None = None,
) -> Data:
    """A data set to train on, split in three, with a schema that says what it is.

    Args:
        source: A named set ("fashion-small"; "mnist:FOLDER" for its files in a folder), a path to
            a folder of images or to a .npy, .npz or .safetensors ("FILE.npz#key" for one array),
            .csv, .tsv or .parquet file, an array, a tensor, or a table with named columns.
        binarize: Make every cell 0 or 1, cut at half of its range; or "dynamic": by a draw whose
            chance is the grey level, made anew each time a training sees the example, and once
            for validation and test.
        image_size: `(H, W)` that picture files are cropped and resized to.
        seed: Of the split; the same seed and contents give the same split everywhere.
        limit: The most examples to keep, at least 10.
        stream: Whether to leave the training examples on disk and read them while training: a
            file or folder larger than memory. None to do so where it is more than a quarter of
            the memory at hand.
        progress: Of a source that is left on disk, which takes passes through it: called with
            (what is done, rows done, rows in all).

    Raises:
        DataError: The data cannot be used; the message says why and what to do.
        UnknownNameError: No such named set.
        SettingError: An option has an impossible value.

    Example:
        >>> import numpy as np
        >>> data = read(np.random.default_rng(0).normal(size=(100, 3)))
        >>> data.schema.describe(), len(data.train), len(data.test)
        ('real vectors of 3', 80, 10)
    """
    check_limit(limit)
    check_size(image_size)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise SettingError(f"seed is a whole number, got {seed!r}")
    path = _path(source)
    place = _place(source, path)
    if stream and place is None:
        raise SettingError(
            "only a file or a folder can be streamed; save an array with np.save, a named set with "
            "lowerbound data pack NAME OUT"
        )
    if stream and binarize == "dynamic":
        raise SettingError("bits drawn anew are for data in memory; leave that, or stream out")
    if stream and limit is not None:
        raise SettingError("limit is for data in memory; leave it or stream out")
    stored = limit is None and stream is not False and binarize != "dynamic"
    if place is not None and stored:
        store = _guarded(
            place[0], lambda: open_store(*place, image_size=image_size, must=stream is True)
        )
        if store is not None and image_size is not None and not store.pictures:
            raise SettingError("image_size is for picture files; resize arrays before packing them")
        if store is not None:
            return build_stored(store, binarize=binarize is True, seed=seed, stage=progress)
    if path is not None and path.is_dir() and not find_idx(path):
        raw = _guarded(path, lambda: read_folder(path, image_size=image_size, limit=limit))
        limit = None
    elif path is not None and path.suffix.lower() in extensions():
        raise DataError(
            f"{path.name!r} is a single picture; training needs a folder of at least 10"
        )
    elif image_size is not None:
        raise SettingError("image_size is for picture files; resize an array before giving it")
    else:
        raw = _open(source, path)
    return build(raw, binarize=binarize, seed=seed, limit=limit)


def read_examples(
    source: Any, schema: Schema, *, binarize: bool = False, stream: bool | None = None
) -> tuple[Source, tuple[Note, ...]]:
    """New data for a trained model, unsplit and in their order.

    Pictures are resized and converted to the schema's shape; columns are matched by name, by
    position where they have none; columns that never varied are left out again.

    Args:
        source: As for `read`, or one picture file.
        schema: Of the model.
        binarize: Cut at half; data that were binarised for training are cut without it.
        stream: As for `read`.

    Returns:
        The examples, in memory or on disk, and what was noticed.

    Raises:
        ShapeError: The examples have another shape than the model's.
        DataError: They cannot be read, or hold values that the schema does not have.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(size=(100, 3))
        >>> examples, notes = read_examples(x[:5], read(x).schema)
        >>> len(examples), examples.shape
        (5, (3,))
    """
    path = _path(source)
    place = _place(source, path)
    if stream and place is None:
        raise SettingError(
            "only a file or a folder can be streamed; save an array with np.save, a named set with "
            "lowerbound data pack NAME OUT"
        )
    if place is not None and stream is not False:
        shape = schema.shape if schema.is_image else None
        store = _guarded(place[0], lambda: open_store(*place, shape=shape, must=stream is True))
        if store is not None:
            return coerce_stored(store, schema, binarize=binarize)
    pictures = path is not None and (
        (path.is_dir() and not find_idx(path)) or path.suffix.lower() in extensions()
    )
    if path is not None and pictures:
        if not schema.is_image:
            raise ShapeError(
                f"the model takes {schema.describe()}, and {path.name!r} holds pictures; "
                "give an array or a table"
            )
        channels, height, width = schema.shape
        if channels not in (1, 3):
            raise DataError(
                f"pictures have 1 or 3 channels, the model takes {channels}; give an array"
            )
        raw = _guarded(path, lambda: read_pictures(path, (channels, height, width)))
    else:
        raw = _open(source, path)
    return coerce(raw, schema, binarize=binarize)


def for_packing(source: str) -> tuple[Path | Raw, str | None]:
    """What `stored.pack.pack` takes: a file or folder and an array's name, or all of it, read.

    Raises:
        DataError: It cannot be read.
        UnknownNameError: No such named set.
    """
    path = _path(source)
    place = _place(source, path)
    if place is None:
        return _open(source, path), None
    packed = place[0].suffix.lower() in (".csv", ".tsv", ".txt") or (
        place[0].suffix.lower() == ".npz" and not uncompressed(place[0])
    )
    zipped = place[0].is_dir() and any(f.suffix == ".gz" for f in find_idx(place[0]).values())
    return (_open(source, path), None) if packed or zipped else place


def names() -> tuple[str, ...]:
    """What `read` knows by name.

    Example:
        >>> names()
        ('fashion-small', 'fashion-mnist', 'mnist', 'digits')
    """
    return tuple(named.name for named in named_sets())


def _named(source: str) -> tuple[NamedSet, Path | None] | None:
    name, colon, folder = source.partition(":")
    for named in named_sets():
        if named.name == name:
            return named, Path(folder).expanduser() if colon else None
    return None


def _path(source: object) -> Path | None:
    """The existing path that `source` is, or None: an array, a table, or a named set."""
    if isinstance(source, str) and _named(source) is not None:
        return None
    if not isinstance(source, str | os.PathLike):
        return None
    text = os.fspath(source)
    if not isinstance(text, str) or not text or "\0" in text:
        raise DataError(f"no such file or folder: {text!r}")
    path = Path(text).expanduser()
    try:
        if path.exists():
            return path
        archive, hashed, _ = text.rpartition("#")
        if hashed and Path(archive).expanduser().is_file():
            return None
    except OSError as error:
        raise DataError(f"cannot read {text[:80]!r}: {error.strerror}") from error
    bare = isinstance(source, str) and not path.suffix and os.sep not in text and "/" not in text
    if bare:
        raise UnknownNameError("file, folder or data set", text, names())
    raise DataError(f"no such file or folder: {text!r}")


def _place(source: object, path: Path | None) -> tuple[Path, str | None] | None:
    """A file or folder and the name of an array in it, as `open_store` takes them; None if none."""
    if path is not None:
        return path, None
    if not isinstance(source, str | os.PathLike) or _named(os.fspath(source)) is not None:
        return None
    archive, _, key = os.fspath(source).rpartition("#")
    return Path(archive).expanduser(), key


def _open(source: Any, path: Path | None) -> Raw:
    if path is not None:
        return _guarded(path, lambda: _open_path(path))
    if isinstance(source, str | os.PathLike):
        text = os.fspath(source)
        named = _named(text)
        if named is not None:
            known, folder = named
            if folder is not None and not folder.is_dir():
                raise DataError(
                    f"no such folder: {str(folder)!r}; give {known.name}:FOLDER of IDX files"
                )
            return known.load(folder)
        archive, _, key = text.rpartition("#")
        return _guarded(Path(archive), lambda: _open_array(Path(archive).expanduser(), key))
    if has_columns(source):
        return read_columns(source, "the table")
    return Raw("the array", ArrayRows(check_array(as_array(source, "the array"), "the array")))


def _open_array(path: Path, key: str) -> Raw:
    if path.suffix.lower() == ".safetensors":
        return read_store(open_safetensors(path, key))
    return read_npz(path, key)


def _open_path(path: Path) -> Raw:
    if path.is_dir():
        return read_idx_folder(path, repr(path.name))
    if not path.is_file():
        raise DataError(f"{str(path)!r} is neither a file nor a folder")
    if path.stat().st_size == 0:
        raise DataError(f"{path.name!r} is an empty file")
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return read_npy(path)
    if suffix == ".npz":
        return read_npz(path)
    if suffix == ".safetensors":
        return read_store(open_safetensors(path))
    if suffix in (".csv", ".tsv", ".txt"):
        return read_table(path)
    if suffix in (".parquet", ".pq"):
        return read_parquet(path)
    if suffix in RISKY:
        raise DataError(f"{path.name!r} may run code when it is loaded; save its numbers as .npy")
    if "ubyte" in path.name:
        raise DataError(f"{path.name!r} is one IDX file; give the folder that holds it")
    raise DataError(f"{path.name!r} is of no kind that can be read; give {FILES}")


def _guarded(path: Path, reader: Any) -> Any:
    """The reader's answer; a system error (permission, a vanished file) as a `DataError`."""
    try:
        return reader()
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
