"""Fréchet distance between two sets of features, as if both were Gaussian."""

import math

import torch
from torch import Tensor

from lowerbound.errors import DataError, ShapeError

#: Groups that the jackknife leaves out in turn.
GROUPS = 10


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Return the squared 2-Wasserstein distance of Gaussians with the moments of two sets.

    |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^{1/2})

    It is biased upwards, by about a constant over N that depends on the model: two sets of one law
    have a positive distance. Compare it only with distances at the same N, and read it beside that
    of real examples from others. With fewer examples than features the covariances are singular
    and the bias is large.

    Args:
        a: Features `(N, F)`, at least 2.
        b: Features `(M, F)`, at least 2.

    Returns:
        The distance, at least 0, in squared units of the features.

    Raises:
        ShapeError: `a` and `b` are no matrices of the same width.
        DataError: A set has fewer than 2 examples.

    Source: Heusel et al. (2017), equation 6, arXiv 1706.08500; its bias: Chong & Forsyth (2020),
        arXiv 1911.07023.
    Differs: tr (S_a S_b)^{1/2} is taken as the sum of singular values of R_a R_b^T, where
        S = R^T R. That is the same number without a matrix square root, and never complex.

    Example:
        >>> a = torch.tensor([[0.0], [2.0]])
        >>> frechet_distance(a, a + 3.0)
        9.0
    """
    pair(a, b, least=2)
    a, b = a.double(), b.double()
    shift = a.mean(dim=0) - b.mean(dim=0)
    root_a, root_b = _root(a), _root(b)
    common = torch.linalg.svdvals(root_a @ root_b.mT).sum()
    trace = root_a.square().sum() + root_b.square().sum()
    return max(0.0, float(shift.square().sum() + trace - 2 * common))


def frechet_error(a: Tensor, b: Tensor) -> float:
    """Estimate the error of the Fréchet distance, leaving out a tenth of both sets in turn.

    The sets, `(N, F)` and `(M, F)`, have at least 20 examples in random order. It is the standard
    error over draws of both, in the unit of the distance, and knows nothing of the bias.

    Raises:
        DataError: A set has fewer than 20 examples.

    Source: Efron & Stein (1981), on the jackknife.
    """
    pair(a, b, least=2 * GROUPS)
    left_out = []
    for group in range(GROUPS):
        kept = [x[torch.arange(len(x)) % GROUPS != group] for x in (a, b)]
        left_out.append(frechet_distance(kept[0], kept[1]))
    values = torch.tensor(left_out, dtype=torch.float64)
    return math.sqrt((GROUPS - 1) * float(values.var(unbiased=False)))


def _root(x: Tensor) -> Tensor:
    """Return R with R^T R the covariance of `x`, as small as it can be."""
    centred = (x - x.mean(dim=0)) / math.sqrt(len(x) - 1)
    return torch.linalg.qr(centred, mode="r")[1]


def pair(a: Tensor, b: Tensor, *, least: int) -> None:
    """Raise ShapeError or DataError unless both are matrices of one width, with so many rows."""
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ShapeError(
            f"features must be (N, F) and (M, F) of one space, got {tuple(a.shape)} and "
            f"{tuple(b.shape)}"
        )
    if min(len(a), len(b)) < least:
        raise DataError(
            f"this measure needs at least {least} examples of each kind, got {len(a)} and {len(b)}"
        )
