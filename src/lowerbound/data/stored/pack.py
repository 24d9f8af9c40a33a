"""Any source as tar shards: samples of equal size, checksums, a manifest."""

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from lowerbound.data.raw import TRAIN, Raw
from lowerbound.data.stored.arrays import open_npy
from lowerbound.data.stored.manifest import (
    LABELS,
    NAME,
    PART_NAMES,
    Entry,
    Manifest,
    sha256_of,
)
from lowerbound.data.stored.open import open_store
from lowerbound.data.stored.store import Store
from lowerbound.data.stored.workers import in_workers
from lowerbound.errors import DataError, OutputError

SHARD_BYTES = 2**28
WORK = ".work"
BLOCK = 512
#: Bytes of a shard that are made at once.
AT_ONCE = 2**24


def pack(
    source: Path | Raw,
    out: Path,
    *,
    key: str | None = None,
    image_size: tuple[int, int] | None = None,
    shard_bytes: int = SHARD_BYTES,
    progress: Callable[[int, int], None] | None = None,
) -> Manifest:
    """Write all examples of a source as tar archives, several at a time.

    A sample is `000000000.npy`, its values as they were found (pictures decoded and resized), and
    `000000000.cls`, its class, where there are classes. Each archive is written under another name,
    flushed and renamed, and recorded with its checksum; a packing that was interrupted goes on
    with those that are missing.

    Args:
        source: A file or folder, or what a reader found in one that cannot be read in parts.
        out: A folder: a new one, an empty one, or one that this was begun in.
        key: Which array of an archive.
        image_size: `(H, W)` that picture files are cropped and resized to.
        shard_bytes: Of an archive, about.
        progress: Called with (examples done, examples in all).

    Returns:
        The manifest, which is the last thing written.

    Raises:
        DataError: The source cannot be read.
        OutputError: `out` holds other things, or cannot be written.
    """
    work = out / WORK
    if (out / NAME).exists():
        raise OutputError(f"{out} is packed already; choose another place")
    if out.exists() and not work.is_dir() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} holds other things and is left alone; choose another place")
    try:
        work.mkdir(parents=True, exist_ok=True)
        found = _opened_source(source, work, key, image_size)
        store = _opened(json.dumps(found))
        if isinstance(source, Raw):
            store = _with_facts(store, source)
        plan = _plan(store, shard_bytes)
        _same_plan(work, _identity(source, key, image_size, shard_bytes, plan))
        labels = None
        if store.label is not None:
            np.save(out / LABELS, store.label, allow_pickle=False)
            labels = sha256_of(out / LABELS)
        entries = _shards(store, out, plan, found, progress)
        manifest = Manifest(
            store.where, entries, store.names, store.parts is not None, labels, store.label_names,
            store.levels, store.pictures, store.notes,
        )  # fmt: skip
        _atomically(out / NAME, manifest.to_json())
        shutil.rmtree(work, ignore_errors=True)
        return manifest
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        why = (error.strerror or str(error)).lower()
        raise OutputError(
            f"cannot write {out}: {why}; what is done is kept: the same command goes on"
        ) from error


def _opened_source(
    source: Path | Raw, work: Path, key: str | None, image_size: tuple[int, int] | None
) -> dict[str, Any]:
    """How a worker opens the source, as JSON values."""
    if isinstance(source, Raw):
        path = work / "values.npy"
        order = _by_part(source)
        if not path.exists():
            draft = path.with_suffix(".draft")
            with draft.open("wb") as file:
                np.save(file, np.ascontiguousarray(source.values[order]), allow_pickle=False)
            os.replace(draft, path)
        return {"npy": os.fspath(path)}
    return {
        "path": os.fspath(source.absolute()),
        "key": key,
        "image_size": image_size,
        "cache": os.fspath(work.absolute() / "decoded"),
    }


@lru_cache(maxsize=2)
def _opened(text: str) -> Store:
    found = json.loads(text)
    if "npy" in found:
        return open_npy(Path(found["npy"]))
    size = found["image_size"]
    store = open_store(
        Path(found["path"]),
        found["key"],
        image_size=None if size is None else (int(size[0]), int(size[1])),
        must=True,
        cache=Path(found["cache"]),
    )
    if store is None:
        raise DataError(f"{found['path']} cannot be read")
    return store


