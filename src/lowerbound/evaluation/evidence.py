"""Bounds on log p(x) of every example, in chunks that fit in memory."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lowerbound.core import Model, device_of, flatten, on
from lowerbound.data import Batch, Source
from lowerbound.distributions.size import numbers_per_cell
from lowerbound.errors import DataError, SettingError
from lowerbound.evaluation.ladder import climb, rungs
from lowerbound.evaluation.law import law_of
from lowerbound.evaluation.tails import pareto_shape
from lowerbound.objectives import ELBO
from lowerbound.objectives.elbo import rate_of_draws
from lowerbound.objectives.objective import positive_samples
from lowerbound.processes import current
from lowerbound.seeding import fresh_seed, seeded

#: Cells of x, over draws and examples, that are decoded at a time, of at most two parameters each:
#: few enough to stay near the processor, many enough to keep it busy.
CELLS_AT_ONCE = 400_000
#: On an accelerator, which has no use for small pieces, so many times as many.
ACCELERATOR = 50
#: A decoder's hidden layers take memory, too: no example counts for fewer cells than this.
FEWEST_CELLS = 256
#: Most examples encoded at a time.
EXAMPLES_AT_ONCE = 500
#: Most examples that share a stream of draws, and a process.
BLOCK = 100
#: Logarithms of weights that are held at a time.
WEIGHTS_AT_ONCE = 5_000_000
#: Most draws for one example.
MOST_SAMPLES = 10_000_000


@dataclass(frozen=True)
class Evidence:
    """Bounds and rates of each of `N` examples; all tensors on the CPU, float64.

    Attributes:
        elbo: Evidence lower bound, `(N,)`, nats.
        log_likelihood: Importance-weighted bound with `samples` draws, `(N,)`, nats.
        distortion: -E_q[log p(x|z)], `(N,)`, nats.
        rate: KL(q(z|x) || p(z)), `(N,)`, nats.
        unit_rate: Rate of each latent unit averaged over examples, `(D,)`, nats, all groups in a
            row, top first; None where q correlates the units of a group or its rate has no closed
            form.
        means: Centres of q(z|x), `(N, D)`, likewise.
        samples: Draws for each example.
        ladder: The bound of k draws for some k up to `samples`, each from all the draws there
            are, `(N,)`, nats.
        ladder_variance: Variance of each of these over draws, `(N,)`, square nats.
        elbo_variance: Variance of the ELBO over draws, `(N,)`, square nats; nan for one draw.
        effective_samples: (sum_k w_k)^2 / sum_k w_k^2, `(N,)`: how many draws of equal weight
            would say as much.
        tail: Pareto shape of the largest weights, `(N,)`; nan for fewer than 25 draws. Beyond
            `tails.heavy` the bound is dominated by weights that were not drawn.
    """

    elbo: Tensor
    log_likelihood: Tensor
    distortion: Tensor
    rate: Tensor
    unit_rate: Tensor | None
    means: Tensor
    samples: int
    ladder: Mapping[int, Tensor]
    ladder_variance: Mapping[int, Tensor]
    elbo_variance: Tensor
    effective_samples: Tensor
    tail: Tensor

    @property
    def draw_variance(self) -> Tensor:
        """Variance of `log_likelihood` over draws, `(N,)`, square nats; nan for one draw."""
        return self.ladder_variance[self.samples]

    @property
    def log_evidence(self) -> Tensor:
        """The bound with its bias removed to first order, `(N,)`, nats; no longer a bound.

        E[log mean w] = log p(x) - Var[w] / (2 K p(x)^2) + ..., and Var[w] / (K p(x)^2) is
        1/ESS - 1/K.

        Source: Nowozin (2018), proposition 1, ICLR; Burda et al. (2016), arXiv 1509.00519.
        """
        count = self.samples
        spread = (1 / self.effective_samples - 1 / count).clamp_min(0.0)
        return self.log_likelihood + 0.5 * spread * count / max(count - 1, 1)


@torch.no_grad()
def evidence(
    model: Model,
    examples: Source,
    samples: int = 100,
    *,
    seed: int | None = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Evidence:
    """Bound log p(x) of each example from below by the ELBO and by importance weighting.

    log p(x) >= E[log 1/K sum_k p(x, z_k) / q(z_k|x)], all from the same K draws.

    Args:
        examples: `N` examples, at least 1.
        samples: Draws `K` for each example, at most 10 million.
        seed: Of the draws; None for a fresh one.
        progress: Called with (examples done, examples in all).

    Returns:
        Values for each example.

    Raises:
        SettingError: `samples` is out of range.
        DataError: There are no examples, or one is so extreme that its bound is not a number.

    Source: Burda, Grosse & Salakhutdinov (2016), equation 8, arXiv 1509.00519.
    """
    positive_samples(samples)
    if samples > MOST_SAMPLES:
        raise SettingError(f"samples must be at most {MOST_SAMPLES:,}, got {samples:,}")
    if len(examples) == 0:
        raise DataError("there are no examples to evaluate")
    rows, draws = chunk_sizes(model, examples, samples)
    block = max(rows, min(BLOCK, WEIGHTS_AT_ONCE // samples) // rows * rows)
    starts = range(0, len(examples), block)
    columns: list[dict[str, Tensor]] = []
    group = current()
    seed = fresh_seed() if seed is None else seed  # drawn once, for all blocks
    with on(model) as device:
        for first in starts[group.mine(len(starts))]:
            gathered: list[tuple[Tensor, ...]] = []
            # a block has draws of its own, whoever goes through it
            stream = f"evidence {first}" if first else "evidence"
            with seeded(seed, device, stream=stream):
                end = min(first + block, len(examples))
                for start in range(first, end, rows):
                    batch = examples.batch(slice(start, min(start + rows, end))).to(device)
                    gathered.append(_drawn(model, batch, samples, draws))
                    if progress is not None:
                        progress(start + len(batch), len(examples))
            columns.append(_columns(gathered))
    every = _joined([part for part in group.gather(_joined(columns)) if part])
    finite = torch.isfinite(every["log_likelihood"]) & torch.isfinite(every["elbo"])
    if not bool(finite.all()):
        bad = (~finite).nonzero().flatten()
        raise DataError(
            f"{len(bad)} of the examples, the first of them number {int(bad[0])}, have no finite "
            "bound: they lie too far from the training data; look for extreme values"
        )
    units = every.pop("units")
    return Evidence(
        unit_rate=units.mean(dim=0) if units.shape[1] == every["means"].shape[1] else None,
        samples=samples,
        ladder={k: every.pop(f"bound {k}") for k in rungs(samples)},
        ladder_variance={k: every.pop(f"variance {k}") for k in rungs(samples)},
        **every,
    )


def chunk_sizes(model: Model, examples: Source, samples: int) -> tuple[int, int]:
    """Choose how many examples, and how many draws of each, are decoded at a time."""
    # a categorical cell has a parameter a level: 256 of them fill the memory 128 times as fast
    width = numbers_per_cell(law_of(model, examples))
    cells = math.prod(examples.shape) * max(1, width // 2)
    room = CELLS_AT_ONCE * (1 if device_of(model).type == "cpu" else ACCELERATOR)
    decodes = max(1, room // max(cells, FEWEST_CELLS))
    rows = max(1, min(EXAMPLES_AT_ONCE, decodes // samples))
    return rows, min(samples, decodes // rows)


def _drawn(model: Model, batch: Batch, samples: int, draws: int) -> tuple[Tensor, ...]:
    """Look at all draws of a few examples, so many at a time; on the CPU.

    Returns:
        Log-weights `(K, B)`; distortion, rate and the variance of the ELBO over draws, `(3, B)`;
        centres `(B, D)`; and the rate of each unit, `(B, D)`, or `(B, 0)` where it is not known.
    """
    weights: list[Tensor] = []
    sums: list[Tensor] = []
    units: list[Tensor] = []
    terms: list[Tensor] = []
    for first in range(0, samples, draws):
        count = min(draws, samples - first)
        trace = model.trace(batch, count)
        bound = ELBO(count).reduce(trace)
        sums.append(count * torch.stack([bound.distortion, bound.rate]).cpu())
        terms.append((trace.log_px - rate_of_draws(trace)).cpu())
        weights.append(trace.log_weight.cpu())
        if len(closed := trace.kl) == len(trace.latents):
            every = [kl.mean(dim=0) for kl in closed.values()]
            units.append(count * torch.cat(every, dim=-1).cpu())
    means = flatten(model.encode(batch).latents, model.latents).cpu().double()
    elbo = torch.cat(terms)
    variance = elbo.var(dim=0) / samples if samples > 1 else torch.full_like(elbo[0], math.nan)
    known = len(units) == len(weights)
    return (
        torch.cat(weights),
        torch.cat([torch.stack(sums).sum(dim=0) / samples, variance.unsqueeze(0)]),
        means,
        torch.stack(units).sum(dim=0) / samples if known else means.new_zeros(len(means), 0),
    )


def _joined(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {key: torch.cat([part[key] for part in parts]) for key in (parts or [{}])[0]}


def _columns(gathered: list[tuple[Tensor, ...]]) -> dict[str, Tensor]:
    """Join all that is kept of some examples, `(B, ...)` each."""
    weights, terms, means, units = zip(*gathered, strict=True)
    log_weight = torch.cat(weights, dim=1)
    distortion, rate, variance = torch.cat(terms, dim=1)
    samples = len(log_weight)
    columns = {
        "elbo": -(distortion + rate),
        "distortion": distortion,
        "rate": rate,
        "elbo_variance": variance,
        "means": torch.cat(means),
        "units": torch.cat(units),
        "tail": pareto_shape(log_weight),
    }
    total = log_weight.logsumexp(dim=0)
    columns["effective_samples"] = (2 * total - (2 * log_weight).logsumexp(dim=0)).exp()
    for k in rungs(samples):
        columns[f"bound {k}"], columns[f"variance {k}"] = climb(log_weight, k)
    columns["log_likelihood"] = columns[f"bound {samples}"]
    return columns
