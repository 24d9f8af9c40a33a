"""Whether each column is spread as the data are."""

import numpy as np

from lowerbound.evaluation.synthetic.table import Table


def shapes(samples: Table, real: Table) -> np.ndarray:
    """Compare columns one by one: 1 where the distributions agree, 0 where they have nothing alike.

    One less the Kolmogorov-Smirnov distance of numbers, or the total variation distance of words.
    Gaps are left out. A column that is all gaps on one side scores 0, on both sides 1.

    Args:
        samples: Rows that were made.
        real: Rows of data, encoded with them.

    Returns:
        Float64 `(D,)`.

    Source: the KSComplement and TVComplement of SDMetrics 0.32.
    """
    found = []
    for place, words in enumerate(samples.words):
        a, b = (part.values[:, place] for part in (samples, real))
        a, b = a[~np.isnan(a)], b[~np.isnan(b)]
        if not len(a) or not len(b):
            found.append(float(len(a) == len(b)))
        elif words:
            levels = len(samples.levels[place] or ())
            shares = [np.bincount(x.astype(int), minlength=levels) / len(x) for x in (a, b)]
            found.append(1 - np.abs(shares[0] - shares[1]).sum() / 2)
        else:
            places = np.concatenate([a, b])
            below = [np.searchsorted(np.sort(x), places, side="right") / len(x) for x in (a, b)]
            found.append(1 - np.abs(below[0] - below[1]).max())
    return np.array(found)
