"""What the rows of a store are, from facts about all of them."""

from dataclasses import replace

import numpy as np

from lowerbound.data.advice import (
    MOST_ORDINAL,
    column_advice,
    few_bytes,
    image_advice,
    numbering,
)
from lowerbound.data.arrays import layout
from lowerbound.data.build import fields_of
from lowerbound.data.infer import constant_columns, precision_of
from lowerbound.data.notes import Note
from lowerbound.data.schema import Constant, Schema
from lowerbound.data.stored.facts import Facts
from lowerbound.data.stored.fitted import Fitted
from lowerbound.data.stored.store import Store

#: Integers above this are rounded in float64.
EXACT = 2**53


def infer_stored(store: Store, facts: Facts, *, binarize: bool) -> tuple[Fitted, tuple[Note, ...]]:
    """The schema, without measures, and how rows become it; compare `infer`.

    Raises:
        DataError: Cells cannot be binarised.
    """
    some = store.read(0, min(len(store), 1000))
    values, notes = (some, ()) if store.pictures else layout(some, store.where)
    if not store.pictures and len(store.shape) == 2:  # its note counts the images: of all, a view
        notes = layout(np.broadcast_to(some[0], (len(store), *store.shape)), store.where)[1]
    notes = tuple(replace(note, count=len(store)) if note.count else note for note in notes)
    names, constants, shape = store.names, (), facts.shape
    grey = store.pictures and facts.grey
    if grey:
        values, shape = values[:, :1], (1, *shape[1:])
        notes += (Note("all pictures are stored as colour but grey: read as grey"),)
    kind, levels = facts.kind(store)
    if len(shape) == 1 and (names is not None or kind == "real"):
        notes += numbering(names, facts.counting) if shape[0] > 1 and len(store) > 1 else ()
        facts, values, names, constants, more = _without_still(facts, values, names)
        shape, notes = facts.shape, notes + more
        kind, levels = facts.kind(store)
        if names is not None and kind not in ("binary", "real"):
            kind, levels = "real", None
    halved = (kind, levels) == ("ordinal", 256) and len(shape) == 3 and facts.extreme
    if halved:
        values, kind, levels = values // 255, "binary", 2
        notes += (Note("every cell is 0 or 255: read as binary, 0 or 1"),)
    cut = None
    if binarize and kind != "binary":
        cut = facts.half(store)
        values, kind, levels = values > cut, "binary", 2
        notes += (Note(f"binarised: a cell above {cut:g} is 1"),)
    if (
        (kind, levels) == ("ordinal", 256)
        and store.dtype == np.uint8
        and facts.high <= MOST_ORDINAL
    ):
        notes += (few_bytes(int(facts.high)),)
    if kind == "real":
        wide = store.dtype.kind in "iu" and max(abs(facts.low), abs(facts.high)) > EXACT
        notes += (
            image_advice(values)
            if len(shape) == 3
            else column_advice(facts.bit, facts.whole & ~facts.bit, names, rounded=wide)
        )
    precision = precision_of(values)
    fields = fields_of(names, kind, shape, levels, None, None)
    schema = Schema(fields, shape, constants, cut, precision)
    return Fitted(schema, store, grey=grey, halved=halved, cut=cut), notes


def _without_still(
    facts: Facts, values: np.ndarray, names: tuple[str, ...] | None
) -> tuple[Facts, np.ndarray, tuple[str, ...] | None, tuple[Constant, ...], tuple[Note, ...]]:
    if facts.still.all() or not facts.still.any():
        return facts, values, names, (), ()
    kept, constants, note = constant_columns(facts.still, facts.first, names)
    return facts.of(~facts.still), values[:, ~facts.still], kept, constants, (note,)
