"""How heavy the tail of importance weights is: whether their mean can be trusted."""

import math

import torch
from torch import Tensor

#: Beyond this shape the error of an importance-weighted mean shrinks too slowly to be trusted,
#: however many draws there are; see `heavy`.
HEAVY = 0.7
#: Weights that exceed another by no more than this share of the largest one tie with it.
ALIKE = 1e-12
#: Fewest weights in a tail to which a shape can be fitted.
FEWEST = 5


def tail_length(samples: int) -> int:
    """Count the largest weights that are the tail, min(K / 5, 3 sqrt K).

    Source: Vehtari et al. (2024), section 4.1, arXiv 1507.02646.
    """
    return math.ceil(min(samples / 5, 3 * math.sqrt(samples)))


def heavy(samples: int) -> float:
    """Return the shape beyond which a mean of K weights is not trusted, min(1 - 1 / log10 K, 0.7).

    Source: Vehtari et al. (2024), section 3.2.4, arXiv 1507.02646.
    """
    return min(1 - 1 / math.log10(max(samples, 11)), HEAVY)


def pareto_shape(log_weight: Tensor) -> Tensor:
    """Fit a generalised Pareto law to the largest weights: of its shape k, 1/k moments are finite.

    Below 0.5 the variance of a mean of weights is finite; beyond 0.7 more draws hardly help. The
    logarithms of the weights are `(K, B)`, nats.

    Returns:
        `(B,)`, float64; nan where there are fewer than 25 draws, 0 where the weights of the tail
        are all alike.

    Source: Zhang & Stephens (2009), section 3; Vehtari et al. (2024), algorithm 1 and appendix C
        (weak prior towards 0.5), arXiv 1507.02646.

    Example:
        >>> log_weight = -0.9 * torch.linspace(0, 1, 4002, dtype=torch.float64)[1:-1].log()
        >>> float(pareto_shape(log_weight.unsqueeze(-1)))
        0.9...
    """
    samples = log_weight.shape[0]
    length = tail_length(samples)
    if samples < 5 * FEWEST:
        return torch.full(log_weight.shape[1:], math.nan, dtype=torch.float64)
    largest = log_weight.double().topk(length + 1, dim=0).values
    weight = (largest - largest[0]).exp()
    excess = (weight[:-1] - weight[-1]).flip(0)  # (n, B), ascending
    shape = torch.zeros(excess.shape[1:], dtype=torch.float64)
    whole = excess[0] > 0
    if bool(whole.any()):
        shape[whole] = _shape(excess[:, whole])
    for row in (~whole).nonzero().flatten().tolist():
        # weights that tie with the last one left out are not above it
        above = excess[excess[:, row] > ALIKE, row]
        if len(above) >= FEWEST:
            shape[row] = float(_shape(above.unsqueeze(-1)))
    return shape


def _shape(excess: Tensor) -> Tensor:
    """Fit with the weight of ten draws of shape 0.5."""
    return (_fit(excess) * len(excess) + 10 * 0.5) / (len(excess) + 10)


def _fit(excess: Tensor) -> Tensor:
    """Fit the shape of `(n, B)` ascending exceedances: a posterior mean over a grid of scales."""
    count = len(excess)
    points = 30 + int(math.sqrt(count))
    grid = torch.arange(1, points + 1, dtype=torch.float64).unsqueeze(-1) - 0.5
    quartile = excess[int(count / 4 + 0.5) - 1]
    theta = 1 / excess[-1] + (1 - (points / grid).sqrt()) / (3 * quartile)  # (points, B)
    shape = torch.stack([torch.log1p(-t * excess).mean(dim=0) for t in theta])
    profile = count * ((-theta / shape).log() - shape - 1)
    best = (theta * profile.softmax(dim=0)).sum(dim=0)
    return torch.log1p(-best * excess).mean(dim=0)
