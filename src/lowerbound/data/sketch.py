"""The rows of lowest hash, found in one pass: what a split by contents needs of all rows."""

from dataclasses import dataclass, field

import numpy as np

from lowerbound.data.keys import group_sizes

#: Rows that are kept at least, with all that are identical to one of them. Of a source with no
#: more rows than that, the split is the very one that it would have in memory.
KEPT = 2**17


@dataclass
class Sketch:
    """Rows and the hashes of their contents, as long as they are among the lowest.

    Which rows are kept in the end depends on their contents only, not on their order.

    Args:
        kept: How many rows to keep at least.
    """

    kept: int = KEPT
    count: int = 0
    _keys: list[np.ndarray] = field(default_factory=list)
    _rows: list[np.ndarray] = field(default_factory=list)
    _held: int = 0
    _limit: int | None = None

    def add(self, keys: np.ndarray, rows: np.ndarray) -> None:
        """Look at more rows: hashes `(N, 2)` from `content_keys`, row numbers `(N,)`."""
        self.count += len(rows)
        if self._limit is not None:
            low = keys[:, 0] <= self._limit
            keys, rows = keys[low], rows[low]
        self._keys.append(keys)
        self._rows.append(rows)
        self._held += len(rows)
        if self._held > 2 * self.kept + len(rows):
            self._keep(*self._sorted())

    def groups(self) -> tuple[np.ndarray, np.ndarray]:
        """Sort the rows by their hashes, int64 `(N,)`, and count those alike, `(G,)`."""
        keys, rows = self._keep(*self._sorted())
        return rows, group_sizes(keys)

    def hashes(self) -> np.ndarray:
        """Give the hashes that are kept, sorted, `(N, 2)`."""
        return self._sorted()[0]

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
        keys, _ = self._sorted()
        sizes = group_sizes(keys)
        if self.complete:
            return len(sizes)
        return round((len(sizes) - 1) / (float(keys[-1, 0]) / 2.0**64))

    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        if not self._rows:
            return np.empty((0, 2), ">u8"), np.empty(0, np.int64)
        keys, rows = np.concatenate(self._keys), np.concatenate(self._rows)
        order = np.lexsort((rows, keys[:, 1], keys[:, 0]))
        return keys[order], rows[order]

    def _keep(self, keys: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Keep the lowest whole groups of at least `kept` rows."""
        if len(rows) > self.kept:
            last = keys[self.kept - 1]
            end = int(np.searchsorted(keys[:, 0], last[0], side="right"))
            keys, rows = keys[:end], rows[:end]
            self._limit = int(last[0])
        self._keys, self._rows, self._held = [keys], [rows], len(rows)
        return keys, rows
