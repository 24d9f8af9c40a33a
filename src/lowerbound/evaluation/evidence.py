"""Bounds on log p(x) of every example, in chunks that fit in memory."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lowerbound.data import Batch, Examples
from lowerbound.errors import DataError, SettingError
from lowerbound.objectives import ELBO
from lowerbound.objectives.objective import positive_samples
from lowerbound.seeding import seeded

#: Cells of x, over draws and examples, that are decoded at a time, of at most two parameters each.
CELLS_AT_ONCE = 4_000_000
#: Most examples encoded at a time.
EXAMPLES_AT_ONCE = 500


@dataclass(frozen=True)
class Evidence:
    """What is known of each of `N` examples; all tensors on the CPU, float64.

    Attributes:
        elbo: Evidence lower bound, `(N,)`, nats.
        log_likelihood: Importance-weighted bound with `samples` draws, `(N,)`, nats.
        distortion: -E_q[log p(x|z)], `(N,)`, nats.
        rate: KL(q(z|x) || p(z)), `(N,)`, nats.
        unit_rate: Rate of each latent unit averaged over examples, `(D,)`, nats; None where the
            posterior correlates the units or has no closed form.
        means: Posterior means, `(N, D)`.
        samples: Draws for each example.
    """

    elbo: Tensor
    log_likelihood: Tensor
    distortion: Tensor
    rate: Tensor
    unit_rate: Tensor | None
    means: Tensor
    samples: int


@torch.no_grad()
def evidence(
    model: nn.Module,
    examples: Examples,
    samples: int = 100,
    *,
    seed: int | None = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Evidence:
    """Bound log p(x) of each example from below by the ELBO and by importance weighting.

    log p(x) >= E[log 1/K sum_k p(x, z_k) / q(z_k|x)], all from the same K draws.

    Args:
        model: Anything with a `trace`.
        examples: `N` examples, at least 1.
        samples: Draws `K` for each example.
        seed: Of the draws; None for a fresh one.
        progress: Called with (examples done, examples in all).

    Returns:
        Values for each example.

    Raises:
        SettingError: `samples` is less than 1.
        DataError: There are no examples, or one is so extreme that its bound is not a number.

    Source: Burda, Grosse & Salakhutdinov (2016), equation 8, arXiv 1509.00519.
    """
    positive_samples(samples)
    if len(examples) == 0:
        raise DataError("there are no examples to evaluate")
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    # a categorical cell has a parameter a level: 256 of them fill the memory 128 times as fast
    width = getattr(getattr(model, "likelihood", None), "parameters_per_cell", 1)
    cells = max(1, math.prod(examples.x.shape[1:])) * max(1, width // 2)
    rows = max(1, min(EXAMPLES_AT_ONCE, CELLS_AT_ONCE // cells))
    draws = max(1, min(samples, CELLS_AT_ONCE // (cells * min(rows, len(examples)))))
    was_training = model.training
    model.eval()
    parts: list[tuple[Tensor, ...]] = []
    unit_rates: list[Tensor] = []
    try:
        with seeded(seed, device):
            for start in range(0, len(examples), rows):
                batch = examples.batch(slice(start, start + rows)).to(device)
                columns, units = _batch(model, batch, samples, draws)
                parts.append(tuple(column.cpu() for column in columns))
                if units is not None:
                    unit_rates.append(units.sum(dim=0).cpu())
                if progress is not None:
                    progress(min(start + rows, len(examples)), len(examples))
    finally:
        model.train(was_training)
    elbo, log_likelihood, distortion, rate, means = (torch.cat(c) for c in zip(*parts, strict=True))
    finite = torch.isfinite(log_likelihood) & torch.isfinite(elbo)
    if not bool(finite.all()):
        bad = (~finite).nonzero().flatten()
        raise DataError(
            f"{len(bad)} of the examples, the first of them number {int(bad[0])}, have no finite "
            "bound: they lie too far from the training data; look for extreme values"
        )
    complete = len(unit_rates) == len(parts) and unit_rates[0].numel() == means.shape[1]
    unit_rate = torch.stack(unit_rates).sum(dim=0) / len(examples) if complete else None
    return Evidence(elbo, log_likelihood, distortion, rate, unit_rate, means, samples)


def _batch(
    model: nn.Module, batch: Batch, samples: int, draws: int
) -> tuple[tuple[Tensor, ...], Tensor | None]:
    """Columns (elbo, log_likelihood, distortion, rate, means) of one batch, and its unit rates."""
    total: Tensor | None = None
    sums: list[Tensor] = []
    for first in range(0, samples, draws):
        count = min(draws, samples - first)
        trace = model.trace(batch, count)  # type: ignore[operator]
        bound = ELBO(count).reduce(trace)
        sums.append(torch.stack([bound.distortion, bound.rate]) * count)
        # a running log of the sum of weights: the mean is over weights, not over their logs
        chunk: Tensor = trace.log_weight.logsumexp(dim=0)
        total = chunk if total is None else torch.logaddexp(total, chunk)
        if first + count == samples:
            distortion, rate = torch.stack(sums).sum(dim=0) / samples
            means = trace.posterior.mean.flatten(start_dim=1).cpu().double()
            units = None
            if len(trace.kl) == 1:
                (kl,) = trace.kl.values()
                units = kl.mean(dim=0)
            log_likelihood = total - math.log(samples)
            return (-(distortion + rate), log_likelihood, distortion, rate, means), units
    raise SettingError("samples must be at least 1")
