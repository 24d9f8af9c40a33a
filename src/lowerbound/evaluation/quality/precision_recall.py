"""Precision and recall of samples: are they like the data, and is the data like them?"""

from torch import Tensor

from lowerbound.evaluation.quality.frechet import pair
from lowerbound.evaluation.quality.neighbours import in_some_ball, radii

#: The neighbour that says how far the data reach around one example.
NEIGHBOUR = 3


def precision(samples: Tensor, reference: Tensor, k: int = NEIGHBOUR) -> float:
    """Share of samples that lie among the data.

    A sample does if it is no further from some real example than that one's k-th nearest other.

    Args:
        samples: Features `(M, F)`.
        reference: Features of real examples, `(N, F)`, more than `k`.
        k: Which neighbour.

    Returns:
        From 0 to 1. It falls with the number of features, so read it beside that of real examples.

    Raises:
        SettingError: There is no k-th neighbour.
        ShapeError: The features have different widths.

    Source: Kynkäänniemi et al. (2019), equations 1 and 2, k = 3, arXiv 1904.06991.
    """
    pair(samples, reference, least=1)
    return float(in_some_ball(samples, reference, radii(reference, k)).double().mean())


def recall(samples: Tensor, reference: Tensor, k: int = NEIGHBOUR) -> float:
    """Share of real examples that lie among the samples: `precision` with the roles exchanged.

    Args:
        samples: Features `(M, F)`, more than `k`.
        reference: Features of real examples, `(N, F)`.
        k: Which neighbour.

    Returns:
        From 0 to 1. A few samples far out have large balls, and raise it.

    Raises:
        SettingError: There is no k-th neighbour.
        ShapeError: The features have different widths.

    Source: Kynkäänniemi et al. (2019), equations 1 and 2, k = 3, arXiv 1904.06991.
    """
    return precision(reference, samples, k)
