"""The one form of data on disk: a folder of rows, their mask, and a manifest."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lowerbound.data.field import LeftOut
from lowerbound.data.notes import Note
from lowerbound.data.packed.flat import FlatRows
from lowerbound.data.raw import Column, Raw
from lowerbound.data.read.npy import read_npy
from lowerbound.data.reading import Reading
from lowerbound.data.schema_json import from_json
from lowerbound.errors import DataError, SettingError

MANIFEST, ROWS, OBSERVED, LABEL, PART, NAMES = (
    "manifest.json", "rows.npy", "observed.npy", "label.npy", "part.npy", "row_names.json",
)  # fmt: skip
FORMAT, VERSION = "lowerbound rows", 1
#: A manifest or list of names longer than this is none.
LONGEST = 2**30


@dataclass(frozen=True)
class Manifest:
    """All of a packed source but its numbers; see `Raw`."""

    where: str
    format: str = FORMAT
    version: int = VERSION
    names: tuple[str, ...] | None = None
    columns: tuple[Column, ...] | None = None
    label_names: tuple[str, ...] | None = None
    levels: int | None = None
    pictures: bool = False
    row_label: str | None = None
    notes: tuple[Note, ...] = ()
    reading: Reading = field(default_factory=Reading)
    order: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def is_packed(path: Path) -> bool:
    """Whether a path is a folder that `pack` wrote."""
    return path.is_dir() and (path / MANIFEST).is_file() and (path / ROWS).is_file()


def open_packed(folder: Path, options: Reading | None = None) -> Raw:
    """Open a folder that `pack` wrote; its rows stay on disk.

    Args:
        folder: It exists.
        options: Decisions of reading, of which only kinds are still open.

    Raises:
        DataError: It is damaged, or of a newer version.
        SettingError: Other decisions are to be taken than were when it was packed.
    """
    found = from_json(Manifest, _json(folder / MANIFEST), "manifest")
    if found.format != FORMAT or found.version > VERSION:
        raise DataError(f"{str(folder)!r} is of a newer version; install a newer lowerbound")
    masked = folder / OBSERVED
    rows = FlatRows(folder / ROWS, masked if masked.exists() else None)
    label, part, names = (folder / name for name in (LABEL, PART, NAMES))
    listed = _json(names) if names.exists() else None
    raw = Raw(
        found.where,
        rows,
        found.names,
        found.columns,
        read_npy(part)[:, 0].astype(np.int8) if part.exists() else None,
        read_npy(label)[:, 0] if label.exists() else None,
        found.label_names,
        found.levels,
        found.pictures,
        None if listed is None else tuple(map(str, listed)),
        found.row_label,
        found.notes,
        found.reading if options is None else _with_kinds(found.reading, options),
        order=found.order,
        left_out=found.left_out,
    )
    lengths = [len(one) for one in (raw.part, raw.label, raw.row_names) if one is not None]
    if any(length != len(raw) for length in lengths) or (
        raw.table is not None and rows.shape != (len(raw.table),)
    ):
        raise DataError(f"{str(folder)!r} is damaged: its files differ in length; pack it again")
    return raw


def _with_kinds(packed: Reading, options: Reading) -> Reading:
    if options.recorded:
        return packed
    late = set(options.told()) - {"binarize", "columns"}
    if late:
        raise SettingError(
            f"packed rows are as they were read then: give {', '.join(sorted(late))} to "
            "lowerbound data pack"
        )
    return replace(packed, binarize=options.binarize, columns=(*options.columns, *packed.columns))


def _json(path: Path):  # type: ignore[no-untyped-def]
    try:
        if path.stat().st_size > LONGEST:
            raise ValueError
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        again = f"make {path.parent.name!r} again with: lowerbound data pack SOURCE OUT"
        raise DataError(f"{str(path)!r} is missing or damaged; {again}") from error
