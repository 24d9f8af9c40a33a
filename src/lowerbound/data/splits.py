"""Training, validation and test, decided by the contents of each example and by nothing else.

The hash of an example, not its place in a file or a random number generator's stream, says where it
goes: the split is the same after the rows are shuffled and under every version of every library.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from lowerbound.data.notes import Note
from lowerbound.data.raw import TEST, TRAIN, VALIDATION
from lowerbound.errors import DataError, SettingError

LEAST_DISTINCT = 10
LARGEST_PART = 5000
FRACTION = 10
#: Validation examples where there is no test part, if three quarters are left to learn from.
USUAL_VALIDATION = 10
RULE = "blake2b(seed, contents), whole groups of identical examples, in ascending order"


@dataclass(frozen=True)
class Split:
    """Which rows go where: int64 indices, a record for the run, and what was noticed."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    record: dict[str, Any]
    notes: tuple[Note, ...] = ()


def content_order(x: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows in the order of their hashes, and the sizes of the groups of identical rows.

    Args:
        x: The examples `(N, ...)`, as stored.
        seed: Any whole number of 64 bits.

    Returns:
        Int64 `(N,)` row numbers, and int64 `(G,)` group sizes that add up to N.
    """
    keys = content_keys(x, seed)
    order = np.lexsort((keys[:, 1], keys[:, 0]))  # stable: identical rows keep their order
    return order, group_sizes(keys[order])


def content_keys(x: np.ndarray, seed: int) -> np.ndarray:
    """The hash of each row's contents, of 128 bits, as two numbers `(N, 2)`."""
    if not -(2**63) <= seed < 2**63:
        raise SettingError(f"seed is a whole number of 64 bits, got {seed}")
    rows = np.ascontiguousarray(x).reshape(len(x), -1)
    if rows.dtype.kind == "f":
        rows = rows + 0.0  # -0.0 equals 0.0, so it must hash like it
    rows = rows.astype(rows.dtype.newbyteorder("<"), copy=False)
    start = blake2b(seed.to_bytes(8, "little", signed=True), digest_size=16)
    digests = bytearray()
    for row in rows:
        state = start.copy()
        state.update(row.data)
        digests += state.digest()
    return np.frombuffer(bytes(digests), dtype=">u8").reshape(-1, 2)


def group_sizes(keys: np.ndarray) -> np.ndarray:
    """How many times each of the sorted keys `(N, 2)` stands there, int64 `(G,)`."""
    new = np.ones(len(keys), dtype=bool)
    new[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    return np.diff(np.append(np.flatnonzero(new), len(keys)))


def thin(x: np.ndarray, limit: int, seed: int) -> np.ndarray:
    """Rows of a subset of `limit` examples, chosen by content, in their first order."""
    return np.sort(content_order(x, seed)[0][:limit])


def split(x: np.ndarray, part: np.ndarray | None = None, *, seed: int = 0, where: str) -> Split:
    """Divide examples into training, validation and test.

    Parts that the source already has are kept. A missing validation or test part is a tenth of the
    training part, at most 5000 and at least one example. Identical examples land on one side.

    Args:
        x: The examples `(N, ...)`, as stored.
        part: The source's own parts, int8 `(N,)`, or None.
        seed: Chooses another split of the same rule.
        where: What to call the data in messages.

    Raises:
        DataError: There are fewer than 10 distinct examples to divide.
    """
    part = np.zeros(len(x), np.int8) if part is None else part
    pool, given_validation, given_test = (
        np.flatnonzero(part == k) for k in (TRAIN, VALIDATION, TEST)
    )
    order, sizes = content_order(x[pool], seed)
    refuse_few(len(pool), len(sizes), where)
    order = pool[order]
    side = np.full(len(sizes), TRAIN)
    target = min(len(pool) // FRACTION or 1, LARGEST_PART)
    for k, given in ((TEST, given_test), (VALIDATION, given_validation)):
        if not len(given):
            take_groups(side, sizes, k, target)
    row_side = np.repeat(side, sizes)
    train = order[row_side == TRAIN]
    validation = given_validation if len(given_validation) else order[row_side == VALIDATION]
    test = given_test if len(given_test) else order[row_side == TEST]
    made = f"1/{FRACTION}, at most {LARGEST_PART}"
    how = {
        "validation": "given" if len(given_validation) else made,
        "test": "given" if len(given_test) else made,
    }
    counts = (len(train), len(validation), len(test))
    record = record_of(seed, how, counts, len(sizes))
    return Split(train, validation, test, record, duplicates(len(pool), len(sizes)))


def split_validation(x: np.ndarray, *, seed: int = 0, where: str) -> Split:
    """Divide examples into training and validation, for a caller who keeps his own test examples.

    Validation is a tenth, or ten examples where that is at most a quarter, and at most 5000.
    Identical examples land on one side.

    Args:
        x: The examples `(N, ...)`, as stored.
        seed: Chooses another split of the same rule.
        where: What to call the data in messages.

    Returns:
        A split whose test part is empty.

    Raises:
        DataError: There are fewer than 10 distinct examples to divide.
    """
    order, sizes = content_order(x, seed)
    count = len(x)
    if len(sizes) < LEAST_DISTINCT:
        # n_samples: scikit-learn's checks look for its own word, and so do its users
        raise DataError(
            f"{where} has n_samples = {count}, of which {len(sizes)} distinct; training and "
            f"validation need at least {LEAST_DISTINCT} distinct examples: give more"
        )
    least = min(USUAL_VALIDATION, count // 4)
    target = min(max(count // FRACTION, least), LARGEST_PART)
    small = np.flatnonzero(sizes <= target)
    held = small[np.cumsum(sizes[small]) <= target]
    if not len(held):  # every group is larger than the target: take the smallest
        held = np.array([np.argmin(sizes)])
    judged = np.repeat(np.isin(np.arange(len(sizes)), held), sizes)
    train, validation = order[~judged], order[judged]
    how = {
        "validation": f"1/{FRACTION}, at least {least}, at most {LARGEST_PART}",
        "test": "none: the caller keeps his own",
    }
    counts = (len(train), len(validation), 0)
    return Split(train, validation, order[:0], record_of(seed, how, counts, len(sizes)))


def record_of(
    seed: int, how: dict[str, str], counts: tuple[int, int, int], distinct: int
) -> dict[str, Any]:
    """What a run keeps of its split: `counts` are of training, validation and test."""
    named = dict(zip(("train", "validation", "test"), counts, strict=True))
    return {"rule": RULE, "seed": seed, **how, "counts": named, "distinct": distinct}


def take_groups(side: np.ndarray, sizes: np.ndarray, part: int, target: int) -> None:
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


def refuse_few(count: int, distinct: int, where: str) -> None:
    """Raise a `DataError` when the distinct examples are too few to make three parts of."""
    if distinct >= LEAST_DISTINCT:
        return
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


def duplicates(count: int, distinct: int) -> tuple[Note, ...]:
    """What to say of so many examples of which so many are distinct."""
    if count == distinct:
        return ()
    notes = [
        Note("examples identical to another one: kept on its side of the split", count - distinct)
    ]
    if count > 2 * distinct:
        notes.append(
            Note(
                f"only {distinct:,} of {count:,} examples are distinct: validation and test hold "
                "combinations that training never sees"
            )
        )
    return tuple(notes)
