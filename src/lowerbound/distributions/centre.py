"""Laws of z seen whole: the points that stand for them, their spread, and narrower ones."""

import math
from functools import singledispatch

import torch
from torch import Tensor
from torch.distributions import (
    Bernoulli,
    Categorical,
    Distribution,
    Laplace,
    MultivariateNormal,
    Normal,
    StudentT,
)

from lowerbound.distributions.independent import Independent
from lowerbound.distributions.levels import Levels
from lowerbound.errors import SettingError


@singledispatch
def expected(distribution: Distribution) -> Tensor:
    """Return E[x], or the mode of classes, which have no mean: what is shown of p(x|z).

    Register a new family with `expected.register`.

    Returns:
        `(*batch, *event)`.

    Raises:
        SettingError: The family has no mean and none was registered.
    """
    try:
        return distribution.mean
    except NotImplementedError:
        raise SettingError(
            f"{type(distribution).__name__} has no point to stand for it; register one with "
            "lowerbound.distributions.expected.register, and centre.register for a law of z"
        ) from None


@expected.register
def _(distribution: Categorical) -> Tensor:
    return distribution.logits.argmax(dim=-1)


@expected.register
def _(distribution: Levels) -> Tensor:
    return distribution.mean


@expected.register
def _(distribution: Independent) -> Tensor:
    return expected(distribution.base_dist)


@singledispatch
def centre(distribution: Distribution) -> Tensor:
    """Return the value that stands for a law of z: its mean, or the mode of codes and classes.

    Register a new family with `centre.register`.

    Returns:
        `(*batch, *event)`, a value that the law can take.

    Raises:
        SettingError: The family has no mean and none was registered.

    Example:
        >>> centre(Normal(torch.tensor(2.0), torch.tensor(1.0)))
        tensor(2.)
        >>> centre(Bernoulli(torch.tensor(0.75)))
        tensor(1.)
    """
    return expected(distribution)


@centre.register
def _(distribution: Levels) -> Tensor:
    return distribution.logits.argmax(dim=-1)


@centre.register
def _(distribution: Bernoulli) -> Tensor:
    return (distribution.logits > 0).to(distribution.logits.dtype)


@centre.register
def _(distribution: Independent) -> Tensor:
    return centre(distribution.base_dist)


@singledispatch
def spread(distribution: Distribution) -> Tensor:
    """Return the standard deviation of single units; nan where the family knows none.

    Register a new family with `spread.register`.

    Returns:
        `(*batch, *event)`.
    """
    try:
        return distribution.stddev
    except NotImplementedError:
        return torch.full_like(centre(distribution), math.nan, dtype=torch.get_default_dtype())


@spread.register
def _(distribution: Independent) -> Tensor:
    return spread(distribution.base_dist)


@singledispatch
def endless(distribution: Distribution) -> Distribution:
    """Return a law of z whose density counts every unit: itself, but for series that have ended."""
    return distribution


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
def _(distribution: Laplace, temperature: float) -> Distribution:
    return Laplace(distribution.loc, distribution.scale * temperature, validate_args=False)


@tempered.register
def _(distribution: StudentT, temperature: float) -> Distribution:
    scale = distribution.scale * temperature
    return StudentT(distribution.df, distribution.loc, scale, validate_args=False)


@tempered.register
def _(distribution: Independent, temperature: float) -> Distribution:
    base = tempered(distribution.base_dist, temperature)
    return Independent(base, distribution.reinterpreted_batch_ndims, distribution.filler)


@tempered.register
def _(distribution: MultivariateNormal, temperature: float) -> Distribution:
    factor = distribution._unbroadcasted_scale_tril * temperature
    return MultivariateNormal(distribution.loc, scale_tril=factor, validate_args=False)
