"""Where the values of a law of z lie, if not everywhere."""

from torch.distributions import Distribution, constraints

from lowerbound.distributions.sphere import sphere

_NAMES = {
    id(constraints.positive): "positive numbers",
    id(constraints.nonnegative): "positive numbers",
    id(constraints.simplex): "shares",
    id(sphere): "directions",
}


def surface(law: Distribution) -> str:
    """Name the values of a law of z, if one unit cannot be moved anywhere by itself; else "".

    Example:
        >>> import torch
        >>> surface(torch.distributions.Dirichlet(torch.ones(3)))
        'shares'
    """
    try:
        support = law.support
    except NotImplementedError:
        return ""
    while isinstance(support, type(constraints.real_vector)):  # independent cells
        support = support.base_constraint
    return _NAMES.get(id(support), "")
