"""Whether cells depend on each other: what a latent could explain at all."""

import math

import torch

from lowerbound.data import Data
from lowerbound.doctor.symptoms import Structure

#: Most examples and cells looked at.
MOST_ROWS, MOST_CELLS = 2000, 1000


def structure_of(data: Data) -> Structure | None:
    """Correlations between different cells of the training examples; None where none is known.

    t = sum_{i<j} r_ij^2 - D (D - 1) / (2 n) over its standard deviation, with n = N - 1.

    Source: Schott (2005), Testing for complete independence in high dimensions, Biometrika 92,
        theorem 1.
    """
    if data.train.observed is not None:  # a filler is no value
        return None
    x = data.train.few(MOST_ROWS).x.reshape(min(len(data.train), MOST_ROWS), -1).double()
    if x.shape[1] > MOST_CELLS:
        x = x[:, torch.linspace(0, x.shape[1] - 1, MOST_CELLS).long()]
    x = x - x.mean(dim=0)
    length = x.norm(dim=0)
    x = x[:, length > 0] / length[length > 0]
    width, n = x.shape[1], len(x) - 1
    if width < 2:  # a single cell depends on no other
        return Structure(correlation=0.0, chance=0.0, score=0.0, strongest=0.0)
    if n < 3:
        return None
    r = (x.mT @ x).square().fill_diagonal_(0.0)
    squares = float(r.sum() / 2)
    pairs = width * (width - 1) / 2
    deviation = math.sqrt(2 * pairs * (n - 1) / (n * n * (n + 2)))
    return Structure(
        correlation=math.sqrt(max(squares, 0.0) / pairs),
        chance=math.sqrt(1 / n),
        score=(squares - pairs / n) / deviation,
        strongest=float(r.max()),
    )
