"""Nearest neighbours, and what they say of samples: precision, recall, density and coverage.

Samples are features `(M, F)`, the reference those of real examples, `(N, F)`. The k-th nearest
other example of the reference, with more than `k`, tells how far the data reach around each.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from lowerbound.errors import SettingError
from lowerbound.evaluation.quality.frechet import pair

#: Distances held at a time, 64 MB of float64.
DISTANCES_AT_ONCE = 8_000_000
#: Rounding of float64 in a squared distance, relative to the squared lengths: a tie stays a tie.
ROUNDING = 1e-12


def blocks(a: Tensor, b: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield some rows of `a`, and their squared distances to all of `b`, `(rows, M)`, float64."""
    pair(a, b, least=1)
    a, b = a.double(), b.double()
    centre = b.mean(dim=0)  # cancellation is relative to the lengths
    a, b = a - centre, b - centre
    lengths = b.square().sum(dim=1)
    step = max(1, DISTANCES_AT_ONCE // len(b))
    for start in range(0, len(a), step):
        rows = slice(start, min(start + step, len(a)))
        part = a[rows]
        squared = torch.addmm(lengths, part, b.mT, alpha=-2) + part.square().sum(dim=1)[:, None]
        yield rows, squared.clamp(min=0)


def radii(x: Tensor, k: int) -> Tensor:
    """Return the squared distance of each row to its k-th nearest other row, `(N,)`.

    Raises:
        SettingError: There is no k-th neighbour.
    """
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k < len(x):
        raise SettingError(f"k must be from 1 to {len(x) - 1}, one below the examples, got {k!r}")
    found = torch.empty(len(x), dtype=torch.float64)
    for rows, squared in blocks(x, x):
        found[rows] = squared.kthvalue(k + 1).values  # the first is itself
    # what rounding may add is allowed for, so that equal distances count as equal
    return found + ROUNDING * (x.double() - x.double().mean(dim=0)).square().sum(dim=1).max()


def nearest(points: Tensor, others: Tensor) -> Tensor:
    """Return the distance of each point to the nearest of others, `(N,)`; exactly 0 for a copy.

    Features are `(N, F)` and `(M, F)`, with at least 1 row; distances Euclidean, in their units.
    """
    index = torch.empty(len(points), dtype=torch.long)
    for rows, squared in blocks(points, others):
        index[rows] = squared.argmin(dim=1)
    # again from the difference: |a|^2 + |b|^2 - 2 ab does not vanish exactly
    return (points.double() - others[index].double()).norm(dim=1)


def precision(samples: Tensor, reference: Tensor, k: int = 3) -> float:
    """Return the share of samples that lie among the data, from 0 to 1.

    A sample does if it is no further from some real example than that one's k-th nearest other. The
    share falls with the number of features, so read it beside that of real examples.

    Raises:
        SettingError: There is no k-th neighbour.
        ShapeError: The features have different widths.

    Source: Kynkäänniemi et al. (2019), equations 1 and 2, k = 3, arXiv 1904.06991.
    """
    pair(samples, reference, least=1)
    reach = radii(reference, k)
    inside = [(squared <= reach).any(dim=1) for _, squared in blocks(samples, reference)]
    return float(torch.cat(inside).double().mean())


def recall(samples: Tensor, reference: Tensor, k: int = 3) -> float:
    """Return the share of real examples that lie among the samples: `precision`, roles exchanged.

    A few samples far out have large balls, and raise it. Errors and source are as in `precision`.
    """
    return precision(reference, samples, k)


def density(samples: Tensor, reference: Tensor, k: int = 5) -> float:
    """Count the real examples that a sample is near, over the k that a real one would be.

    Returns:
        At least 0, and 1 in expectation for samples of the data's own law; above it where samples
        crowd in the thick of the data.

    Raises:
        SettingError: There is no k-th neighbour.
        ShapeError: The features have different widths.

    Source: Naeem et al. (2020), equation 4, k = 5, arXiv 2002.09797.
    Differs: a sample exactly on the edge of a ball is in it, for data with many ties.
    """
    pair(samples, reference, least=1)
    reach = radii(reference, k)
    hits = sum(int((squared <= reach).sum()) for _, squared in blocks(samples, reference))
    return hits / (k * len(samples))


def coverage(samples: Tensor, reference: Tensor, k: int = 5) -> float:
    """Return the share of real examples that have a sample among their k nearest, from 0 to 1.

    It is `expected_coverage` for samples of the data's own law. Errors and the edge are as in
    `density`.

    Source: Naeem et al. (2020), equation 5, k = 5, arXiv 2002.09797.
    """
    pair(samples, reference, least=1)
    reach = radii(reference, k)
    covered = torch.zeros(len(reference), dtype=torch.bool)
    for _, squared in blocks(samples, reference):
        covered |= (squared <= reach).any(dim=0)
    return float(covered.double().mean())


def expected_coverage(samples: int, reference: int, k: int = 5) -> float:
    """Return the expected coverage by M samples of the law of N real examples, whatever that is.

    None of M samples is nearer to an example than the k-th of N - 1 others with probability
    prod_{i=1}^{k} (N - i) / (M + N - i).

    Source: Naeem et al. (2020), section 3.3 and lemma 2, arXiv 2002.09797.
    """
    missed = ((reference - i) / (samples + reference - i) for i in range(1, k + 1))
    return 1 - math.prod(missed)