def _by_part(raw: Raw) -> np.ndarray:
    part = np.zeros(len(raw), np.int8) if raw.part is None else raw.part
    return np.argsort(part, kind="stable")


def _with_facts(store: Store, raw: Raw) -> Store:
    """The store of a source's values with what else is known of it."""
    order, parts = _by_part(raw), None
    if raw.part is not None:
        ends = np.cumsum([0, *np.bincount(raw.part, minlength=3)]).tolist()
        parts = tuple((k, ends[k], ends[k + 1]) for k in range(3) if ends[k] < ends[k + 1])
    label = None
    if raw.label is not None:
        label = raw.label[order].astype(np.min_scalar_type(int(raw.label.max())))
    return replace(
        store, where=raw.where, names=raw.names, parts=parts, label=label,
        label_names=raw.label_names, levels=raw.levels, pictures=raw.pictures, notes=raw.notes,
    )  # fmt: skip


def _plan(store: Store, shard_bytes: int) -> list[tuple[str, int, int, int]]:
    """(name, part, start, stop) of each shard."""
    each = max(1, shard_bytes // len(template(store)[0]))
    found = []
    for part, start, stop in store.parts or ((TRAIN, 0, len(store)),):
        for number, first in enumerate(range(start, stop, each)):
            name = f"{PART_NAMES[part]}-{number:06}.tar"
            found.append((name, part, first, min(first + each, stop)))
    return found


def _identity(
    source: Path | Raw, key: str | None, image_size: object, shard_bytes: int, plan: object
) -> str:
    if isinstance(source, Raw):
        what: object = hashlib.sha256(np.ascontiguousarray(source.values).data).hexdigest()
    else:
        files = [source] if source.is_file() else sorted(source.rglob("*"))
        what = [
            [os.fspath(f.absolute()), f.stat().st_size, f.stat().st_mtime_ns]
            for f in files
            if f.is_file()
        ]
    text = json.dumps([what, key, image_size, shard_bytes, plan], default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _same_plan(work: Path, identity: str) -> None:
    path = work / "plan"
    if path.exists() and path.read_text() != identity:
        raise OutputError(
            f"{work.parent} holds the beginning of another packing, or its source has changed; "
            "remove it or choose another place"
        )
    path.write_text(identity)


def _shards(
    store: Store,
    out: Path,
    plan: list[tuple[str, int, int, int]],
    found: dict[str, Any],
    progress: Callable[[int, int], None] | None,
) -> tuple[Entry, ...]:
    """Write the shards that are missing; all of them."""
    entries = {name: _recorded(out, name) for name, _, _, _ in plan}
    todo = [step for step in plan if entries[step[0]] is None]
    jobs = (
        {
            "do": "shard", "source": found, "out": os.fspath(out.absolute()), "name": name,
            "part": part, "start": start, "stop": stop, "labels": store.label is not None,
        }
        for name, part, start, stop in todo
    )  # fmt: skip
    done = sum(entry.samples for entry in entries.values() if entry is not None)
    for step, answer in zip(todo, in_workers(jobs), strict=True):
        entries[step[0]] = Entry(**answer["entry"])
        done += step[3] - step[2]
        if progress is not None:
            progress(done, len(store))
    return tuple(entry for entry in entries.values() if entry is not None)


def _recorded(out: Path, name: str) -> Entry | None:
    """What is recorded of a shard, if the shard is there and is that."""
    try:
        entry = Entry(**json.loads((out / WORK / f"{name}.json").read_text()))
        return entry if sha256_of(out / name) == entry.sha256 else None
    except (OSError, ValueError, TypeError):
        return None


def template(store: Store) -> tuple[np.ndarray, int, int]:
    """A whole sample with zeros for its values, where these begin, and where its class does.

    Returns:
        Bytes `(S,)`; the place of the values; the place of the class, -1 without classes.
    """
    head = io.BytesIO()
    kind = np.lib.format.dtype_to_descr(store.dtype.newbyteorder("<"))
    np.lib.format.write_array_header_1_0(
        head, {"descr": kind, "fortran_order": False, "shape": store.shape}
    )
    body = _member(".npy", head.getvalue(), store.row_bytes)
    if store.label is None:
        return np.frombuffer(body, np.uint8), BLOCK + len(head.getvalue()), -1
    class_ = _member(".cls", b"", len(str(int(store.label.max()))))
    whole = np.frombuffer(body + class_, np.uint8)
    return whole, BLOCK + len(head.getvalue()), len(body) + BLOCK


def _member(ending: str, start: bytes, zeros: int) -> bytes:
    info = tarfile.TarInfo(f"{0:09}{ending}")
    info.size = len(start) + zeros
    body = start + bytes(zeros)
    return info.tobuf(tarfile.USTAR_FORMAT) + body + bytes(-len(body) % BLOCK)


def samples(store: Store, start: int, stop: int) -> np.ndarray:
    """The samples `start` to `stop - 1` as they stand in an archive, bytes `(N, S)`."""
    form, values, class_ = template(store)
    whole = np.tile(form, (stop - start, 1))
    rows = np.ascontiguousarray(store.read(start, stop))
    rows = rows.astype(rows.dtype.newbyteorder("<"), copy=False)
    whole[:, values : values + store.row_bytes] = rows.reshape(len(rows), -1).view(np.uint8)
    numbers = np.arange(start, stop)
    _name(whole[:, :BLOCK], numbers)
    if store.label is not None:
        _name(whole[:, class_ - BLOCK : class_], numbers)
        width = len(str(int(store.label.max())))
        whole[:, class_ : class_ + width] = _digits(store.label[start:stop], width)
    return whole


def _digits(numbers: np.ndarray, width: int) -> np.ndarray:
    """Decimal digits as characters, `(N, width)`."""
    powers = 10 ** np.arange(width - 1, -1, -1)
    return (numbers.astype(np.int64)[:, None] // powers % 10 + ord("0")).astype(np.uint8)


def _name(headers: np.ndarray, numbers: np.ndarray) -> None:
    """Put nine digits into headers `(N, 512)`, and the checksum that they then have."""
    headers[:, :9] = _digits(numbers, 9)
    headers[:, 148:156] = ord(" ")
    sums = headers.sum(axis=1, dtype=np.int64)
    octal = sums[:, None] // 8 ** np.arange(5, -1, -1) % 8 + ord("0")
    headers[:, 148:154] = octal.astype(np.uint8)
    headers[:, 154] = 0


def write_shard(job: dict[str, Any]) -> dict[str, Any]:
    """Write one archive; what a worker does.

    Args:
        job: "source", "out", "name", "part", "start", "stop", "labels".

    Returns:
        "entry", what the manifest says of it.
    """
    store = _opened(json.dumps(job["source"]))
    out, name = Path(job["out"]), str(job["name"])
    label = np.load(out / LABELS, allow_pickle=False, mmap_mode="r") if job["labels"] else None
    store = replace(store, label=label)
    form, values, _ = template(store)
    each = max(1, AT_ONCE // len(form))
    digest, size = hashlib.sha256(), 0
    draft = out / f".{name}.{os.getpid()}"
    try:
        with draft.open("wb") as file:
            for start in range(job["start"], job["stop"], each):
                body = samples(store, start, min(start + each, job["stop"])).data
                digest.update(body)
                size += file.write(body)
            end = bytes(2 * BLOCK)
            digest.update(end)
            size += file.write(end)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, out / name)
    finally:
        draft.unlink(missing_ok=True)
    entry = Entry(
        name, job["part"], job["stop"] - job["start"], size, digest.hexdigest(),
        first=BLOCK, stride=len(form), size=values - BLOCK + store.row_bytes,
    )  # fmt: skip
    _atomically(out / WORK / f"{name}.json", json.dumps(asdict(entry)).encode())
    return {"entry": asdict(entry)}


def _atomically(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
