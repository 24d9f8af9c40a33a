"""The point that stands for a whole distribution, and a distribution made narrower."""

from functools import singledispatch

from torch import Tensor
from torch.distributions import Categorical, Distribution, MultivariateNormal, Normal

from lowerbound.distributions.independent import Independent
from lowerbound.errors import SettingError


@singledispatch
def centre(distribution: Distribution) -> Tensor:
    """Return the point that stands for a distribution: the mean, or the mode of classes.

    Register a new family with `centre.register`.

    Returns:
        `(*batch, *event)`.

    Raises:
        SettingError: The family has no mean and none was registered.

    Example:
        >>> import torch
        >>> centre(Normal(torch.tensor(2.0), torch.tensor(1.0)))
        tensor(2.)
    """
    try:
        return distribution.mean
    except NotImplementedError:
        raise SettingError(
            f"{type(distribution).__name__} has no centre to stand for it; register one with "
            "lowerbound.distributions.centre.register"
        ) from None


@centre.register
def _(distribution: Categorical) -> Tensor:
    return distribution.logits.argmax(dim=-1)


@centre.register
def _(distribution: Independent) -> Tensor:
    return centre(distribution.base_dist)


@singledispatch
def tempered(distribution: Distribution, temperature: float) -> Distribution:
    """Return the distribution with its spread about its centre multiplied by `temperature`.

    Args:
        distribution: Of a family with a scale.
        temperature: Not negative; 1 changes nothing.

    Raises:
        SettingError: The family has no scale and nothing was registered for it.
    """
    raise SettingError(
        f"{type(distribution).__name__} has no scale that a temperature could change; leave the "
        "temperature at 1"
    )


@tempered.register
def _(distribution: Normal, temperature: float) -> Distribution:
    return Normal(distribution.loc, distribution.scale * temperature, validate_args=False)


@tempered.register
def _(distribution: Independent, temperature: float) -> Distribution:
    base = tempered(distribution.base_dist, temperature)
    return Independent(base, distribution.reinterpreted_batch_ndims)


@tempered.register
def _(distribution: MultivariateNormal, temperature: float) -> Distribution:
    factor = distribution._unbroadcasted_scale_tril * temperature
    return MultivariateNormal(distribution.loc, scale_tril=factor, validate_args=False)
