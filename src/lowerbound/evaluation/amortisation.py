"""Where a bound is loose: what the encoder misses, and what its family of posteriors cannot say."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch

import torch
from torch import Tensor
from torch.distributions import Distribution, MultivariateNormal, Normal

from lowerbound.core import Model, Trace, constant, on
from lowerbound.data import Batch, Examples
from lowerbound.distributions import Independent
from lowerbound.errors import DataError, SettingError
from lowerbound.evaluation.estimate import Estimate
from lowerbound.evaluation.evidence import chunk_sizes
from lowerbound.objectives import ELBO
from lowerbound.objectives.objective import positive_samples, whole
from lowerbound.seeding import seeded

#: Draws of one update, and of the judgement afterwards.
DRAWS, JUDGED = 8, 200
#: The first length of an update, in units of the parameters (means: standard deviations of q).
RATE = 0.05
#: How the q of each group is changed, by name; see `free`.
Changes = Mapping[str, Sequence[Tensor]]


@dataclass(frozen=True)
class Gaps:
    """log p(x) - ELBO taken apart, over the same examples.

    Attributes:
        examples: How many.
        encoder: ELBO of the encoder's q(z|x).
        optimised: ELBO of the best q found in the same family, for each example on its own.
        log_likelihood: Importance-weighted bound on log p(x), with draws from the best q.
        amortisation: `optimised` - `encoder`: what the encoder loses by being one network. Found
            by a search that may stop early, hence rather too small than too large.
        approximation: `log_likelihood` - `optimised`: what the family loses. Too small by as much
            as the bound on log p(x) is loose, too large by what the search has missed.
    """

    examples: int
    encoder: Estimate
    optimised: Estimate
    log_likelihood: Estimate
    amortisation: Estimate
    approximation: Estimate


def gaps(
    model: Model,
    examples: Examples,
    *,
    updates: int = 300,
    samples: int = 1000,
    seed: int | None = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Gaps:
    """Optimise q for each example on its own, and see what the encoder's q was missing.

    Adam on the parameters of q from where the encoder puts them, on the ELBO with draws of 8; the
    result and the encoder's q are judged by the same fresh draws. Below other groups of latents the
    search moves and stretches q(z_l|x, groups above) by as much whatever was drawn above.

    Args:
        model: With continuous latents.
        examples: `N` examples.
        updates: Of each q.
        samples: Draws of the bound on log p(x).
        seed: Of the draws; None for a fresh one.
        progress: Called with (examples done, examples in all).

    Returns:
        The gaps in nats per example, with standard errors over examples.

    Raises:
        SettingError: A group's q is of a family without a search here (register it with
            `lowerbound.evaluation.amortisation.free` and `moved`).
        DataError: There are no examples.

    Source: Cremer, Li & Duvenaud (2018), section 3, arXiv 1801.03558.
    """
    positive_samples(samples)
    whole("updates", updates, 1)
    if len(examples) == 0:
        raise DataError("there are no examples to evaluate")
    parts: list[Tensor] = []
    with on(model) as device, constant(model), seeded(seed, device, stream="gaps"):
        rows, _ = chunk_sizes(model, examples, DRAWS)
        for start in range(0, len(examples), rows):
            batch = examples.batch(slice(start, start + rows)).to(device)
            parts.append(_search(model, batch, updates, samples).cpu())
            if progress is not None:
                progress(min(start + rows, len(examples)), len(examples))
    encoder, optimised, bound = found = torch.cat(parts, dim=1)
    if not bool(torch.isfinite(found).all()):
        bad = int((~torch.isfinite(found)).any(dim=0).nonzero()[0])
        raise DataError(f"example {bad} has no finite bound: look for extreme values")
    return Gaps(
        examples=len(examples),
        encoder=Estimate.of(encoder),
        optimised=Estimate.of(optimised),
        log_likelihood=Estimate.of(bound),
        amortisation=Estimate.of(optimised - encoder),
        approximation=Estimate.of(bound - optimised),
    )


def _search(model: Model, batch: Batch, updates: int, samples: int) -> Tensor:
    """Return ELBOs of the encoder's q and of the best, and its weighted bound, `(3, B)`, nats."""
    start = _start(model, batch)
    wanted = {n: [leaf.clone().requires_grad_() for leaf in group] for n, group in start.items()}
    leaves = [leaf for group in wanted.values() for leaf in group]
    adam = torch.optim.Adam(leaves)
    for update in range(updates):
        for group in adam.param_groups:
            group["lr"] = RATE * (1 - update / updates)
        loss = -_elbo(model, batch, wanted).sum()
        for place, slope in enumerate(torch.autograd.grad(loss, leaves)):
            leaves[place].grad = slope.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        adam.step()
    with torch.no_grad():
        noise = int(torch.randint(2**31, ()))
        values = []
        for change in (start, wanted):
            with seeded(noise, batch.x.device):
                chunks = [_elbo(model, batch, change) for _ in range(JUDGED // DRAWS)]
            values.append(torch.stack(chunks).mean(dim=0))
        # a search that ended below where it began has not found anything better
        better = values[1] > values[0]
        kept = {
            name: [leaf.where(better.view(-1, *(1,) * (leaf.ndim - 1)), 0.0) for leaf in group]
            for name, group in wanted.items()
        }
        best = torch.where(better, values[1], values[0])
        return torch.stack([values[0], best, _weighted(model, batch, kept, samples)])


@torch.no_grad()
def _start(model: Model, batch: Batch) -> dict[str, list[Tensor]]:
    """Return no change of the q of any group."""
    start: dict[str, list[Tensor]] = {}

    def look(name: str, p: Distribution, q: Distribution | None) -> Tensor:
        if q is None:
            raise SettingError(f"group '{name}' has no q to search for")
        try:
            start[name] = free(q)
        except SettingError as error:
            raise SettingError(f"group '{name}' of the latents: {error}") from None
        return q.sample(torch.Size([1] if len(q.batch_shape) < 2 else []))

    model.infer(look, batch)
    return start


def _trace(model: Model, batch: Batch, changes: Changes, draws: int) -> Trace:
    """Trace draws from the moved q of each group."""

    def pick(name: str, p: Distribution, q: Distribution) -> tuple[Tensor, Distribution]:
        law = moved(q, *changes[name])
        return law.rsample(torch.Size([draws] if len(law.batch_shape) < 2 else [])), law

    return model.trace_by(pick, batch)


def _elbo(model: Model, batch: Batch, changes: Changes) -> Tensor:
    """Return the ELBO of the moved q, `(B,)`, nats."""
    return ELBO(DRAWS).reduce(_trace(model, batch, changes, DRAWS)).value


def _weighted(model: Model, batch: Batch, changes: Changes, samples: int) -> Tensor:
    """Return the importance-weighted bound with draws from the moved q, `(B,)`, nats."""
    chunks = [
        _trace(model, batch, changes, min(DRAWS, samples - first)).log_weight.logsumexp(dim=0)
        for first in range(0, samples, DRAWS)
    ]
    return torch.stack(chunks).logsumexp(dim=0) - math.log(samples)


@singledispatch
def free(q: Distribution) -> list[Tensor]:
    """Return the free numbers of a change of q, all 0 where nothing is changed, `(B, ...)` each.

    Register another family with `free.register` and `moved.register`.

    Raises:
        SettingError: The family is not registered.
    """
    raise _unknown(q, "free")


@singledispatch
def moved(q: Distribution, *change: Tensor) -> Distribution:
    """Return q moved and stretched, in units of its own spread: one rate of learning suits all.

    The batch of q is `(B,)` or `(K, B)`; the change is as `free` gives it.
    """
    raise _unknown(q, "moved")


def _unknown(q: Distribution, function: str) -> SettingError:
    return SettingError(
        f"no search over the family of {type(q).__name__}; register it with "
        f"lowerbound.evaluation.amortisation.{function}.register, or leave the gaps out"
    )


@free.register
def _(q: Independent) -> list[Tensor]:
    if not isinstance(q.base_dist, Normal):
        raise SettingError(
            f"no search over independent {type(q.base_dist).__name__}; leave the gaps out, or "
            "register a search with lowerbound.evaluation.amortisation.free.register"
        )
    zero = q.base_dist.loc.new_zeros(q.batch_shape[-1:] + q.event_shape)
    return [zero, zero]


@moved.register
def _(q: Independent, *change: Tensor) -> Distribution:
    shift, log_scale = change
    mean, scale = q.base_dist.mean, q.base_dist.stddev
    law = Normal(mean + scale * shift, scale * log_scale.exp(), validate_args=False)
    return Independent(law, q.reinterpreted_batch_ndims)


@free.register
def _(q: MultivariateNormal) -> list[Tensor]:
    zero = q.loc.new_zeros(q.batch_shape[-1:] + q.event_shape)
    return [zero, zero.new_zeros(*zero.shape, zero.shape[-1]), zero]


@moved.register
def _(q: MultivariateNormal, *change: Tensor) -> Distribution:
    shift, below, log_scale = change
    mean = q.loc + (q.scale_tril @ shift.unsqueeze(-1)).squeeze(-1)
    factor = q.scale_tril @ (below.tril(-1) + log_scale.exp().diag_embed())
    return MultivariateNormal(mean, scale_tril=factor, validate_args=False)
