"""Are samples copies of training examples? Nearest-neighbour distances, against held-out data."""

import hashlib
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lowerbound.errors import DataError, ShapeError
from lowerbound.evaluation.quality.two_sample import above

#: Share of the held-out examples that are nearest to a training example: "suspiciously close".
QUANTILE = 0.01


@dataclass(frozen=True)
class Memorisation:
    """How near samples are to training examples, and how near held-out examples are.

    Attributes:
        samples: Median distance of a sample to its nearest training example.
        held_out: That of held-out examples.
        closer: Share of samples nearer to training than all but 1 % of held-out examples.
        closer_error: Its standard error.
        closer_held_out: That share of the held-out examples: 0.01, or more where distances tie.
        score: C_T, the Mann-Whitney score: standard normal if both are equally near, negative if
            samples are nearer (copying), positive if they are farther (poor samples).
        p_value: Probability of a score as low if both were equally near.
    """

    samples: float
    held_out: float
    closer: float
    closer_error: float
    closer_held_out: float
    score: float
    p_value: float

    @property
    def ratio(self) -> float:
        """Median distance of samples over that of held-out examples; nan if the latter is 0."""
        return self.samples / self.held_out if self.held_out > 0 else math.nan


def memorisation(samples: Tensor, held_out: Tensor) -> Memorisation:
    """Compare distances to the nearest training example, of samples and of held-out examples.

    Each are at least 2, `(M,)` and `(N,)`; see `nearest`.

    Raises:
        ShapeError: Distances are no vectors.
        DataError: There are fewer than 2 of a kind.

    Source: Meehan, Chaudhuri & Dasgupta (2020), definition 3 and section 4, arXiv 2004.05675.
    Differs: one cell, the whole space; they average over cells of a partition.
    """
    _check(samples, held_out)
    samples, held_out = samples.double(), held_out.double()
    # an example of the data, not a point between two: of 50 the nearest one
    limit = held_out.quantile(QUANTILE, interpolation="lower")
    closer = float((samples <= limit).double().mean())
    base = float((held_out <= limit).double().mean())
    spread = closer * (1 - closer) / len(samples) + base * (1 - base) / len(held_out)
    score = mann_whitney(samples, held_out)
    return Memorisation(
        samples=float(samples.median()),
        held_out=float(held_out.median()),
        closer=closer,
        closer_error=math.sqrt(spread),
        closer_held_out=base,
        score=score,
        p_value=above(-score),
    )


def mann_whitney(a: Tensor, b: Tensor) -> float:
    """Return the score of the Mann-Whitney test: standard normal if two sets have one law.

    It is negative if numbers of `a`, `(N,)`, tend to be smaller than those of `b`, `(M,)`. Ties
    count half, and narrow the variance.

    Raises:
        ShapeError: They are no vectors.
        DataError: There are fewer than 2 of a kind.

    Source: Mann & Whitney (1947); Lehmann (1975), section 1.4, for the variance under ties.
    """
    _check(a, b)
    both = torch.cat([a, b]).double()
    _, group, sizes = both.unique(return_inverse=True, return_counts=True)
    ends = sizes.cumsum(dim=0).double()
    ranks = (ends - (sizes.double() - 1) / 2)[group]
    n, m = len(a), len(b)
    excess = float(ranks[:n].sum()) - n * (n + m + 1) / 2
    ties = float((sizes.double() ** 3 - sizes.double()).sum())
    variance = n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1)))
    return excess / math.sqrt(variance) if variance > 0 else 0.0


def copies(samples: Tensor, train: Tensor) -> int:
    """Count the samples, `(M, *shape)`, that equal a training example in every cell.

    Raises:
        ShapeError: Shapes or dtypes differ.
    """
    if samples.shape[1:] != train.shape[1:] or samples.dtype != train.dtype:
        raise ShapeError(
            f"copies are looked for among examples of one kind, got {samples.dtype} "
            f"{tuple(samples.shape)} and {train.dtype} {tuple(train.shape)}"
        )
    known = set(_digests(train))
    return sum(digest in known for digest in _digests(samples))


def _digests(x: Tensor) -> list[bytes]:
    # -0.0 + 0.0 is 0.0: equal numbers have equal bytes
    flat = (x + 0).reshape(len(x), -1).contiguous().numpy()
    return [hashlib.blake2b(row.data).digest() for row in flat]


def _check(a: Tensor, b: Tensor) -> None:
    if a.ndim != 1 or b.ndim != 1:
        raise ShapeError(f"distances must be vectors, got {tuple(a.shape)} and {tuple(b.shape)}")
    if min(len(a), len(b)) < 2:
        raise DataError(f"distances of at least 2 examples are needed, got {len(a)} and {len(b)}")
