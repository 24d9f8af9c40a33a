"""Findings about a source on disk, remembered while its files stay the same."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from lowerbound.data.facts import Facts
from lowerbound.data.notes import Note
from lowerbound.data.raw import Raw
from lowerbound.data.read.download import cache_folder
from lowerbound.data.rows import row_bytes
from lowerbound.data.schema import Schema
from lowerbound.data.schema_json import from_json, to_json
from lowerbound.data.splits import Split
from lowerbound.data.survey import Survey
from lowerbound.errors import LowerboundError

#: Passes through fewer bytes than this take no time worth remembering.
WORTH = 2**26
VERSION = 3
ARRAYS = ("known", "low", "high", "first", "second", "whole", "more")


def remembered(raw: Raw, how: tuple[Any, ...], find_out: Callable[[], Survey]) -> Survey:
    """Recall the survey of a source that was made in this way, or make it."""
    files = getattr(raw.rows, "files", ())
    if not files or len(raw) * row_bytes(raw.rows) < WORTH:
        return find_out()
    place = cache_folder("surveys") / f"{_key(raw, files, how)}.json"
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, LowerboundError):
        digest, text = place.read_text().split("\n", 1)
        if digest == hashlib.sha256(text.encode()).hexdigest():
            return _read(json.loads(text), raw)
    found = find_out()
    with suppress(OSError):  # it is found out again next time
        place.parent.mkdir(parents=True, exist_ok=True)
        draft, text = place.with_suffix(".draft"), json.dumps(_written(found))
        draft.write_text(f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}")
        draft.replace(place)
    return found


def _written(found: Survey) -> dict[str, Any]:
    facts = found.facts
    return {
        "facts": {name: getattr(facts, name).tolist() for name in ARRAYS},
        "count": facts.count,
        "extreme": facts.extreme,
        "schema": found.schema.to_json(),
        "held": {str(part): rows.tolist() for part, rows in found.split.held.items()},
        "record": found.split.record,
        "notes": [to_json(note) for note in found.notes],
        "fingerprint": found.fingerprint,
    }


def _read(values: dict[str, Any], raw: Raw) -> Survey:
    """Read the survey that `_written` made; a damaged one raises one of several errors."""
    facts = Facts(raw.rows.shape)
    facts.count, facts.extreme = int(values["count"]), values["extreme"] is True
    for name in ARRAYS:
        kind = getattr(facts, name)
        setattr(facts, name, np.array(values["facts"][name], kind.dtype).reshape(kind.shape))
    held = {int(part): np.array(rows, np.int64) for part, rows in values["held"].items()}
    if any(len(rows) and not 0 <= rows.min() <= rows.max() < len(raw) for rows in held.values()):
        raise ValueError
    notes = tuple(from_json(Note, note, "note") for note in values["notes"])
    return Survey(
        facts,
        Schema.from_json(values["schema"]),
        Split(held, None, dict(values["record"])),
        notes,
        str(values["fingerprint"]),
    )


def _key(raw: Raw, files: tuple[Path, ...], how: tuple[Any, ...]) -> str:
    """Name this source as it is now, read in this way."""
    stats = [(str(file.absolute()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    facts = (VERSION, len(raw), raw.rows.shape, str(raw.rows.dtype), raw.table, raw.levels)
    rest = (raw.pictures, raw.where, raw.reading, how)
    digest = hashlib.sha256(repr((stats, facts, rest)).encode("utf-8", "surrogateescape"))
    for array in (raw.part, raw.label):
        digest.update(b"" if array is None else array.astype("<i8").tobytes())
    return digest.hexdigest()[:40]
