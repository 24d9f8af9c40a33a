"""Which rows of a store are trained on, by the contents of each; compare `splits`."""

import hashlib
from typing import Any

import numpy as np

from lowerbound.data.notes import Note
from lowerbound.data.raw import TEST, TRAIN, VALIDATION
from lowerbound.data.splits import (
    FRACTION,
    LARGEST_PART,
    content_keys,
    duplicates,
    record_of,
    refuse_few,
    take_groups,
)
from lowerbound.data.stored.facts import Progress
from lowerbound.data.stored.fitted import Fitted
from lowerbound.data.stored.rows import Span
from lowerbound.data.stored.sketch import Sketch
from lowerbound.data.stored.store import Store
from lowerbound.errors import DataError

#: Bytes that a held-out part takes in memory, at most: it is looked at again and again.
HELD_OUT_BYTES = 2**27


def hashes_of(fitted: Fitted, seed: int, progress: Progress | None = None) -> tuple[Sketch, bytes]:
    """The lowest hashes of those rows that are to be divided, and a digest of all rows."""
    store = fitted.store
    sketch, digest = Sketch(), hashlib.sha256()
    pool = store.spans(TRAIN)
    for start, rows in store.blocks():
        keys = content_keys(fitted(rows), seed)
        digest.update(keys.tobytes())
        places = np.arange(start, start + len(rows))
        for low, high in pool:
            inside = (places >= low) & (places < high)
            if inside.any():
                sketch.add(keys[inside], places[inside])
        if progress is not None:
            progress(start + len(rows), len(store))
    return sketch, digest.digest()


def divide(
    store: Store, fitted: Fitted, sketch: Sketch, seed: int
) -> tuple[dict[int, np.ndarray], dict[str, Any], tuple[Note, ...]]:
    """Rows of the parts that had to be made, a record for the run, and what was noticed."""
    rows, sizes = sketch.groups()
    distinct = sketch.distinct()
    refuse_few(sketch.count, distinct, store.where)
    largest = max(1, min(LARGEST_PART, HELD_OUT_BYTES // max(fitted.row_bytes, 1)))
    target = min(sketch.count // FRACTION or 1, largest)
    side = np.full(len(sizes), TRAIN)
    how, held = {}, {}
    for number, name in ((TEST, "test"), (VALIDATION, "validation")):
        given = bool(store.spans(number))
        how[name] = "given" if given else f"1/{FRACTION}, at most {largest}"
        if not given:
            take_groups(side, sizes, number, target)
    row_side = np.repeat(side, sizes)
    for number in (VALIDATION, TEST):
        if not store.spans(number):
            held[number] = rows[row_side == number]
    count = {
        part: sum(stop - start for start, stop in store.spans(part)) if part not in held
        else len(held[part])
        for part in (VALIDATION, TEST)
    }  # fmt: skip
    count[TRAIN] = sketch.count - sum(map(len, held.values()))
    if not count[TRAIN]:
        raise DataError(f"{store.where} leaves no examples to train on; give more")
    counts = (count[TRAIN], count[VALIDATION], count[TEST])
    record = record_of(
        seed, {"validation": how["validation"], "test": how["test"]}, counts, distinct
    )
    if sketch.complete:
        return held, record, duplicates(sketch.count, distinct)
    notes = ()
    if distinct < 0.9 * sketch.count:
        notes = (Note(f"about {distinct:,} of {sketch.count:,} examples are distinct"),)
    return held, {**record, "distinct": distinct, "estimated": True}, notes


def span_of(store: Store, part: int, held: dict[int, np.ndarray]) -> Span:
    """The rows of a given part without those that were taken out of it."""
    spans = store.spans(part)
    if not spans:
        return Span(0, 0, np.empty(0, np.int64))
    start, stop = min(low for low, _ in spans), max(high for _, high in spans)
    others = [
        np.arange(low, high)
        for known, low, high in store.parts or ()
        if known != part and start <= low < stop
    ]
    without = np.concatenate([np.empty(0, np.int64), *held.values(), *others])
    return Span(start, stop, np.sort(without.astype(np.int64)))
