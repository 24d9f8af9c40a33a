"""From what a reader found to a data set."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import torch

from lowerbound.data.dataset import Data, identity
from lowerbound.data.loading import with_draws
from lowerbound.data.notes import Note
from lowerbound.data.packed.remember import remembered
from lowerbound.data.parts import part_of
from lowerbound.data.raw import TEST, VALIDATION, Raw
from lowerbound.data.reading import Binarize
from lowerbound.data.rows import ArrayRows, blocks
from lowerbound.data.sketch import KEPT
from lowerbound.data.source import Source
from lowerbound.data.splits import Hashes
from lowerbound.data.survey import Stage, Survey, survey
from lowerbound.errors import SettingError


def build(
    raw: Raw,
    *,
    binarize: Binarize = False,
    seed: int = 0,
    limit: int | None = None,
    test: bool = True,
    stage: Stage | None = None,
) -> Data:
    """Make a data set of what a reader found.

    Args:
        raw: All examples; those that are not in memory stay where they are.
        binarize: Make every cell 0 or 1: see `read`.
        seed: Of the split, and of the draw of a dynamic binarisation.
        limit: The most examples to keep, over all parts in proportion; None for all.
        test: Whether to set a test part aside; without it, that part is empty.
        stage: Called with (what is done, rows done, rows in all) where that takes a while.

    Raises:
        DataError: The examples cannot be modelled, or are too few.
        SettingError: No test part is wanted, but the source says which examples are its own.
    """
    if not test and raw.part is not None:
        raise SettingError(
            f"{raw.where} has parts of its own; leave them out, or keep its test part"
        )
    if binarize not in (True, False, "dynamic"):
        raise SettingError(f"binarize is True, False or 'dynamic', got {binarize!r}")
    if limit is not None and limit < len(raw):
        raw = _limited(raw, limit, seed)
    if binarize == "dynamic" and not raw.rows.in_memory:
        raise SettingError("bits drawn anew are for data in memory; leave that, or stream out")

    def find_out() -> Survey:
        return survey(raw, binarize=binarize, seed=seed, test=test, stage=stage)

    in_memory = raw.rows.in_memory
    found = find_out() if in_memory else remembered(raw, (binarize, seed, test), find_out)
    train, held = _parts(raw, found, seed)
    return Data(
        schema=found.schema,
        train=train,
        validation=held[VALIDATION],
        test=held[TEST],
        source=raw.where,
        notes=(*raw.notes, *found.notes),
        split={**found.split.record, "limit": limit},
        fingerprint=_fingerprint(found),
    )


def _parts(raw: Raw, found: Survey, seed: int) -> tuple[Source, dict[int, Source]]:
    """Make the training part, and the others."""
    made, fitting = found.split, found.fitting(raw)
    without = np.concatenate(list(made.held.values()))
    if found.schema.white is not None:
        drawn = with_draws(raw, fitting, seed)
        rest = np.setdiff1d(np.arange(len(raw)), without) if made.train is None else made.train
        train, *others = (
            drawn.select(torch.from_numpy(rows)) for rows in (rest, *made.held.values())
        )
        return train, dict(zip(made.held, others, strict=True))
    order = made.train if raw.rows.in_memory else None
    return part_of(raw, fitting, found.facts, order, without), {
        part: part_of(raw, fitting, found.facts, rows) for part, rows in made.held.items()
    }


def _limited(raw: Raw, limit: int, seed: int) -> Raw:
    """Keep at most so many examples, chosen by content, in memory and in their first order."""
    hashes = Hashes(seed, raw.part, kept=max(KEPT, limit))
    for start, block in blocks(raw.rows):
        hashes.add(start, block)
    rows = hashes.lowest(limit)
    block = raw.rows.take(rows)
    names = raw.row_names
    note = Note(f"limited to {len(rows):,} of {len(raw):,} examples, by content")
    return replace(
        raw,
        rows=ArrayRows(block.values, block.observed),
        part=None if raw.part is None else raw.part[rows],
        label=None if raw.label is None else raw.label[rows],
        row_names=None if names is None else tuple(names[row] for row in rows.tolist()),
        notes=(*raw.notes, note),
    )


def _fingerprint(found: Survey) -> str:
    """sha256 over the schema, the contents of all rows, their parts and their classes."""
    whole = hashlib.sha256(identity(found.schema))
    whole.update(found.fingerprint.encode())
    counts = {key: found.split.record[key] for key in ("seed", "counts", "validation", "test")}
    whole.update(json.dumps(counts, sort_keys=True).encode())
    return whole.hexdigest()
