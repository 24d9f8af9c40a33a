"""Distances between two sets of features, a block at a time."""

from collections.abc import Iterator

import torch
from torch import Tensor

from lowerbound.errors import SettingError
from lowerbound.evaluation.quality.frechet import pair

#: Distances held at a time, 64 MB of float64.
DISTANCES_AT_ONCE = 8_000_000
#: What float64 may lose in a squared distance, relative to the squared lengths: a tie stays a tie.
ROUNDING = 1e-12


def blocks(a: Tensor, b: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Squared distances of rows of `a` to all rows of `b`: which rows, and `(rows, M)`, float64."""
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
    """Squared distance of each row to its k-th nearest other row, `(N,)`.

    Args:
        x: Features `(N, F)`.
        k: Which neighbour, from 1 to N - 1.

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


def in_some_ball(points: Tensor, centres: Tensor, radii: Tensor) -> Tensor:
    """Whether each point lies in a ball around some centre, bool `(N,)`."""
    inside = torch.empty(len(points), dtype=torch.bool)
    for rows, squared in blocks(points, centres):
        inside[rows] = (squared <= radii).any(dim=1)
    return inside


def nearest(points: Tensor, others: Tensor) -> Tensor:
    """Distance of each point to the nearest of some others, `(N,)`; exactly 0 for a copy.

    Args:
        points: Features `(N, F)`.
        others: Features `(M, F)`, at least 1.

    Returns:
        Euclidean distances, in units of the features.
    """
    index = torch.empty(len(points), dtype=torch.long)
    for rows, squared in blocks(points, others):
        index[rows] = squared.argmin(dim=1)
    # again from the difference: |a|^2 + |b|^2 - 2 ab does not vanish exactly
    return (points.double() - others[index].double()).norm(dim=1)
