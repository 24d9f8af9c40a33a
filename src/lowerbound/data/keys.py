"""Hashes of the contents of examples: what they are told apart and divided by."""

from hashlib import blake2b

import numpy as np

from lowerbound.data.rows import Block
from lowerbound.errors import SettingError


def content_keys(block: Block, seed: int) -> np.ndarray:
    """Hash each row's contents, which cells are known among them.

    Args:
        block: As stored; unknown cells hold a filler, the same in all.
        seed: Any whole number of 64 bits.

    Returns:
        128 bits a row as two numbers, `(B, 2)`.
    """
    if not -(2**63) <= seed < 2**63:
        raise SettingError(f"seed is a whole number of 64 bits, got {seed}")
    rows = np.ascontiguousarray(block.values).reshape(len(block), -1)
    if rows.dtype.kind == "f":
        rows = rows + 0.0  # -0.0 equals 0.0, so it must hash like it
    rows = rows.astype(rows.dtype.newbyteorder("<"), copy=False)
    masks = None
    if block.observed is not None:  # a mask of columns, one after the other, stays laid out so
        masks = np.ascontiguousarray(np.packbits(block.observed.reshape(rows.shape), 1))
    start = blake2b(seed.to_bytes(8, "little", signed=True), digest_size=16)
    digests = bytearray()
    for place, row in enumerate(rows):
        state = start.copy()
        state.update(row.data)
        if masks is not None and not block.observed[place].all():  # type: ignore[index]
            state.update(masks[place].data)
        digests += state.digest()
    return np.frombuffer(bytes(digests), dtype=">u8").reshape(-1, 2)


def group_sizes(keys: np.ndarray) -> np.ndarray:
    """Count how many times each of the sorted keys `(N, 2)` stands there, int64 `(G,)`."""
    new = np.ones(len(keys), dtype=bool)
    new[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    return np.diff(np.append(np.flatnonzero(new), len(keys)))
