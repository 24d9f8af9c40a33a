"""A distribution with its parameters held constant, for path-wise gradients."""

from functools import singledispatch

from torch.distributions import Dirichlet, Distribution, Gamma, Laplace, MultivariateNormal, Normal

from lowerbound.distributions.independent import Independent
from lowerbound.errors import SettingError


@singledispatch
def detached(distribution: Distribution) -> Distribution:
    """Return the distribution, its log-density without a gradient but that through the value.

    Register a new family with `detached.register`.

    Raises:
        SettingError: The family is not registered.

    Source: Roeder, Wu & Duvenaud (2017), section 3, arXiv 1703.09194.
    """
    raise SettingError(
        f"no path-wise gradient for {type(distribution).__name__}; use gradient='total', or "
        "register the family with lowerbound.distributions.detached.register"
    )


@detached.register
def _(distribution: Normal) -> Normal:
    return Normal(distribution.loc.detach(), distribution.scale.detach(), validate_args=False)


@detached.register
def _(distribution: Independent) -> Independent:
    base = detached(distribution.base_dist)
    return Independent(base, distribution.reinterpreted_batch_ndims, distribution.filler)


@detached.register
def _(distribution: MultivariateNormal) -> MultivariateNormal:
    factor = distribution._unbroadcasted_scale_tril.detach()
    return MultivariateNormal(distribution.loc.detach(), scale_tril=factor, validate_args=False)


@detached.register
def _(distribution: Laplace) -> Laplace:
    return Laplace(distribution.loc.detach(), distribution.scale.detach(), validate_args=False)


@detached.register
def _(distribution: Gamma) -> Gamma:
    return Gamma(
        distribution.concentration.detach(), distribution.rate.detach(), validate_args=False
    )


@detached.register
def _(distribution: Dirichlet) -> Dirichlet:
    return Dirichlet(distribution.concentration.detach(), validate_args=False)
