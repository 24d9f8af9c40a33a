"""Rules for a likelihood of independent cells: run this on one of your own.

Example:
    >>> from lowerbound.likelihoods import Bernoulli, Fields
    >>> from lowerbound.networks import MLP
    >>> check_likelihood(Fields(MLP((3,), (1, 2)), Bernoulli()), torch.randn(3, 2, 3))
"""

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from lowerbound.core import Conditional
from lowerbound.distributions import Independent, Product, Whole, expected, log_prob
from lowerbound.errors import SupportError
from lowerbound.seeding import seeded
from lowerbound.testing.assertions import assert_close_gradient, assert_mean, check_close
from lowerbound.testing.conformance import FAR
from lowerbound.testing.gradients import check_parameter_gradient
from lowerbound.testing.laws import (
    DRAWS,
    JUNK,
    check_copies,
    check_finite,
    check_reached,
    check_rows,
    check_shape,
)

#: A law over whole numbers without an end is summed up to where this little is left of it ...
_LEFT = 1e-9
#: ... and no further than this number.
_LAST = 2**18


def check_likelihood(likelihood: Conditional, z: Tensor, *, seed: int = 0) -> None:
    """Run the conformance ladder on a likelihood p(x|z) of independent cells.

    Batch that of z; the law of each cell sums or integrates to one; its mean, its draws and its
    density agree; the event's log-density is the sum over its cells, and its gradient that of
    finite differences; cells that were not observed leave no trace in value and gradient, whatever
    they hold; impossible values are refused, draws never are; no row sees another.

    Args:
        likelihood: For small events, since each cell is integrated.
        z: Latents, `(K, B, D)`, at least 2 rows.
    """
    with seeded(seed):
        law = likelihood(z)
        if law.batch_shape != z.shape[:-1]:
            raise AssertionError(
                f"a likelihood has the batch of z, {tuple(z.shape[:-1])}, got "
                f"{tuple(law.batch_shape)}"
            )
        x = law.sample()[0]
        value = log_prob(law, x)
        check_shape(value, tuple(z.shape[:-1]), "log p(x|z)")
        check_finite(value, "log p(x|z) of its own draws")
        cells = _of_cells(law).cells(x.expand(*law.batch_shape, *law.event_shape)).double()
        whole = cells.flatten(start_dim=z.ndim - 1).sum(dim=-1)
        check_close(value, whole, "log p(x|z), the sum of its cells in float64,", 1e-12)
        leaf = z.detach().clone().requires_grad_()
        check_reached(likelihood, log_prob(likelihood(leaf), x).sum(), "p(x|z)", leaf)
        check_rows(lambda rows: log_prob(likelihood(rows), x[:1]), z[0], "p(x|z)")
        precise = copy.deepcopy(likelihood).double()
        law = _of_cells(precise(z.double()))
        mean, variance = _gather(law, _moments).unbind(dim=0)
        draws = law.sample(torch.Size([DRAWS]))
        if refusal := _refusal(likelihood, draws.flatten(end_dim=z.ndim - 1)):
            raise AssertionError(f"check() refuses its own draws: {refusal}")
        draws = draws.double()
        scale = variance.sqrt()
        assert_mean(draws, mean, resolves=0.12 * scale + 1e-9, name="the mean of draws of p(x|z)")
        # about the known mean: about their own, two levels of equal mass would leave no spread
        squares = (draws - mean).square() / variance
        assert_mean(squares.clamp(max=100), 1.0, resolves=0.9, name="the spread of draws of p(x|z)")
        _check_sum(law, draws[0])
        _check_refused(likelihood, law, x.double())
        data = law.sample()[0].double()
        assert_close_gradient(
            lambda z: log_prob(precise(z), data), [z.double()], name="the gradient of log p(x|z)"
        )
        check_parameter_gradient(precise, lambda law: law(z.double()), data, "log p(x|z)")
        for size in FAR[1:]:
            far = log_prob(likelihood(size * z.sign()), x)
            check_finite(far, f"log p(x|z) at |z| = {size:g}")
        for part, dtype in ((likelihood, z.dtype), (precise, torch.float64)):
            _check_masked(part, z.to(dtype), data)
        check_copies(likelihood, "the likelihood")


def _of_cells(law: Distribution) -> Independent | Product:
    if not isinstance(law, Independent | Product):
        raise AssertionError(
            f"p(x|z) has shape {type(law).__name__}: independent cells are an Independent or a "
            "Product of lowerbound.distributions, which leave out what was not observed"
        )
    return law


def _gather(law: Independent | Product, of: Callable[[Distribution], Tensor]) -> Tensor:
    """Return what `of` says of the law of each cell, `(..., *event)`."""
    return law.gather(of) if isinstance(law, Product) else of(law.base_dist)


def _moments(law: Distribution) -> Tensor:
    """Sum or integrate the law of each cell, which gives one; return mean and variance, stacked."""
    x, mass, what = _integrated(law) if not _is_counted(law) else _summed(law)
    check_close(mass.sum(dim=0), torch.ones(()), f"{what} of a cell of p(x|z)", 1e-6, "plain")
    mean = (mass * x).sum(dim=0)
    told = expected(law)
    # classes without order have no mean: the most probable stands for them
    likeliest = torch.take_along_dim(x.expand_as(mass), mass.argmax(dim=0, keepdim=True), dim=0)
    wanted = torch.where(law.mean.isnan(), likeliest.squeeze(0), mean)
    check_close(told, wanted, "the mean of p(x|z)", 1e-4, "plain")
    return torch.stack([mean, (mass * (x - mean).square()).sum(dim=0)])


