"""Density and coverage: precision and recall that a single outlier cannot move."""

import torch
from torch import Tensor

from lowerbound.evaluation.quality.frechet import pair
from lowerbound.evaluation.quality.neighbours import blocks, radii

#: The neighbour that says how far the data reach around one example.
NEIGHBOUR = 5


def density(samples: Tensor, reference: Tensor, k: int = NEIGHBOUR) -> float:
    """How many real examples a sample is near, over the k that a real one would be.

    Args:
        samples: Features `(M, F)`.
        reference: Features of real examples, `(N, F)`, more than `k`.
        k: Which neighbour of a real example tells how far "near" reaches.

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


def coverage(samples: Tensor, reference: Tensor, k: int = NEIGHBOUR) -> float:
    """Share of real examples that have a sample among their k nearest.

    Args:
        samples: Features `(M, F)`.
        reference: Features of real examples, `(N, F)`, more than `k`.
        k: Which neighbour of a real example tells how far "near" reaches.

    Returns:
        From 0 to 1; `expected_coverage` for samples of the data's own law.

    Raises:
        SettingError: There is no k-th neighbour.
        ShapeError: The features have different widths.

    Source: Naeem et al. (2020), equation 5, k = 5, arXiv 2002.09797.
    Differs: a sample exactly on the edge of a ball is in it.
    """
    pair(samples, reference, least=1)
    reach = radii(reference, k)
    covered = torch.zeros(len(reference), dtype=torch.bool)
    for _, squared in blocks(samples, reference):
        covered |= (squared <= reach).any(dim=0)
    return float(covered.double().mean())


def expected_coverage(samples: int, reference: int, k: int = NEIGHBOUR) -> float:
    """Expected coverage by samples of the data's own law, whatever that law is.

    None of M samples is nearer to an example than the k-th of N - 1 others with probability
    prod_{i=1}^{k} (N - i) / (M + N - i).

    Args:
        samples: Their number `M`.
        reference: The number of real examples `N`.
        k: Which neighbour.

    Source: Naeem et al. (2020), section 3.3 and lemma 2, arXiv 2002.09797.
    """
    missed = 1.0
    for i in range(1, k + 1):
        missed *= (reference - i) / (samples + reference - i)
    return 1 - missed
