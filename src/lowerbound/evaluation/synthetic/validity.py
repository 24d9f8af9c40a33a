"""Whether the cells of synthetic rows could stand in the data."""

import numpy as np

from lowerbound.evaluation.synthetic.table import Table

#: More digits after the point than this say nothing.
MOST_DECIMALS = 6


def validity(samples: Table, train: Table) -> dict[str, float]:
    """Count cells that the data could not hold.

    Args:
        samples: Rows that were made.
        train: All rows that the model learned from, encoded with them.

    Returns:
        unseen: Share of the words that training never has.
        fractions: Share of the numbers with more digits after the point than any of training.
        outside: Share of the numbers beyond the range of training.
        gaps: Mean difference of the shares of gaps, over the columns.
    """
    words, numbers = samples.words, ~samples.words
    found = {"unseen": 0.0, "fractions": 0.0, "outside": 0.0}
    cells = {"words": 0, "numbers": 0}
    for place in range(len(samples.names)):
        a, b = samples.values[:, place], train.values[:, place]
        a, b = a[~np.isnan(a)], b[~np.isnan(b)]
        if words[place]:
            cells["words"] += len(a)
            found["unseen"] += (~np.isin(a, b)).sum()
        elif len(b):
            cells["numbers"] += len(a)
            found["outside"] += ((a < b.min()) | (a > b.max())).sum()
            decimals = decimals_of(b)
            if decimals is not None:
                found["fractions"] += (~_on_grid(a, decimals)).sum()
    gaps = np.abs(np.isnan(samples.values).mean(axis=0) - np.isnan(train.values).mean(axis=0))
    return {
        "unseen": float(found["unseen"] / max(1, cells["words"])) if words.any() else 0.0,
        "fractions": float(found["fractions"] / max(1, cells["numbers"])) if numbers.any() else 0.0,
        "outside": float(found["outside"] / max(1, cells["numbers"])) if numbers.any() else 0.0,
        "gaps": float(gaps.mean()),
    }


def decimals_of(values: np.ndarray) -> int | None:
    """The most digits after the point of any number; None for more than 6."""
    for decimals in range(MOST_DECIMALS + 1):
        if _on_grid(values, decimals).all():
            return decimals
    return None


def _on_grid(values: np.ndarray, decimals: int) -> np.ndarray:
    return np.isclose(values, np.round(values, decimals), rtol=1e-12, atol=10.0 ** -(decimals + 6))
