"""From what a network puts out to the standard deviation of a posterior."""

import torch
from torch import Tensor

#: Smallest exponent: its exponential, and the square of that, are finite and positive in float32.
LOWEST = -15.0


def positive_scale(h: Tensor) -> Tensor:
    """A standard deviation: exp(h) up to the prior's scale of 1, and 1 + h beyond it.

    Args:
        h: Any shape; held at -15 from below.

    Returns:
        Positive, same shape; both branches and their derivatives meet at h = 0.

    Differs: from exp(h) throughout, which is what most write. A posterior is rarely wider than
        its prior, but for one unusual input a network may put out h = 10: exp(10) would make that
        single example's bound worse than all others together, 11 does not.

    Example:
        >>> positive_scale(torch.tensor([-1.0, 0.0, 10.0]))
        tensor([ 0.3679,  1.0000, 11.0000])
    """
    # on either side of 0 one of the two terms is constant
    return h.clamp(LOWEST, 0.0).exp() + torch.relu(h)
