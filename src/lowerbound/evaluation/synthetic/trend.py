"""Whether columns go together as they do in the data."""

import numpy as np

from lowerbound.evaluation.synthetic.table import Table

#: Equal bins of a number's range, beside words.
BINS = 10


def trends(samples: Table, real: Table) -> np.ndarray:
    """Compare all pairs of columns: 1 where they go together as in the data.

    Two columns of numbers: 1 - |r - r'| / 2 with Pearson's r. Otherwise one less the total
    variation distance of the two tables of contingency, a gap being a level, and numbers cut into
    10 bins of the real range.

    Args:
        samples: Rows that were made.
        real: Rows of data, encoded with them.

    Returns:
        Float64 `(D, D)`, symmetric, the diagonal and undefined pairs nan.

    Source: the CorrelationSimilarity and ContingencySimilarity of SDMetrics 0.32.
    Differs: every pair counts, where SDMetrics since 0.27 leaves out pairs of weak association; a
        column of numbers that is constant among the samples, and not among the data, has r = 0.
    """
    count = len(real.names)
    found = np.full((count, count), np.nan)
    cut = [_cut(samples, real, place) for place in range(count)]
    for i in range(count):
        for j in range(i):
            if real.levels[i] is None and real.levels[j] is None:
                ours, theirs = (_pearson(part, i, j) for part in (samples, real))
                score = 1 - abs(ours - theirs) / 2
            else:
                score = _overlap(cut[i], cut[j])
            found[i, j] = found[j, i] = score
    return found


def associations(table: Table) -> np.ndarray:
    """Measure how strongly each pair of columns goes together, from 0 to 1.

    |r| of two columns of numbers, Cramér's V of two of words, the correlation ratio of a mixed
    pair; of rows without a gap in either.

    Returns:
        Float64 `(D, D)`, symmetric, 1 on the diagonal; 0 where a column does not vary.
    """
    count = len(table.names)
    found = np.eye(count)
    for i in range(count):
        for j in range(i):
            known = ~np.isnan(table.values[:, [i, j]]).any(axis=1)
            a, b = table.values[known, i], table.values[known, j]
            if table.levels[i] is None and table.levels[j] is None:
                strength = abs(_pearson(table, i, j))
            elif table.levels[i] is not None and table.levels[j] is not None:
                strength = _cramer(a, b)
            else:
                strength = _ratio(*((a, b) if table.levels[i] is None else (b, a)))
            found[i, j] = found[j, i] = strength
    return found


def _pearson(table: Table, i: int, j: int) -> float:
    pair = table.values[:, [i, j]]
    pair = pair[~np.isnan(pair).any(axis=1)]
    if len(pair) < 2 or (np.ptp(pair, axis=0) == 0).any():
        return 0.0
    return float(np.corrcoef(pair.T)[0, 1])


def _cut(samples: Table, real: Table, place: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Codes of a column in both tables, and how many there are; the last one is the gap."""
    a, b = samples.values[:, place], real.values[:, place]
    levels = real.levels[place]
    if levels is not None:
        count = len(levels)
        codes = [np.where(np.isnan(x), count, x).astype(int) for x in (a, b)]
        return codes[0], codes[1], count + 1
    known = b[~np.isnan(b)]
    edges = np.histogram_bin_edges(known, BINS)[1:-1] if len(known) else np.zeros(0)
    codes = [np.where(np.isnan(x), BINS, np.digitize(x, edges)) for x in (a, b)]
    return codes[0], codes[1], BINS + 1


def _overlap(
    one: tuple[np.ndarray, np.ndarray, int], other: tuple[np.ndarray, np.ndarray, int]
) -> float:
    size = one[2] * other[2]
    shares = [
        np.bincount(a * other[2] + b, minlength=size) / len(a)
        for a, b in zip(one[:2], other[:2], strict=True)
    ]
    return float(1 - np.abs(shares[0] - shares[1]).sum() / 2)


def _cramer(a: np.ndarray, b: np.ndarray) -> float:
    if not len(a):
        return 0.0
    a, b = (np.unique(x, return_inverse=True)[1] for x in (a, b))
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)
    if min(table.shape) < 2:
        return 0.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / len(a)
    squared = ((table - expected) ** 2 / expected).sum() / len(a)
    return float(np.sqrt(squared / (min(table.shape) - 1)))


def _ratio(numbers: np.ndarray, words: np.ndarray) -> float:
    if not len(numbers) or np.ptp(numbers) == 0:
        return 0.0
    code = np.unique(words, return_inverse=True)[1]
    counts = np.bincount(code)
    means = np.bincount(code, numbers) / counts
    between = (counts * (means - numbers.mean()) ** 2).sum()
    return float(np.sqrt(between / ((numbers - numbers.mean()) ** 2).sum()))