def counted_cells(law: Independent | Product) -> Tensor:
    """Tell which cells have a law of whole numbers, and no density; bool, `event`."""
    found = _gather(law, lambda part: torch.full(part.batch_shape, float(_is_counted(part))))
    return found[(0,) * len(law.batch_shape)] > 0


def _is_counted(law: Distribution) -> bool:
    return law.support is not None and law.support.is_discrete


def _summed(law: Distribution) -> tuple[Tensor, Tensor, str]:
    """Return all values of a cell and their masses; without an end, as long as there is mass."""
    last = _last(law)
    count = 256 if last is None else last + 1
    while True:
        first = -count if isinstance(law.support, Whole) else 0
        x = torch.arange(first, count, dtype=torch.float64)
        x = x.view(-1, *(1,) * len(law.batch_shape))
        mass = law.log_prob(x.expand(-1, *law.batch_shape)).detach().double().exp()
        left = torch.where(x.abs() < count // 2, 0.0, mass).sum(dim=0).max()
        if last is not None or count >= _LAST or float(left) < _LEFT:
            return x, mass, "the sum over the levels"
        count *= 2


def _last(law: Distribution) -> int | None:
    """Return the last value of a law over whole numbers from 0; None if there is none."""
    if law.support is constraints.boolean:
        return 1
    last = getattr(law.support, "upper_bound", None)
    return None if last is None else int(torch.as_tensor(last).max())


def _integrated(law: Distribution) -> tuple[Tensor, Tensor, str]:
    """Return points of a cell's range and their share of its mass."""
    centre, spread = law.mean.detach(), law.variance.detach().sqrt()
    # a density may end at its limits with any value: points lie between these and nowhere else
    low, high = (torch.as_tensor(end).double() for end in limits_of(law))
    first, last = ((end - centre).div(spread).atan() for end in (low, high))
    share = (torch.arange(4000, dtype=torch.float64) + 0.5) / 4000
    angle = first + (last - first) * share.view(-1, *(1,) * centre.ndim)
    x = (centre + spread * angle.tan()).clamp(low, high)
    density = law.log_prob(x).detach().double().exp()
    mass = density * spread * (last - first) / 4000 / angle.cos().square()
    atoms = getattr(law, "atoms", None)
    if atoms is not None:  # point masses beside the density
        there = atoms.isfinite()
        at = torch.where(there, atoms, centre).detach()
        own = torch.where(there, law.log_prob(at).detach().exp(), 0.0)
        x, mass = torch.cat([at, x]), torch.cat([own, mass])
    return x, mass, "the integral"


def limits_of(law: Distribution) -> tuple[float | Tensor, float | Tensor]:
    """Return the least and the greatest number that a law of cells can take, or infinities."""
    low = getattr(law.support, "lower_bound", -math.inf)
    return low, getattr(law.support, "upper_bound", math.inf)


def _check_sum(law: Independent | Product, x: Tensor) -> None:
    """Assert that log p(x) is the sum of those of each cell when it alone is observed."""
    cells = math.prod(law.event_shape)
    alone = torch.eye(cells, dtype=torch.bool).view(cells, *law.event_shape)
    total = sum((log_prob(law, x, mask) for mask in alone), start=torch.zeros(()).double())
    check_close(log_prob(law, x), total, "log p(x|z), a sum over cells,")
    check_close(log_prob(law, x, torch.zeros_like(alone[0])), torch.zeros(()), "log p(nothing|z)")
    check_close(log_prob(law, x, alone.any(dim=0)), log_prob(law, x), "log p(x|z) of all cells")


def _check_masked(likelihood: Conditional, z: Tensor, x: Tensor) -> None:
    """Assert that value and gradients are bit-equal whatever an unobserved cell holds."""
    observed = torch.rand(x.shape) < 0.6
    observed.view(-1)[0], observed.view(-1)[-1] = False, True
    first: list[Tensor] = []
    for junk in (0.0, *JUNK):
        held, leaf = (t.to(z.dtype).detach().clone() for t in (torch.where(observed, x, junk), z))
        learned = (p for p in likelihood.parameters() if p.requires_grad)
        wanted = [held.requires_grad_(), leaf.requires_grad_(), *learned]
        value = log_prob(likelihood(leaf), held, observed)
        found = [value.detach()]
        found += torch.autograd.grad(value.sum(), wanted, materialize_grads=True)
        first = first or found
        for one, other in zip(first, found, strict=True):
            check_finite(other, f"log p(x|z), where an unobserved cell holds {junk},")
            if not torch.equal(one, other):
                raise AssertionError(
                    f"log p(x|z) or its gradient changes when an unobserved cell holds {junk}"
                )
        if bool((found[1][~observed] != 0).any()):
            raise AssertionError("an unobserved cell of p(x|z) has a gradient")


def _refusal(likelihood: Conditional, x: Tensor, observed: Tensor | None = None) -> str | None:
    try:
        likelihood.check(x, observed)
    except SupportError as error:
        return str(error)
    return None


def _check_refused(likelihood: Conditional, law: Independent | Product, x: Tensor) -> None:
    """Assert that one impossible value in any cell is refused, unless it was not observed."""
    for cell, whole in enumerate(counted_cells(law).flatten().tolist()):
        hidden = torch.ones(x.shape, dtype=torch.bool)
        hidden.view(len(x), -1)[-1, cell] = False
        for wrong in (math.nan, math.inf, -3.5 if whole else -math.inf):
            bad = torch.where(hidden, x, wrong)
            if _refusal(likelihood, bad) is None:
                raise AssertionError(f"check() must refuse {wrong:g} with a SupportError")
            if refusal := _refusal(likelihood, bad, hidden):
                raise AssertionError(f"check() sees an unobserved cell: {refusal}")
