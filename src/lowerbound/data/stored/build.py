"""From a store to a data set: infer, split, measure, in passes that hold a block each."""

import numpy as np
import torch
from torch import Tensor

from lowerbound.data.examples import Data, Examples
from lowerbound.data.notes import Note
from lowerbound.data.raw import TEST, TRAIN, VALIDATION
from lowerbound.data.schema import Schema
from lowerbound.data.source import Source
from lowerbound.data.stored.division import HELD_OUT_BYTES, span_of
from lowerbound.data.stored.examples import StoredExamples
from lowerbound.data.stored.facts import facts_of
from lowerbound.data.stored.fitted import Fitted, fit_to
from lowerbound.data.stored.rows import Span
from lowerbound.data.stored.store import Store
from lowerbound.data.stored.survey import Stage, extremes_of, survey


def build_stored(
    store: Store, *, binarize: bool = False, seed: int = 0, stage: Stage | None = None
) -> Data:
    """A data set out of a store, whose training part stays where it is.

    The schema is what `build` would infer. Validation and test parts follow from the contents of
    the examples by the same rule, and are the very same where a source has no more than 131,072
    rows; where a row takes so much that 5,000 of them fill more than 128 MiB, they are fewer. They
    are kept in memory unless the source gives larger ones. Location and unit are measured in one
    pass through the training part. What passes find out is remembered in the user's cache as long
    as the files stay the same.

    Args:
        store: All rows.
        binarize: Make every cell 0 or 1.
        seed: Of the split.
        stage: Called with (what is done, rows done, rows in all).

    Raises:
        DataError: The examples cannot be modelled, or are too few.
    """
    found = survey(store, binarize=binarize, seed=seed, stage=stage)
    fitted, held = found.fitted, found.held
    witness = _witness(fitted.schema, found.extremes)

    def part(number: int) -> Source:
        if number in held:
            return _loaded(fitted, held[number])
        span = span_of(store, number, {})
        if len(span) * fitted.row_bytes <= HELD_OUT_BYTES:
            return _loaded(fitted, np.arange(span.start, span.stop))
        return StoredExamples(fitted, span, witness)

    return Data(
        schema=fitted.schema,
        train=StoredExamples(fitted, span_of(store, TRAIN, held), witness),
        validation=part(VALIDATION),
        test=part(TEST),
        source=store.where,
        notes=(*store.notes, *found.notes),
        split={**found.record, "limit": None},
        fingerprint=found.fingerprint,
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
    if not fitted.as_they_are:
        for _, rows in store.blocks():
            fitted(rows)  # refused before any work is done
    witness = _witness(schema, extremes_of(fitted, facts))
    return StoredExamples(fitted, span, witness), (*store.notes, *notes)


def _loaded(fitted: Fitted, rows: np.ndarray) -> Examples:
    store = fitted.store
    order = np.argsort(rows, kind="stable")
    values = np.empty((len(rows), *fitted.schema.shape), fitted.dtype)
    values[order] = fitted(store.take(rows[order]))
    label = None if store.label is None else torch.from_numpy(store.label[rows].astype(np.int64))
    return Examples(torch.from_numpy(values), None, label, store.label_names)


def _witness(schema: Schema, extremes: tuple[float, float, float]) -> Tensor:
    """Examples `(3, *shape)`, all cells of each alike."""
    values = torch.tensor(extremes, dtype=torch.float64).to(schema.dtype)
    return values.reshape(-1, *(1,) * len(schema.shape)).expand(3, *schema.shape)
