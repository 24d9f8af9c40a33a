"""All that takes passes through a source: facts, schema, split, measures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from lowerbound.data.coerce import match
from lowerbound.data.derive import MOST_BROKEN, breaking, find_derived, slack, work_out
from lowerbound.data.facts import Facts
from lowerbound.data.field import Derived
from lowerbound.data.fitting import Fitting
from lowerbound.data.infer import infer
from lowerbound.data.measure import measure
from lowerbound.data.notes import Note
from lowerbound.data.raw import Raw
from lowerbound.data.reading import Binarize
from lowerbound.data.rows import Block, blocks
from lowerbound.data.schema import Schema
from lowerbound.data.sketch import KEPT
from lowerbound.data.splits import Hashes, Split, split
from lowerbound.errors import DataError

Stage = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Survey:
    """Findings of three passes through a source.

    Attributes:
        facts: About all rows.
        schema: Measured on the training part.
        split: Which rows go where.
        notes: Remarks and decisions.
        fingerprint: Over the contents of all rows, their parts and classes; on disk over their
            order, too.
    """

    facts: Facts
    schema: Schema
    split: Split
    notes: tuple[Note, ...]
    fingerprint: str

    def fitting(self, raw: Raw) -> Fitting:
        """Find out what makes the schema's rows of the source's."""
        return match(raw, self.schema, self.facts, grey=self.schema.white is not None)[0]


#: Rows in memory, and on disk, in which columns that follow from others are looked for.
LOOKED_AT, LOOKED_AT_ON_DISK = 200_000, 20_000


def without_derived(
    raw: Raw, schema: Schema, facts: Facts, tell: Stage
) -> tuple[Schema, tuple[Note, ...]]:
    """Take the columns of a table that follow from others out of its schema, and say so."""
    fitting, _ = match(raw, schema, facts)
    most = LOOKED_AT if raw.rows.in_memory else LOOKED_AT_ON_DISK
    values = _with_nan(fitting(raw.rows.take(np.arange(0, len(raw), -(-len(raw) // most)))))
    names = list(schema.columns or ())
    found = find_derived(schema.fields, values, tuple(names.index(f.name) for f in schema.fields))
    if len(raw) > most:
        found = _holding(found, raw, schema, fitting, tell)
    if not found:
        return schema, ()
    out = {one.name for one in found}
    fields = tuple(field for field in schema.fields if field.name not in out)
    schema = replace(schema, fields=fields, shape=(len(fields),), derived=found)
    what = "columns left out, derived: they follow from others and are worked out again on output"
    return schema, (Note(what, len(found), tuple(one.rule for one in found)),)


def _holding(
    rules: tuple[Derived, ...], raw: Raw, schema: Schema, fitting: Fitting, tell: Stage
) -> tuple[Derived, ...]:
    """Keep the rules that hold in all rows, not just in those in which they were found."""
    names = [field.name for field in schema.fields]
    broken = np.zeros(len(rules), int)
    for start, block in blocks(raw.rows) if rules else ():
        values = _with_nan(fitting(block))
        for i, rule in enumerate(rules):
            own = values[:, names.index(rule.name)]
            guess = work_out(rule, values, np.isfinite(values), schema)
            broken[i] += breaking(own, guess, slack(rule.field, own)).sum()
        tell("comparing columns", start + len(block), len(raw))
    return tuple(rules[i] for i in np.flatnonzero(broken <= MOST_BROKEN * len(raw)).tolist())


def _with_nan(block: Block) -> np.ndarray:
    """Give the cells of rows as float64, nan for gaps."""
    values = block.values.astype(np.float64)
    return values if block.observed is None else np.where(block.observed, values, np.nan)


def survey(
    raw: Raw, binarize: Binarize, seed: int, *, test: bool, stage: Stage | None = None
) -> Survey:
    """Find out all there is to know of a source before training; arguments as of `build`."""
    tell = stage or (lambda what, done, total: None)
    facts = Facts.of(raw.rows, lambda done, total: tell("looking at", done, total))
    schema, notes = infer(raw, facts, binarize)
    if raw.columns is not None and not binarize:
        schema, more = without_derived(raw, schema, facts, tell)
        notes += more
    fitting, _ = match(raw, schema, facts, grey=schema.white is not None)
    kept = max(KEPT, len(raw)) if raw.rows.in_memory else KEPT
    hashes = Hashes(seed, raw.part, raw.label, kept)
    for start, block in blocks(raw.rows):
        hashes.add(start, fitting(block))
        tell("hashing", start + len(block), len(raw))
    try:
        made = split(hashes, where=raw.where, row_bytes=fitting.row_bytes, test=test)
    except DataError as error:  # of what is left of the rows
        name = next((one.name for one in raw.left_out if one.kind == "text"), None)
        if name is None:
            raise
        raise DataError(f"{error}; column {name!r} is left out, FILE#{name} reads it") from error
    training = np.ones(len(raw), bool)
    for rows in made.held.values():
        training[rows] = False

    def train() -> Iterator[Block]:
        for start, block in blocks(raw.rows):
            tell("measuring", start + len(block), len(raw))
            own = training[start : start + len(block)]
            if own.any():
                yield fitting(block if own.all() else block[own])

    schema, more = measure(schema, train(), raw.where)
    # on disk they are learned from in an order that follows from their own
    order = "" if raw.rows.in_memory else hashes.order.hexdigest()
    notes = (*notes, *more, *made.notes)
    return Survey(facts, schema, made, notes, hashes.fingerprint + order)
