"""Any source as a folder of rows, written a part at a time."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lowerbound.data.facts import known
from lowerbound.data.kinds import MOST_LEVELS
from lowerbound.data.notes import Note
from lowerbound.data.packed.folder import LABEL, MANIFEST, NAMES, OBSERVED, PART, ROWS, Manifest
from lowerbound.data.raw import Column, Raw
from lowerbound.data.rows import Block, blocks
from lowerbound.data.schema_json import to_json
from lowerbound.errors import DataError, OutputError

Progress = Callable[[int], None]


def write(out: Path, parts: Iterable[Raw], progress: Progress | None = None) -> int:
    """Write a source that comes in parts into a new folder, which appears whole or not at all.

    Args:
        out: The folder.
        parts: One below the other; the first decides shape, type, columns and reading.
        progress: Called with the number of rows written, which is also returned.

    Raises:
        DataError: The source cannot be read, or a part differs from the first.
        OutputError: `out` exists, or cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} holds other things and is left alone; choose another place")
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir()
        count = _written(draft, parts, progress or (lambda done: None))
        if out.is_dir():
            out.rmdir()
        draft.rename(out)
        return count
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise OutputError(f"cannot write {out}: {why}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _written(folder: Path, parts: Iterable[Raw], tell: Progress) -> int:
    first, gaps = None, False
    words = Words()
    labels, own, names, notes = [], [], [], Counter()
    examples: dict[str, tuple[str, ...]] = {}
    with ExitStack() as stack:
        rows = stack.enter_context(Appended(folder / ROWS))
        mask = stack.enter_context(Appended(folder / OBSERVED))
        for raw in parts:
            first = raw if first is None else first
            if raw.rows.shape != first.rows.shape:
                raise DataError(f"{raw.where} changes its shape at row {rows.count:,}")
            codes = words.join(raw, rows.count)
            for _, block in blocks(raw.rows):
                values, observed = known(block)
                block = codes(Block(values, observed))
                rows.add(block.values.astype(first.rows.dtype, copy=False))
                shown = np.ones(values.shape, bool) if observed is None else observed
                mask.add(shown)
                gaps |= observed is not None
                tell(rows.count)
            labels += [] if raw.label is None else [raw.label]
            own += [] if raw.part is None else [raw.part]
            names += raw.row_names or ()
            for note in raw.notes:
                notes[note.what] = note.count if not note.count else notes[note.what] + note.count
                examples.setdefault(note.what, note.examples)
    if first is None:
        raise DataError("there is nothing to pack: the source has no rows")
    if not gaps:
        (folder / OBSERVED).unlink()
    for name, arrays in ((LABEL, labels), (PART, own)):
        if sum(map(len, arrays)) == rows.count:
            np.save(folder / name, np.concatenate(arrays), allow_pickle=False)
    if len(names) == rows.count:
        (folder / NAMES).write_text(json.dumps(names), encoding="utf-8")
    manifest = Manifest(
        first.where,
        names=first.names,
        columns=words.columns(first),
        label_names=first.label_names if labels else None,
        levels=first.levels,
        pictures=first.pictures,
        row_label=first.row_label,
        notes=tuple(Note(what, count, examples[what]) for what, count in notes.items()),
        reading=first.reading,
        order=first.order,
        left_out=first.left_out,
    )
    text = json.dumps({"format": manifest.format, "version": manifest.version, **to_json(manifest)})
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return rows.count


class Appended:
    """A `.npy` file that grows by rows; its header is written again at the end."""

    ROOM = 256

    def __init__(self, path: Path) -> None:
        self.path, self.count = path, 0
        self.like: np.ndarray | None = None

    def __enter__(self) -> "Appended":
        self.file: BinaryIO = self.path.open("wb")
        self.file.write(b"\0" * self.ROOM)
        return self

    def add(self, rows: np.ndarray) -> None:
        """Append rows."""
        self.like = rows[:0] if self.like is None else self.like
        self.file.write(np.ascontiguousarray(rows).data)
        self.count += len(rows)

    def __exit__(self, *error: object) -> None:
        like = np.empty((0, 1)) if self.like is None else self.like
        shape = (self.count, *like.shape[1:])
        head = repr({"descr": like.dtype.str, "fortran_order": False, "shape": shape}).encode()
        self.file.seek(0)
        space = self.ROOM - 10 - len(head) - 1
        size = (self.ROOM - 10).to_bytes(2, "little")
        self.file.write(b"\x93NUMPY\x01\x00" + size + head + b" " * space + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()


class Words:
    """The words of each column over all parts, and what the columns are in the end."""

    def __init__(self) -> None:
        self.known: list[dict[str, int] | None] = []
        self.found: list[Column] = []

    def join(self, raw: Raw, start: int) -> Callable[[Block], Block]:
        """Take in the columns of a part; returns what makes common codes of its own."""
        table = raw.table or ()
        if not self.found:
            self.found = list(table)
            self.known = [None if one.categories is None else {} for one in table]
        luts: dict[int, np.ndarray] = {}
        for place, (one, words) in enumerate(zip(table, self.known, strict=True)):
            if (one.categories is None) != (words is None):
                how = "words" if words is None else "numbers"
                raise DataError(
                    f"column {one.name!r} of {raw.where} holds {how} from row {start:,} on; say "
                    f"its kind with --column {one.name}=categorical"
                )
            if words is not None and one.categories:
                places = [words.setdefault(word, len(words)) for word in one.categories]
                luts[place] = np.array(places)
                if len(words) > MOST_LEVELS:
                    raise DataError(
                        f"column {one.name!r} of {raw.where} holds over {MOST_LEVELS:,} different "
                        "words; leave it out"
                    )
            old = self.found[place]
            digits = [one.decimals, old.decimals]
            most = None if None in digits else max(d for d in digits if d is not None)
            self.found[place] = replace(old, whole=old.whole and one.whole, decimals=most)

        def codes(block: Block) -> Block:
            if not luts:
                return block
            values = block.values.copy()
            for place, lut in luts.items():
                own = np.where(np.isnan(values[:, place]), 0, values[:, place]).astype(np.int64)
                values[:, place] = lut[own]
            return Block(values, block.observed)

        return codes

    def columns(self, first: Raw) -> tuple[Column, ...] | None:
        """Say what the columns are, all parts seen."""
        if first.table is None:
            return None
        return tuple(
            one if words is None else replace(one, categories=tuple(words))
            for one, words in zip(self.found, self.known, strict=True)
        )
