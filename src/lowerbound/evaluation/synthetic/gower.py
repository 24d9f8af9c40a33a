"""Distances between rows of mixed columns, and the manifold measures that rest on them."""

from dataclasses import dataclass

import numpy as np

from lowerbound.evaluation.synthetic.table import Table

#: Distances that are held at once.
BLOCK = 2**22
#: Which neighbour of a row tells how far "near" reaches.
NEIGHBOUR = 5


@dataclass(frozen=True)
class Gower:
    """Gower's distance: the mean over columns of |a - b| / range, or of whether words differ.

    Args:
        reference: The rows whose ranges count.

    Source: Gower (1971), Biometrics 27, 857-871.
    Differs: a gap is as far from any value as can be and equals a gap, where Gower leaves such
        columns out of the mean; numbers beyond the range are at most as far.
    """

    reference: Table

    def rows(self, table: Table) -> tuple[np.ndarray, np.ndarray]:
        """Numbers over their ranges and codes of words, float32; gaps have a code of their own."""
        words = self.reference.words
        low, high = (
            edge(np.where(np.isnan(self.reference.values), fill, self.reference.values), axis=0)
            for edge, fill in ((np.min, np.inf), (np.max, -np.inf))
        )
        span = np.where(high > low, high - low, 1.0)
        scaled = (table.values - np.where(np.isfinite(low), low, 0.0)) / span
        return scaled[:, ~words].astype(np.float32), table.values[:, words].astype(np.float32)

    def blocks(self, one: Table, other: Table):
        """Yield where each block of rows of `one` begins, and their distances to all of `other`."""
        numbers, codes = self.rows(one)
        theirs, their_codes = self.rows(other)
        width = len(self.reference.names)
        step = max(1, BLOCK // len(other))
        for start in range(0, len(one), step):
            some = slice(start, start + step)
            total = np.zeros((len(numbers[some]), len(other)), np.float32)
            for a, b in zip(numbers[some].T, theirs.T, strict=True):
                apart = np.abs(a[:, None] - b[None])
                gap = np.isnan(apart)
                if gap.any():
                    apart[gap] = (np.isnan(a)[:, None] != np.isnan(b)[None])[gap]
                total += np.minimum(apart, 1)
            for a, b in zip(codes[some].T, their_codes.T, strict=True):
                a, b = (np.where(np.isnan(x), -1, x) for x in (a, b))
                total += a[:, None] != b[None]
            yield start, total / width

    def nearest(self, one: Table, other: Table) -> np.ndarray:
        """Distance of each row of `one` to the nearest row of `other`, `(N,)`."""
        return np.concatenate([block.min(axis=1) for _, block in self.blocks(one, other)])

    def radii(self, table: Table, k: int = NEIGHBOUR) -> np.ndarray:
        """Distance of each row to the k-th nearest other row, `(N,)`."""
        k = min(k, len(table) - 1)
        return np.concatenate(
            [np.partition(block, k, axis=1)[:, k] for _, block in self.blocks(table, table)]
        )


def manifold(samples: Table, real: Table, distance: Gower) -> dict[str, float]:
    """Precision, recall, density and coverage of synthetic rows among real ones.

    A row is near another one if it is no farther from it than that one's 5th neighbour is.

    Returns:
        precision: Share of synthetic rows that are near a real one.
        recall: Share of real rows that are near a synthetic one.
        density: Real rows that a synthetic one is near, over 5.
        coverage: Share of real rows that have a synthetic one near.

    Source: Kynkäänniemi et al. (2019), equations 1 and 2, arXiv 1904.06991; Naeem et al. (2020),
        equations 4 and 5, arXiv 2002.09797.
    """
    reach, made_reach = distance.radii(real), distance.radii(samples)
    precise = density = 0
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    for start, block in distance.blocks(samples, real):
        near = block <= reach
        precise += int(near.any(axis=1).sum())
        density += int(near.sum())
        covered |= near.any(axis=0)
        recalled |= (block <= made_reach[start : start + len(block), None]).any(axis=0)
    return {
        "precision": precise / len(samples),
        "recall": float(recalled.mean()),
        "density": density / (NEIGHBOUR * len(samples)),
        "coverage": float(covered.mean()),
    }
