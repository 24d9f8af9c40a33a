"""Errors in the evaluation of a trained model: chunks, seeds, and what is averaged where."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lowerbound.core.trace import Trace
from lowerbound.data import Examples
from lowerbound.evaluation import evidence
from lowerbound.objectives import ELBO
from lowerbound.seeding import seeded
from lowerbound.testing.evidence import check_evidence
from planted.subject import Subject

EVALUATION = Subject("evaluation", {"evidence": check_evidence})

#: Examples and draws at a time.
_ROWS, _DRAWS = 250, 8


@dataclass(frozen=True)
class _Values:
    elbo: Tensor
    log_likelihood: Tensor
    distortion: Tensor
    rate: Tensor


#: From the traces of some examples, chunk by chunk, to their values.
Reduce = Callable[[list[Trace]], _Values]


def _reduce(traces: list[Trace]) -> _Values:
    """As it should be."""
    log_weight = torch.cat([trace.log_weight for trace in traces])
    log_px = torch.cat([trace.log_px for trace in traces])
    distortion, rate = -log_px.mean(dim=0), ELBO().reduce(traces[0]).rate
    log_likelihood = log_weight.logsumexp(dim=0) - math.log(len(log_weight))
    return _Values(-(distortion + rate), log_likelihood, distortion, rate)


@torch.no_grad()
def _chunked(
    model: Any,
    examples: Examples,
    samples: int,
    seed: int,
    reduce: Reduce,
    restart: str = "",
) -> _Values:
    """An evaluation in chunks, with the seed started again for each chunk of `restart`."""
    found = []
    with seeded(seed):
        for start in range(0, len(examples), _ROWS):
            if restart == "rows":
                torch.default_generator.manual_seed(seed)
            batch = examples.batch(slice(start, start + _ROWS))
            traces = []
            for first in range(0, samples, _DRAWS):
                if restart == "draws":
                    torch.default_generator.manual_seed(seed + start)
                traces.append(model.trace(batch, min(_DRAWS, samples - first)))
            found.append(reduce(traces))
    names = ("elbo", "log_likelihood", "distortion", "rate")
    return _Values(*(torch.cat([getattr(part, name) for part in found]) for name in names))


def _with(reduce: Reduce, restart: str = "") -> Callable[..., _Values]:
    def evaluate(model: Any, examples: Examples, samples: int, *, seed: int = 0) -> _Values:
        return _chunked(model, examples, samples, seed, reduce, restart)

    return evaluate


def _plant(says: str) -> Any:
    """Plant a function from traces, chunk by chunk, to values."""
    return EVALUATION.plant("evidence", says, evidence, make=_with)


_BOUND = "at the exact posterior|exp\\(bound\\)"


@_plant(_BOUND)
def _mean_of_chunks(traces):
    """The bounds of chunks of draws are averaged as logarithms."""
    bounds = [t.log_weight.logsumexp(dim=0) - math.log(len(t.log_weight)) for t in traces]
    return replace(_reduce(traces), log_likelihood=torch.stack(bounds).mean(dim=0))


@_plant(_BOUND)
def _missing_log_k(traces):
    """Missing log K in the evaluation."""
    log_weight = torch.cat([trace.log_weight for trace in traces])
    return replace(_reduce(traces), log_likelihood=log_weight.logsumexp(dim=0))


@_plant(_BOUND)
def _log_of_chunk(traces):
    """The log K of one chunk of draws is subtracted, not that of all."""
    log_weight = torch.cat([trace.log_weight for trace in traces])
    shift = math.log(len(traces[0].log_weight))
    return replace(_reduce(traces), log_likelihood=log_weight.logsumexp(dim=0) - shift)


@_plant(_BOUND)
def _best_draw(traces):
    """The bound is the best of the draws."""
    log_weight = torch.cat([trace.log_weight for trace in traces])
    return replace(_reduce(traces), log_likelihood=log_weight.amax(dim=0))


@_plant(_BOUND)
def _elbo_told(traces):
    """The ELBO is told as the log-likelihood."""
    found = _reduce(traces)
    return replace(found, log_likelihood=found.elbo)


@_plant(_BOUND)
def _over_the_batch(traces):
    """Averaged instead of summed: bounds of examples are averaged over a chunk of them."""
    found = _reduce(traces)
    mean = found.log_likelihood.mean().expand_as(found.log_likelihood)
    return replace(found, log_likelihood=mean)


@_plant("the ELBO|distortion")
def _bound_told(traces):
    """The importance-weighted bound is told as the ELBO."""
    found = _reduce(traces)
    return replace(found, elbo=found.log_likelihood)


@_plant("distortion")
def _uneven_chunks(traces):
    """A last, smaller chunk of draws is divided by the size of a full one."""
    total = sum(trace.log_px.sum(dim=0) for trace in traces)
    distortion = -total / (len(traces) * len(traces[0].log_px))
    found = _reduce(traces)
    return replace(found, distortion=distortion, elbo=-(distortion + found.rate))


@_plant("the spread")
def _first_chunk(traces):
    """The distortion is that of the first chunk of draws only."""
    distortion = -traces[0].log_px.mean(dim=0)
    found = _reduce(traces)
    return replace(found, distortion=distortion, elbo=-(distortion + found.rate))


@_plant("closed form")
def _clamped_rate(traces):
    """Only units that are used count for the rate."""
    rate = traces[0].kl["z"].mean(dim=0)
    rate = torch.where(rate > 1.0, rate, 0.0).sum(dim=-1)
    found = _reduce(traces)
    return replace(found, rate=rate, elbo=-(found.distortion + rate))


@_plant("the ELBO, ")
def _wrong_sign(traces):
    """Swapped terms: the rate is added to the ELBO."""
    found = _reduce(traces)
    return replace(found, elbo=-found.distortion + found.rate)


@_plant("float64")
def _float32(traces):
    """The evaluation accumulates in float32."""
    found = _reduce(traces)
    return _Values(*(getattr(found, name).float() for name in vars(found)))


EVALUATION.enter(
    "shared noise: the seed starts again for each chunk of examples",
    "evidence",
    "share their noise",
    _with(_reduce, "rows"),
    _with(_reduce),
)
EVALUATION.enter(
    "shared noise: the seed starts again for each chunk of draws",
    "evidence",
    "the spread",
    _with(_reduce, "draws"),
    _with(_reduce),
)


@EVALUATION.plant("evidence", "has shape", evidence)
def _dropped_batch(model, examples, samples, *, seed=0):
    """The last, smaller chunk of examples is dropped."""
    found = _with(_reduce)(model, examples, samples, seed=seed)
    kept = len(examples) // 500 * 500
    return _Values(*(getattr(found, name)[:kept] for name in vars(found)))


@EVALUATION.plant("evidence", "at the exact posterior", evidence)
def _shuffled(model, examples, samples, *, seed=0):
    """Examples are shuffled, and their values not brought back."""
    found = _with(_reduce)(model, examples, samples, seed=seed)
    return _Values(*(getattr(found, name).roll(1) for name in vars(found)))


@EVALUATION.plant("evidence", "random state", evidence)
def _seeds_the_caller(model, examples, samples, *, seed=0):
    """The caller's random state is seeded too."""
    torch.default_generator.manual_seed(seed)
    return _with(_reduce)(model, examples, samples, seed=seed)


@EVALUATION.plant("evidence", "the seed must decide", evidence)
def _seed_ignored(model, examples, samples, *, seed=0):
    """The seed is ignored."""
    return _with(_reduce)(model, examples, samples, seed=0)


@EVALUATION.plant("evidence", "observed", evidence)
def _ignored_mask(model, examples, samples, *, seed=0):
    """Ignored mask: the evaluation fills what was not observed, and counts it."""
    return _with(_reduce)(model, Examples(examples.x.nan_to_num(nan=0.0)), samples, seed=seed)
