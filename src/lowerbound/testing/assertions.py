"""Assertions that know how often they err: they raise with a sentence, and return nothing.

A statistical assertion has two ways to be wrong. It may fail on code that is right: here with
probability 1e-6 for each number compared (`FAILS_BEYOND` standard errors). And it may pass on code
that is wrong: so each states the discrepancy it `resolves`, and fails if its sample is too small
to see one of that size with probability 0.999 (`SEES_FROM` standard errors).
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lowerbound.testing.ledger import Unit, enter

#: Standard errors beyond which a mean is wrong: 1e-6 of right ones are, two-sided.
FAILS_BEYOND = 4.9
#: Standard errors that the smallest discrepancy of interest must span: 4.9 and the 0.999 quantile.
SEES_FROM = 4.9 + 3.1
#: Rounding of float64 arithmetic, relative to the size of the numbers.
ROUNDING = 1e-9


def check_close(
    value: Tensor, expected: Tensor, name: str, tolerance: float = 1e-9, unit: Unit = "nats"
) -> None:
    """Raise AssertionError unless two tensors agree, relative to 1 + |expected|.

    Args:
        value: The value checked; broadcasts against `expected`.
        expected: The right value.
        name: Name of the quantity compared, for the message and the ledger.
        tolerance: Relative to 1 + |expected|.
        unit: Unit of both: "plain" where they are no log-densities, bounds or rates.
    """
    value, expected = value.detach().double(), expected.detach().double()
    distance = (value - expected).abs()
    enter(name, distance, unit)
    error = distance / (1 + expected.abs())
    worst = float(error.max()) if error.numel() else 0.0
    if not worst <= tolerance:
        at = int(error.nan_to_num(nan=math.inf).flatten().argmax())
        got, should = (t.expand(error.shape).flatten()[at] for t in (value, expected))
        raise AssertionError(f"{name} is {float(got):.9g}, it should be {float(should):.9g}")


def assert_mean(
    samples: Tensor, expected: Tensor | float, *, resolves: Tensor | float, name: str = "the mean"
) -> None:
    """Assert that independent samples have an expected mean.

    Args:
        samples: `(N, ...)`, N independent draws of each number.
        expected: The mean they should have; broadcasts against `(...)`.
        resolves: The discrepancy that the sample must be able to see; likewise.
        name: Name of the quantity compared, for the message.

    Raises:
        AssertionError: A mean is more than 4.9 standard errors from the expected one; or the
            sample is too small to see a discrepancy of `resolves`; or a number is not finite.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> assert_mean(torch.randn(10_000, generator=generator), 0.0, resolves=0.1)
    """
    mean, error, expected = _moments(samples, expected, resolves, name)
    rounding = ROUNDING * (1 + expected.abs())
    distance = (mean - expected).abs()
    _enter_score(name, distance - rounding, error)
    _refuse(distance > FAILS_BEYOND * error + rounding, mean, expected, error, f"{name} is")


def assert_mean_at_most(
    samples: Tensor, limit: Tensor | float, *, resolves: Tensor | float, name: str = "the mean"
) -> None:
    """Assert that the mean of independent samples is at most a limit.

    Args:
        limit: Limit of the mean.
        resolves: The excess that the sample must be able to see.
    """
    mean, error, limit = _moments(samples, limit, resolves, name)
    rounding = ROUNDING * (1 + limit.abs())
    _enter_score(name, mean - limit - rounding, error)
    above = mean - limit > FAILS_BEYOND * error + rounding
    _refuse(above, mean, limit, error, f"{name} exceeds its limit:")


def assert_frequencies(
    samples: Tensor, probabilities: Tensor, *, resolves: float, name: str = "the law"
) -> None:
    """Assert that whole numbers 0 ... L - 1 occur as often as they should.

    Args:
        samples: `(N,)`, independent draws.
        probabilities: `(L,)`.
        resolves: The discrepancy in a probability that the sample must be able to see.

    Raises:
        AssertionError: As `assert_mean`, level by level; or a draw is no such whole number.
    """
    levels = len(probabilities)
    samples = samples.double()
    if not bool(((samples >= 0) & (samples < levels) & (samples == samples.round())).all()):
        raise AssertionError(f"{name}: draws must be whole numbers from 0 to {levels - 1}")
    hits = (samples.unsqueeze(-1) == torch.arange(levels)).double()
    # the standard error of the hypothesis, not of the sample: a rare level may not occur at all
    expected = probabilities.double()
    error = (expected * (1 - expected) / len(samples)).sqrt()
    _check_power(error, torch.as_tensor(resolves), len(samples), name)
    mean = hits.mean(dim=0)
    # one draw more or less is not normal where hardly one is expected
    few = 24.0 / len(samples)
    slack = FAILS_BEYOND * error + few
    _enter_score(name, (mean - expected).abs() - few, error)
    _refuse((mean - expected).abs() > slack, mean, expected, error, f"{name} has frequency")


def assert_uniform_ranks(
    ranks: Tensor, draws: int, *, resolves: float, name: str = "the ranks"
) -> None:
    """Assert that ranks are uniform, as those of a truth among exact posterior draws must be.

    Three looks at u = (rank + 1/2) / (draws + 1): its mean sees a shifted posterior, its spread one
    too wide or too narrow, and a chi-squared statistic over 16 bins any other shape.

    Args:
        ranks: `(N,)`, each from 0 to `draws`, of independent simulations.
        draws: Posterior draws among which the truth was ranked.
        resolves: The discrepancy that must be seen in the mean of u (1/2 when uniform), and a
            third of it in its variance (1/12 when uniform).

    Raises:
        AssertionError: The ranks are not uniform, or too few to tell.

    Source: Talts et al. (2018), arXiv 1804.06788.
    """
    ranks = ranks.double()
    if not bool(((ranks >= 0) & (ranks <= draws)).all()):
        raise AssertionError(f"{name} must lie from 0 to {draws}")
    u = (ranks + 0.5) / (draws + 1)
    variance = (1 - 1 / (draws + 1) ** 2) / 12
    assert_mean(u, 0.5, resolves=resolves, name=f"{name}: the mean")
    spread = (u - 0.5).square()
    assert_mean(spread, variance, resolves=resolves / 3, name=f"{name}: the variance")
    bins = min(16, draws + 1)
    bin_of = (ranks * bins / (draws + 1)).floor()
    shares = torch.bincount(
        (torch.arange(draws + 1) * bins / (draws + 1)).floor().long(), minlength=bins
    ).double() / (draws + 1)
    counts = torch.bincount(bin_of.long(), minlength=bins).double()
    expected = shares * len(ranks)
    ratio = float(((counts - expected).square() / expected).sum()) / (bins - 1)
    # Wilson & Hilferty (1931): the cube root of a chi-squared is nearly normal
    width = 2 / (9 * (bins - 1))
    score = (ratio ** (1 / 3) - (1 - width)) / width**0.5
    enter(f"{name}: the shape", max(score, 0.0), "standard errors")
    if score > FAILS_BEYOND:
        raise AssertionError(f"{name} are not uniform: chi-squared is {score:.1f} standard errors")


def assert_close_gradient(
    function: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    *,
    tolerance: float = 1e-6,
    step: float = 1e-5,
    name: str = "the gradient",
) -> None:
    """Assert that automatic derivatives agree with central finite differences.

    Args:
        function: From tensors to a tensor; the same value for the same input.
        inputs: Where to differentiate; all float64.
        tolerance: Relative to the largest derivative of an input.
        step: Of the differences, relative to 1 + |input|.
    """
    points = [x.detach().clone().requires_grad_() for x in inputs]
    if any(point.dtype != torch.float64 for point in points):
        raise AssertionError(f"{name}: finite differences need float64 inputs")
    output = function(*points)
    direction = torch.linspace(0.5, 1.5, output.numel(), dtype=output.dtype).reshape(output.shape)

    def along(tensors: Sequence[Tensor]) -> Tensor:
        return (function(*tensors) * direction).sum()

    gradients = torch.autograd.grad(along(points), points, allow_unused=True)
    for index, gradient in enumerate(gradients):
        if gradient is None or not bool(torch.isfinite(gradient).all()):
            raise AssertionError(f"{name} of input {index} is missing or not finite")
        flat = [point.detach().clone() for point in points]
        differences = torch.zeros(gradient.numel(), dtype=torch.float64)
        cells = flat[index].view(-1)
        with torch.no_grad():
            for cell in range(gradient.numel()):
                at = float(cells[cell])
                width = step * (1 + abs(at))
                cells[cell] = at + width
                above = along(flat)
                cells[cell] = at - width
                differences[cell] = (above - along(flat)) / (2 * width)
                cells[cell] = at
        error = (gradient.flatten() - differences).abs().max()
        enter(f"{name} of input {index}", error)
        if not float(error) <= tolerance * (1 + float(differences.abs().max())):
            raise AssertionError(
                f"{name} of input {index} is off by {float(error):.3g}: autograd gives "
                f"{_few(gradient)}, differences {_few(differences)}"
            )


def _moments(
    samples: Tensor, expected: Tensor | float, resolves: Tensor | float, name: str
) -> tuple[Tensor, Tensor, Tensor]:
    samples = samples.detach().double()
    if samples.ndim == 0 or len(samples) < 30:
        raise AssertionError(f"{name}: a standard error needs at least 30 samples")
    if not bool(torch.isfinite(samples).all()):
        raise AssertionError(f"{name}: a sample is not finite")
    mean, error = samples.mean(dim=0), samples.std(dim=0) / len(samples) ** 0.5
    _check_power(error, torch.as_tensor(resolves), len(samples), name)
    return mean, error, torch.as_tensor(expected, dtype=torch.float64)


def _check_power(error: Tensor, resolves: Tensor, count: int, name: str) -> None:
    if bool((SEES_FROM * error > resolves).any()):
        needed = float(((SEES_FROM * error / resolves) ** 2).max()) * count
        raise AssertionError(
            f"{name}: {count:,} samples are too few to see a discrepancy of "
            f"{float(resolves.min()):.3g}; it takes {needed:,.0f}"
        )


def _enter_score(name: str, excess: Tensor, error: Tensor) -> None:
    """Enter a discrepancy, beyond what is allowed for rounding, in standard errors."""
    enter(name, (excess.clamp(min=0.0) / error).nan_to_num(0.0, math.inf), "standard errors")


def _refuse(wrong: Tensor, mean: Tensor, expected: Tensor, error: Tensor, words: str) -> None:
    if not bool(wrong.any()):
        return
    mean, expected, error = torch.broadcast_tensors(mean, expected.double(), error)
    scores = ((mean - expected).abs() / error).nan_to_num(nan=0.0, posinf=1e300)
    worst = int((scores * wrong).argmax())
    got, should, spread = (float(t.flatten()[worst]) for t in (mean, expected, error))
    raise AssertionError(
        f"{words} {got:.6g} ± {spread:.2g} where {should:.6g} was expected"
        f" ({int(wrong.sum())} of {wrong.numel()} numbers)"
    )


def _few(values: Tensor) -> str:
    return str([float(f"{value:.6g}") for value in values.flatten()[:4].tolist()])
