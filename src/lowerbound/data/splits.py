"""Training, validation and test, decided by the contents of each example and by nothing else.

The hash of an example, not its place in a file or a random number generator's stream, says where it
goes: the split is the same after the rows are shuffled and under every version of every library.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from lowerbound.data.notes import Note
from lowerbound.data.raw import TEST, TRAIN, VALIDATION
from lowerbound.data.rows import Block
from lowerbound.data.sketch import KEPT, Sketch, content_keys
from lowerbound.errors import DataError

LEAST_DISTINCT = 10
LARGEST_PART = 5000
FRACTION = 10
#: Validation examples where there is no test part, if three quarters are left to learn from.
USUAL_VALIDATION = 10
#: Bytes that a held-out part takes in memory, at most: it is looked at again and again.
HELD_OUT_BYTES = 2**27
RULE = "blake2b(seed, contents), whole groups of identical examples, in ascending order"

NAMES = {TRAIN: "train", VALIDATION: "validation", TEST: "test"}


class Hashes:
    """Hashes of all rows, the lowest of each part of the source kept with their rows.

    Args:
        seed: Of the hashes.
        part: Int8 `(N,)`: the source's own parts; None where it gives none.
        label: Classes `(N,)`, likewise.
        kept: How many rows of a part to keep at least.

    Attributes:
        sketches: By part.
        order: Digest of the hashes of all rows in their order.
    """

    def __init__(
        self,
        seed: int,
        part: np.ndarray | None = None,
        label: np.ndarray | None = None,
        kept: int = KEPT,
    ) -> None:
        self.seed, self.part, self.label, self.kept = seed, part, label, kept
        self.sketches: dict[int, Sketch] = {}
        self.order = hashlib.sha256()
        self._sums: dict[int, np.ndarray] = {}  # of all hashes: their order does not matter

    def add(self, start: int, block: Block) -> None:
        """Look at more rows, as stored, the first of which is number `start`."""
        keys = content_keys(block, self.seed)
        self.order.update(keys.tobytes())
        places = np.arange(start, start + len(block))
        marked = keys.astype(np.uint64)
        if self.label is not None:
            marked *= 2 * self.label[places, None].astype(np.uint64) + 3
        parts = np.zeros(len(block), np.int8) if self.part is None else self.part[places]
        for number in np.unique(parts).tolist():
            own = parts == number
            self.sketches.setdefault(number, Sketch(self.kept)).add(keys[own], places[own])
            total = self._sums.setdefault(number, np.zeros(3, np.uint64))
            total += np.append(marked[own].sum(axis=0), np.uint64(own.sum()))

    @property
    def fingerprint(self) -> str:
        """Digest of all rows, their parts and classes, in whatever order they come."""
        sums = [(part, *map(int, total)) for part, total in sorted(self._sums.items())]
        return hashlib.sha256(repr(sums).encode()).hexdigest()

    def lowest(self, limit: int) -> np.ndarray:
        """Choose `limit` rows by content, in their first order; of given parts in proportion."""
        count = sum(sketch.count for sketch in self.sketches.values())
        kept = []
        for sketch in self.sketches.values():
            share = limit if self.part is None else max(1, round(limit * sketch.count / count))
            kept.append(sketch.lowest()[1][:share])
        return np.sort(np.concatenate(kept))


@dataclass(frozen=True)
class Split:
    """Which rows go where.

    Attributes:
        held: Rows of the validation and the test part, int64, in the order of their hashes where
            the parts were made.
        train: Rows of the training part in the order of their hashes; None where not all hashes
            were kept: all others, in their own order.
        record: How the split was made, for the run.
        notes: Remarks.
    """

    held: dict[int, np.ndarray]
    train: np.ndarray | None
    record: dict[str, Any]
    notes: tuple[Note, ...] = ()


def split(hashes: Hashes, *, where: str, row_bytes: int = 1, test: bool = True) -> Split:
    """Divide examples into training, validation and test.

    Parts that the source already has are kept. A missing validation or test part is a tenth of the
    training part, at most 5000 examples or 128 MiB and at least one example. Identical examples
    land on one side. Without a test part, validation has ten examples at least, where that is at
    most a quarter.

    Args:
        hashes: Of all examples.
        where: Name of the data in messages.
        row_bytes: Of an example.
        test: Whether to make a test part; a caller may keep his own.

    Raises:
        DataError: There are fewer than 10 distinct examples to divide.
    """
    pool = hashes.sketches.get(TRAIN, Sketch())
    _, rows, sizes = pool.lowest()
    count, distinct = pool.count, pool.distinct()
    if distinct < LEAST_DISTINCT:
        raise DataError(_too_few(count, distinct, where, test=test))
    largest = max(1, min(LARGEST_PART, HELD_OUT_BYTES // row_bytes))
    least = 1 if test else min(USUAL_VALIDATION, count // 4)
    target = min(max(count // FRACTION, least, 1), largest)
    made = f"1/{FRACTION}, at most {largest}"
    how = {"validation": made if test else f"1/{FRACTION}, at least {least}, at most {largest}"}
    how["test"] = made if test else "none: the caller keeps his own"
    side, held = np.full(len(sizes), TRAIN), {}
    for number in (TEST, VALIDATION):
        if number in hashes.sketches and hashes.part is not None:
            held[number] = np.flatnonzero(hashes.part == number)
            how[NAMES[number]] = "given"
        elif number == VALIDATION or test:
            _take_groups(side, sizes, number, target)
    row_side = np.repeat(side, sizes)
    held = {n: held.get(n, rows[row_side == n]) for n in (VALIDATION, TEST)}
    left = count - int((row_side != TRAIN).sum())
    if left == 0:
        raise DataError(f"{where} leaves no examples to train on; give more")
    counts = (left, len(held[VALIDATION]), len(held[TEST]))
    record = {
        "rule": RULE,
        "seed": hashes.seed,
        **how,
        "counts": dict(zip(NAMES.values(), counts, strict=True)),
        "distinct": distinct,
    }
    notes = []
    if not pool.complete:
        if distinct < 0.9 * count:
            notes.append(Note(f"about {distinct:,} of {count:,} examples are distinct"))
        return Split(held, None, {**record, "estimated": True}, tuple(notes))
    if count > distinct:
        what = "examples identical to another one: kept on its side of the split"
        notes.append(Note(what, count - distinct))
    if count > 2 * distinct:
        what = f"only {distinct:,} of {count:,} examples are distinct: validation and test hold "
        notes.append(Note(f"{what}combinations that training never sees"))
    if leaked := _leaked(hashes):
        what = "examples of the given validation or test part found in its training part too"
        notes.append(Note(what, leaked))
    return Split(held, rows[row_side == TRAIN], record, tuple(notes))


def _take_groups(side: np.ndarray, sizes: np.ndarray, part: int, target: int) -> None:
    """Give `part` whole groups in order until `target` rows are reached; at least one group."""
    free = np.flatnonzero(side == TRAIN)
    left = target
    for group in free:
        if sizes[group] <= left:
            side[group] = part
            left -= sizes[group]
            if left == 0:
                return
    if left == target:  # every group is larger than the target: take the smallest
        side[free[np.argmin(sizes[free])]] = part


def _too_few(count: int, distinct: int, where: str, *, test: bool) -> str:
    if not test:
        # n_samples: scikit-learn's checks look for its own word, and so do its users
        return (
            f"{where} has n_samples = {count}, of which {distinct} distinct; training and "
            f"validation need at least {LEAST_DISTINCT} distinct examples: give more"
        )
    found = f"{where} has {distinct} distinct examples"
    if count == 1:
        found = f"{where} holds a single example"
    elif distinct == 1:
        found = f"all {count:,} examples of {where} are identical"
    return (
        f"{found}; training, validation and test need at least {LEAST_DISTINCT} distinct ones: "
        "give more examples"
    )


def _leaked(hashes: Hashes) -> int:
    """Count the examples of a given validation or test part that its training part has, too."""
    found = {part: [key.tobytes() for key in one.lowest()[0]]
             for part, one in hashes.sketches.items() if len(hashes.sketches) > 1}  # fmt: skip
    known = set(found.pop(TRAIN, ()))
    return sum(key in known for keys in found.values() for key in keys)
