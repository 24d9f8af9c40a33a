"""How near held-out examples are to training examples, for leaks that no hash can see."""

import math

import torch
from torch import Tensor

from lowerbound.data import Data, Source
from lowerbound.doctor.gather import some
from lowerbound.doctor.symptoms import Neighbours
from lowerbound.evaluation.quality.neighbours import blocks

#: Most held-out examples looked at, and most training examples that each is compared with.
MOST_HELD_OUT, MOST_POOL = 500, 10_000
#: Most cells of these training examples, 160 MB of float64.
MOST_CELLS = 20_000_000
#: The neighbour whose distance says how far apart examples lie hereabouts, and one farther off.
NEAR, FAR = 5, 10
#: A nearest neighbour as near as this by chance in one example of a thousand, and at most a tenth
#: as far away as the fifth, is taken for a copy: the first rules out chance where the data have
#: few dimensions, the second that the data are merely clustered where they have many.
CHANCE, TENTH = 1e-3, 0.1


def neighbours_of(data: Data) -> Neighbours | None:
    """Count held-out examples that are near copies of training examples.

    Where the data are even over the ten nearest neighbours of an example and have m dimensions
    there, (d_j / d_k)^m has the law Beta(j, k - j) of distances to the j-th and k-th. The median
    of d_5 / d_10 gives m, and then d_1 / d_5 is too small if chance hardly ever makes it so. Where
    they are not even, chance is what the same columns give when each is shuffled by itself.
    Validation and test parts are held-out; None where there are too few training examples.

    Source: order statistics of distances: Facco et al. (2017), equation 2, Sci. Rep. 7, 12140.
    """
    width = max(1, data.schema.dimensions)
    pool = _cells(data.train, data, min(MOST_POOL, max(2 * FAR, MOST_CELLS // width)))
    half = MOST_HELD_OUT // 2
    held_out = torch.cat([_cells(part, data, half) for part in (data.validation, data.test)])
    if len(pool) <= FAR or not len(held_out):
        return None
    first, fifth, tenth = _distances(held_out, pool)
    dimension = _dimension(fifth, tenth)
    limit = min(TENTH, (1 - (1 - CHANCE) ** (1 / (NEAR - 1))) ** (1 / dimension))
    copies = first < limit * fifth
    even = len(held_out) * (1 - (1 - limit**dimension) ** (NEAR - 1))
    # columns of few values put rows side by side that have nothing to do with each other
    other_first, other_fifth, _ = _distances(*_unrelated(held_out, pool))
    return Neighbours(
        held_out=len(held_out),
        pool=len(pool),
        copies=int(copies.sum()),
        chance=max(even, float((other_first < limit * other_fifth).sum())),
        nearest=float(first[copies].median()) if bool(copies.any()) else 0.0,
        usual=float(fifth.median()),
    )


def _distances(points: Tensor, pool: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Measure from each point to its nearest, fifth and tenth neighbour, `(N,)` each."""
    near = torch.cat([d.topk(FAR, largest=False).values.sqrt() for _, d in blocks(points, pool)])
    return near[:, 0], near[:, NEAR - 1], near[:, FAR - 1]


def _unrelated(points: Tensor, pool: Tensor) -> tuple[Tensor, Tensor]:
    """Shuffle each column by itself."""
    rows = torch.cat([points, pool])
    generator = torch.Generator().manual_seed(0)
    order = torch.rand(rows.shape, generator=generator).argsort(dim=0)
    rows = rows.gather(0, order)
    return rows[: len(points)], rows[len(points) :]


def _dimension(fifth: Tensor, tenth: Tensor) -> float:
    """Estimate m from the median of (d_5 / d_10)^m, which is that of Beta(5, 5), a half."""
    ratio = float(torch.where(tenth > 0, fifth / tenth.clamp_min(1e-300), 1.0).median())
    if ratio <= 0:
        return 1.0
    return math.inf if ratio >= 1 else max(1.0, math.log(0.5) / math.log(ratio))


def _cells(part: Source, data: Data, most: int) -> Tensor:
    """Take examples of a part, in units of the training data, `(N, D)`."""
    part = some(part, most)
    x = part.x.double()
    if data.schema.scale is not None:
        x = x / data.schema.scale.double()
    if part.observed is not None:
        x = torch.where(part.observed, x, 0.0)
    return x.reshape(len(x), -1)
