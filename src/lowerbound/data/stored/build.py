"""From a store to a data set: infer, split, measure, in passes that hold a block each."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from lowerbound.data.build import fields_of, measured
from lowerbound.data.examples import Data, Examples
from lowerbound.data.notes import Note
from lowerbound.data.raw import TEST, TRAIN, VALIDATION
from lowerbound.data.schema import Schema
from lowerbound.data.source import Source
from lowerbound.data.stored.division import HELD_OUT_BYTES, divide, hashes_of, span_of
from lowerbound.data.stored.examples import StoredExamples
from lowerbound.data.stored.facts import Facts, facts_of
from lowerbound.data.stored.fitted import Fitted, fit_to
from lowerbound.data.stored.infer import infer_stored
from lowerbound.data.stored.moments import Moments
from lowerbound.data.stored.rows import Span
from lowerbound.data.stored.store import Store

Stage = Callable[[str, int, int], None]


def build_stored(
    store: Store, *, binarize: bool = False, seed: int = 0, stage: Stage | None = None
) -> Data:
    """A data set out of a store, whose training part stays where it is.

    The schema is what `build` would infer. Validation and test parts follow from the contents of
    the examples by the same rule, and are the very same where a source has no more than 131,072
    rows; where a row takes so much that 5,000 of them fill more than 128 MiB, they are fewer. They
    are kept in memory unless the source gives larger ones. Location and unit are measured in one
    pass through the training part.

    Args:
        store: All rows.
        binarize: Make every cell 0 or 1.
        seed: Of the split.
        stage: Called with (what is done, rows done, rows in all).

    Raises:
        DataError: The examples cannot be modelled, or are too few.
    """
    tell = stage or (lambda what, done, total: None)
    facts = facts_of(store, lambda done, total: tell("looking at", done, total))
    fitted, notes = infer_stored(store, facts, binarize=binarize)
    sketch, digest = hashes_of(fitted, seed, lambda done, total: tell("hashing", done, total))
    held, record, more = divide(store, fitted, sketch, seed)
    train = span_of(store, TRAIN, held)
    names = None if not fitted.schema.is_table else tuple(f.name for f in fitted.schema.fields)
    if fitted.schema.kind == "real":
        moments = Moments.of(fitted, train, lambda done, total: tell("measuring", done, total))
        location, unit, told = measured(*moments.judged(), names, store.where)
        shape = fitted.schema.shape
        fields = fields_of(names, "real", shape, None, location, unit)
        fitted = replace(fitted, schema=replace(fitted.schema, fields=fields))
        more += told
    witness = _witness(fitted, facts)

    def part(number: int) -> Source:
        if number in held:
            return _loaded(fitted, held[number])
        span = span_of(store, number, {})
        if len(span) * fitted.row_bytes <= HELD_OUT_BYTES:
            return _loaded(fitted, np.arange(span.start, span.stop))
        return StoredExamples(fitted, span, witness)

    return Data(
        schema=fitted.schema,
        train=StoredExamples(fitted, train, witness),
        validation=part(VALIDATION),
        test=part(TEST),
        source=store.where,
        notes=(*store.notes, *notes, *more),
        split={**record, "limit": None},
        fingerprint=_fingerprint(fitted, digest),
    )


def coerce_stored(
    store: Store, schema: Schema, *, binarize: bool = False
) -> tuple[StoredExamples, tuple[Note, ...]]:
    """All rows of a store, in their order, as a schema stores them; compare `coerce`.

    Raises:
        ShapeError: The rows have another shape.
        DataError: Values that the schema does not have, or columns that are missing.
    """
    facts = facts_of(store)
    fitted = fit_to(schema, store, facts, binarize=binarize)
    some = store.read(0, min(len(store), 16))
    notes = fitted.notes(some)
    span = Span(0, len(store), np.empty(0, np.int64))
    for _, rows in store.blocks():
        fitted(rows)  # refused before any work is done
    return StoredExamples(fitted, span, _witness(fitted, facts)), (*store.notes, *notes)


def _loaded(fitted: Fitted, rows: np.ndarray) -> Examples:
    store = fitted.store
    order = np.argsort(rows, kind="stable")
    values = np.empty((len(rows), *fitted.schema.shape), fitted.dtype)
    values[order] = fitted(store.take(rows[order]))
    label = None if store.label is None else torch.from_numpy(store.label[rows].astype(np.int64))
    return Examples(torch.from_numpy(values), None, label, store.label_names)


def _witness(fitted: Fitted, facts: Facts) -> Tensor:
    """Examples `(3, *shape)` with the smallest value, the largest and, if there is one, a half."""
    schema = fitted.schema
    if schema.levels is not None:
        low, high = (0, 1) if schema.kind == "binary" else (facts.low, facts.high)
        half = low
    else:
        low, high = facts.low, facts.high
        half = low if bool(facts.whole.all()) else low + (high - low) / np.pi
    values = torch.tensor([low, high, half], dtype=schema.dtype)
    return values.reshape(-1, *(1,) * len(schema.shape)).expand(3, *schema.shape)


def _fingerprint(fitted: Fitted, digest: bytes) -> str:
    """sha256 over the schema, the hashes of all rows, their parts and their classes."""
    store = fitted.store
    whole = hashlib.sha256(json.dumps(fitted.schema.to_json(), sort_keys=True).encode())
    whole.update(b"stored;" + digest + repr(store.parts).encode())
    if store.label is not None:
        whole.update(np.ascontiguousarray(store.label.astype("<i8")).data)
    return whole.hexdigest()
