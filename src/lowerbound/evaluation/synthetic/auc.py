"""The area under a ROC curve, and how sure it is."""

import math

import numpy as np


def auc(scores: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """Probability that a positive example scores higher than a negative one, ties counting half.

    Args:
        scores: `(N,)`.
        positive: Which examples are positive, bool `(N,)`; at least two of each kind.

    Returns:
        The area, and its standard error.

    Source: DeLong, DeLong & Clarke-Pearson (1988), equations 2 to 6; by
        midranks as Sun & Xu (2014).

    Example:
        >>> area, error = auc(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, True]))
        >>> area
        0.75
    """
    a, b = scores[positive], scores[~positive]
    everyone = _midranks(np.concatenate([a, b]))
    above = (everyone[: len(a)] - _midranks(a)) / len(b)
    below = 1 - (everyone[len(a) :] - _midranks(b)) / len(a)
    variance = above.var(ddof=1) / len(a) + below.var(ddof=1) / len(b)
    return float(above.mean()), math.sqrt(variance)


def _midranks(x: np.ndarray) -> np.ndarray:
    _, group, sizes = np.unique(x, return_inverse=True, return_counts=True)
    return (sizes.cumsum() - (sizes - 1) / 2)[group]
