"""Training, validation and test, decided by the contents of each example and by nothing else.

The hash of an example, not its place in a file or a random number generator's stream, says where it
goes: the split is the same after the rows are shuffled and under every version of every library.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lowerbound.data.keys import content_keys
from lowerbound.data.notes import Note
from lowerbound.data.raw import TEST, TRAIN, VALIDATION
from lowerbound.data.rows import Block
from lowerbound.data.sketch import KEPT, Sketch
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


@dataclass
class Hashes:
    """Hashes of all rows, the lowest of each part of the source kept with their rows.

    Args:
        seed: Of the hashes.
        part: Int8 `(N,)`: the source's own parts; None where it gives none.
        label: Classes `(N,)`, likewise.
        kept: How many rows of a part to keep at least.

    Attributes:
        sketches: By part.
        sums: By part, the hashes of all rows added up, so that their order does not matter.
        order: Digest of the hashes of all rows in their order.
    """

    seed: int
    part: np.ndarray | None = None
    label: np.ndarray | None = None
    kept: int = KEPT
    sketches: dict[int, Sketch] = field(default_factory=dict)
    sums: dict[int, np.ndarray] = field(default_factory=dict)
    order: Any = field(default_factory=hashlib.sha256)

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
            total = self.sums.setdefault(number, np.zeros(3, np.uint64))
            total += np.append(marked[own].sum(axis=0), np.uint64(own.sum()))

    @property
    def fingerprint(self) -> str:
        """Digest of all rows, their parts and classes, in whatever order they come."""
        sums = [(part, *map(int, total)) for part, total in sorted(self.sums.items())]
        return hashlib.sha256(repr(sums).encode()).hexdigest()

    def lowest(self, limit: int) -> np.ndarray:
        """Choose `limit` rows by content, in their first order; of given parts in proportion."""
        count = sum(sketch.count for sketch in self.sketches.values())
        kept = []
        for sketch in self.sketches.values():
            share = limit if self.part is None else max(1, round(limit * sketch.count / count))
            kept.append(np.sort(sketch.groups()[0][:share]))
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
        notes: What was noticed.
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
        where: What to call the data in messages.
        row_bytes: Of an example.
        test: Whether to make a test part; a caller may keep his own.

    Raises:
        DataError: There are fewer than 10 distinct examples to divide.
    """
    pool = hashes.sketches.get(TRAIN, Sketch())
    rows, sizes = pool.groups()
    count, distinct = pool.count, pool.distinct()
    _refuse_few(count, distinct, where, test=test)
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
        elif number == TEST and not test:
            held[number] = rows[:0]
        else:
            _take_groups(side, sizes, number, target)
    row_side = np.repeat(side, sizes)
    for number in (VALIDATION, TEST):
        held.setdefault(number, rows[row_side == number])
    made_here = sum(int((row_side == number).sum()) for number in (VALIDATION, TEST))
    if made_here == count:
        raise DataError(f"{where} leaves no examples to train on; give more")
    counts = (count - made_here, len(held[VALIDATION]), len(held[TEST]))
    record = {
        "rule": RULE,
        "seed": hashes.seed,
        **how,
        "counts": dict(zip(NAMES.values(), counts, strict=True)),
        "distinct": distinct,
    }
    if not pool.complete:
        return Split(held, None, {**record, "estimated": True}, _about(count, distinct))
    notes = (*_duplicates(count, distinct), *_leaks(hashes))
    return Split(held, rows[row_side == TRAIN], record, notes)


def rows_in(blocks: Iterable[tuple[int, Block]], chosen: np.ndarray) -> Iterable[Block]:
    """Pass on the rows that are chosen, bool `(N,)`, block by block."""
    for start, block in blocks:
        own = chosen[start : start + len(block)]
        yield block if own.all() else block[own]


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


def _refuse_few(count: int, distinct: int, where: str, *, test: bool) -> None:
    if distinct >= LEAST_DISTINCT:
        return
    if not test:
        # n_samples: scikit-learn's checks look for its own word, and so do its users
        raise DataError(
            f"{where} has n_samples = {count}, of which {distinct} distinct; training and "
            f"validation need at least {LEAST_DISTINCT} distinct examples: give more"
        )
    if count == 1:
        found = f"{where} holds a single example"
    elif distinct == 1:
        found = f"all {count:,} examples of {where} are identical"
    else:
        found = f"{where} has {distinct} distinct examples"
    raise DataError(
        f"{found}; training, validation and test need at least {LEAST_DISTINCT} distinct ones: "
        "give more examples"
    )


def _duplicates(count: int, distinct: int) -> tuple[Note, ...]:
    if count == distinct:
        return ()
    what = "examples identical to another one: kept on its side of the split"
    notes = [Note(what, count - distinct)]
    if count > 2 * distinct:
        notes.append(
            Note(
                f"only {distinct:,} of {count:,} examples are distinct: validation and test hold "
                "combinations that training never sees"
            )
        )
    return tuple(notes)


def _about(count: int, distinct: int) -> tuple[Note, ...]:
    if distinct >= 0.9 * count:
        return ()
    return (Note(f"about {distinct:,} of {count:,} examples are distinct"),)


def _leaks(hashes: Hashes) -> tuple[Note, ...]:
    """Warn of examples of a given validation or test part that are also in its training part."""
    pool, count = hashes.sketches[TRAIN].hashes(), 0
    known = {key.tobytes() for key in pool} if len(hashes.sketches) > 1 else set()
    for number, sketch in hashes.sketches.items():
        if number != TRAIN:
            count += sum(key.tobytes() in known for key in sketch.hashes())
    what = "examples of the given validation or test part found in its training part too"
    return (Note(what, count),) if count else ()
