"""From what a reader found to a data set."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import torch

from lowerbound.data.condition import with_conditions
from lowerbound.data.dataset import Data, identity
from lowerbound.data.grey import Grey, drawn_once
from lowerbound.data.loading import load
from lowerbound.data.notes import Note
from lowerbound.data.packed.examples import part_of
from lowerbound.data.packed.remember import remembered
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

    found = remembered(
        raw, (binarize, seed, test), lambda: survey(raw, binarize, seed, test=test, stage=stage)
    )
    record = found.split.record
    whole = hashlib.sha256(identity(found.schema))
    whole.update(found.fingerprint.encode())
    counts = {key: record[key] for key in ("seed", "counts", "validation", "test")}
    whole.update(json.dumps(counts, sort_keys=True).encode())
    train, validation, test_part = _parts(raw, found, seed)
    if raw.condition is not None:
        whole.update(raw.condition.astype("<i8").tobytes())
    return Data(
        schema=with_conditions(found.schema, raw, np.concatenate(list(found.split.held.values()))),
        train=train,
        validation=validation,
        test=test_part,
        source=raw.where,
        notes=(*raw.notes, *found.notes),
        split={**record, "limit": limit},
        fingerprint=whole.hexdigest(),
    )


def _parts(raw: Raw, found: Survey, seed: int) -> list[Source]:
    """Make the parts for training, validation and test."""
    fitting, facts, order = found.fitting(raw), found.facts, found.split.train
    held = [found.split.held[part] for part in (VALIDATION, TEST)]
    without = np.concatenate(held)
    white = found.schema.white
    if white is None:
        order = order if raw.rows.in_memory else None
        train = part_of(raw, fitting, facts, order, without)
        return [train, *(part_of(raw, fitting, facts, rows) for rows in held)]
    grey = load(raw, fitting, np.arange(len(raw)))
    bits = torch.from_numpy(drawn_once(grey.x.numpy(), white, seed))
    drawn = replace(grey, x=bits, grey=Grey(grey.x, white))
    order = np.setdiff1d(np.arange(len(raw)), without) if order is None else order
    return [drawn.select(torch.from_numpy(rows)) for rows in (order, *held)]


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
        condition=None if raw.condition is None else raw.condition[rows],
        row_names=None if names is None else tuple(names[row] for row in rows.tolist()),
        notes=(*raw.notes, note),
    )
