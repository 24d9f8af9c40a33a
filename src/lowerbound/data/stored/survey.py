"""What is found out about a whole store before training, and remembered while it stays the same."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from lowerbound.data.build import fields_of, measured
from lowerbound.data.centre import Centre
from lowerbound.data.examples import identity
from lowerbound.data.notes import Note
from lowerbound.data.raw import TRAIN
from lowerbound.data.read.download import cache_folder
from lowerbound.data.schema import Schema
from lowerbound.data.stored.division import divide, hashes_of, span_of
from lowerbound.data.stored.facts import Facts, facts_of
from lowerbound.data.stored.fitted import Fitted
from lowerbound.data.stored.infer import infer_stored
from lowerbound.data.stored.moments import Moments
from lowerbound.data.stored.store import Store
from lowerbound.errors import LowerboundError

#: Passes through fewer bytes than this take no time worth remembering.
WORTH = 2**26
VERSION = 2

Stage = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Survey:
    """All that takes passes through a store.

    Attributes:
        fitted: How rows become the schema's.
        held: Rows of the held-out parts that had to be made, by part.
        record: How the split was made.
        notes: What was noticed.
        extremes: The smallest value, the largest, and one between them if any is no whole number.
        fingerprint: Over the schema, the hashes of all rows, their parts and classes.
    """

    fitted: Fitted
    held: dict[int, np.ndarray]
    record: dict[str, Any]
    notes: tuple[Note, ...]
    extremes: tuple[float, float, float]
    fingerprint: str

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `from_json` makes it again."""
        fitted = self.fitted
        return {
            "schema": fitted.schema.to_json(),
            "how": {"grey": fitted.grey, "halved": fitted.halved, "cut": fitted.cut},
            "held": {str(part): rows.tolist() for part, rows in self.held.items()},
            "record": self.record,
            "notes": [asdict(note) for note in self.notes],
            "extremes": list(self.extremes),
            "fingerprint": self.fingerprint,
        }

    @classmethod
    def from_json(cls, store: Store, values: dict[str, Any]) -> "Survey":
        """The survey of a store that `to_json` wrote; a damaged one raises some exception."""
        how, count = values["how"], len(store)
        held = {int(part): np.array(rows, np.int64) for part, rows in values["held"].items()}
        if any(len(rows) and not 0 <= rows.min() <= rows.max() < count for rows in held.values()):
            raise ValueError
        cut = None if how["cut"] is None else float(how["cut"])
        schema = Schema.from_json(values["schema"])
        low, high, between = map(float, values["extremes"])
        return cls(
            Fitted(schema, store, grey=bool(how["grey"]), halved=bool(how["halved"]), cut=cut),
            held,
            dict(values["record"]),
            tuple(Note(n["what"], n["count"], tuple(n["examples"])) for n in values["notes"]),
            (low, high, between),
            str(values["fingerprint"]),
        )


def survey(store: Store, *, binarize: bool, seed: int, stage: Stage | None = None) -> Survey:
    """What is remembered of a store, or what three passes through it find out.

    Args:
        store: All rows.
        binarize: Make every cell 0 or 1.
        seed: Of the split.
        stage: Called with (what is done, rows done, rows in all).

    Raises:
        DataError: The examples cannot be modelled, or are too few.
    """
    place = cache_folder("surveys") / f"{_key(store, binarize, seed)}.json"
    worth = len(store) * store.row_bytes >= WORTH
    if worth:
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, LowerboundError):
            digest, text = place.read_text().split("\n", 1)
            if digest == hashlib.sha256(text.encode()).hexdigest():
                return Survey.from_json(store, json.loads(text))
    found = _survey(store, binarize, seed, stage or (lambda what, done, total: None))
    if worth:
        with suppress(OSError):  # it is found out again next time
            place.parent.mkdir(parents=True, exist_ok=True)
            draft = place.with_suffix(".draft")
            text = json.dumps(found.to_json())
            draft.write_text(f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}")
            draft.replace(place)
    return found


def _survey(store: Store, binarize: bool, seed: int, tell: Stage) -> Survey:
    facts = facts_of(store, lambda done, total: tell("looking at", done, total))
    fitted, notes = infer_stored(store, facts, binarize=binarize)
    sketch, digest = hashes_of(fitted, seed, lambda done, total: tell("hashing", done, total))
    held, record, more = divide(store, fitted, sketch, seed)
    names = tuple(f.name for f in fitted.schema.fields) if fitted.schema.is_table else None
    train = span_of(store, TRAIN, held)
    blocks = fitted.values_of(train, lambda done, total: tell("measuring", done, total))
    if fitted.schema.kind == "real":
        location, unit, told = measured(*Moments.of(blocks).judged(), names, store.where)
        more += told
    else:
        centre = Centre(fitted.schema.shape, named=names is not None)
        for values in blocks:
            centre.add(values)
        location, unit = centre.found()
    schema = fitted.schema
    fields = fields_of(names, schema.kind, schema.shape, schema.levels, location, unit)
    fitted = replace(fitted, schema=replace(schema, fields=fields))
    print_ = _fingerprint(fitted, digest)
    return Survey(fitted, held, record, (*notes, *more), extremes_of(fitted, facts), print_)


def extremes_of(fitted: Fitted, facts: Facts) -> tuple[float, float, float]:
    """The smallest value as stored, the largest, and one between if any is no whole number."""
    schema = fitted.schema
    if schema.levels is not None:
        low, high = (0, 1) if schema.kind == "binary" else (facts.low, facts.high)
        return low, high, low
    whole = bool(facts.whole.all())
    return facts.low, facts.high, facts.low + (0 if whole else (facts.high - facts.low) / np.pi)


def _fingerprint(fitted: Fitted, digest: bytes) -> str:
    store = fitted.store
    whole = hashlib.sha256(identity(fitted.schema))
    whole.update(b"stored;" + digest + repr(store.parts).encode())
    whole.update(_classes(store))
    return whole.hexdigest()


def _classes(store: Store) -> bytes:
    return b"" if store.label is None else store.label.astype("<i8").tobytes()


def _key(store: Store, binarize: bool, seed: int) -> str:
    """A name for this store as it is now, read in this way."""
    files = [
        f"{file.absolute()}|{status.st_size}|{status.st_mtime_ns}"
        for file, status in ((file, file.stat()) for file in store.files)
    ]
    facts = [VERSION, len(store), store.shape, str(store.dtype), store.names, store.parts]
    facts += [store.levels, store.pictures, binarize, seed, store.where]
    digest = hashlib.sha256(repr((files, facts)).encode("utf-8", "surrogateescape"))
    digest.update(_classes(store))
    return digest.hexdigest()[:40]
