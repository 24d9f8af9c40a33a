"""The rows of lowest hash, found in one pass: what a split by contents needs of all rows."""

from hashlib import blake2b

import numpy as np

from lowerbound.data.rows import Block
from lowerbound.errors import SettingError

#: Rows that are kept at least, with all that are identical to one of them. Of a source with no
#: more rows than that, the split is the very one that it would have in memory.
KEPT = 2**17


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
    masks = None if block.observed is None else block.observed.reshape(rows.shape)
    start = blake2b(seed.to_bytes(8, "little", signed=True), digest_size=16)
    digests = bytearray()
    for place, row in enumerate(rows):
        state = start.copy()
        state.update(row.data)
        if masks is not None and not masks[place].all():
            state.update(np.packbits(masks[place]).data)
        digests += state.digest()
    return np.frombuffer(bytes(digests), dtype=">u8").reshape(-1, 2)


class Sketch:
    """Rows and the hashes of their contents, as long as they are among the lowest.

    Which rows are kept in the end depends on their contents only, not on their order.

    Args:
        kept: How many rows to keep at least.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self.kept, self.count, self.limit = kept, 0, 2**64
        self._keys, self._rows = [np.empty((0, 2), ">u8")], [np.empty(0, np.int64)]
        self._held = 0

    def add(self, keys: np.ndarray, rows: np.ndarray) -> None:
        """Look at more rows: hashes `(N, 2)` from `content_keys`, row numbers `(N,)`."""
        self.count += len(rows)
        if self.limit < 2**64:
            low = keys[:, 0] <= self.limit
            keys, rows = keys[low], rows[low]
        self._keys.append(keys)
        self._rows.append(rows)
        self._held += len(rows)
        if self._held > 2 * self.kept + len(rows):
            self.lowest()

    def lowest(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Keep the lowest whole groups of at least `kept` rows.

        Returns:
            Hashes `(N, 2)`, sorted, their rows, int64 `(N,)`, and how many stand alike, `(G,)`.
        """
        keys, rows = np.concatenate(self._keys), np.concatenate(self._rows)
        order = np.lexsort((rows, keys[:, 1], keys[:, 0]))
        keys, rows = keys[order], rows[order]
        if len(rows) > self.kept:
            self.limit = int(keys[self.kept - 1, 0])
            end = int(np.searchsorted(keys[:, 0], self.limit, side="right"))
            keys, rows = keys[:end], rows[:end]
        self._keys, self._rows, self._held = [keys], [rows], len(rows)
        begins = np.flatnonzero((keys[1:] != keys[:-1]).any(axis=1)) + 1
        ends = np.append(begins, len(keys)) if len(keys) else begins
        return keys, rows, np.diff(ends, prepend=0)

    @property
    def complete(self) -> bool:
        """Whether all rows that were looked at are kept."""
        return self.count == self._held

    def distinct(self) -> int:
        """Count the different rows; estimated unless all are kept.

        Of G hashes that are uniform on [0, 1] the k-th lowest, u, gives (k - 1)/u, with a standard
        deviation of about 1/sqrt(k) of it.

        Source: Bar-Yossef et al. (2002), RANDOM 2002, section 2.
        """
        keys, _, sizes = self.lowest()
        if self.complete:
            return len(sizes)
        return round((len(sizes) - 1) / (float(keys[-1, 0]) / 2.0**64))
