"""Where a bound is loose: what the encoder misses, and what its family of posteriors cannot say."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, MultivariateNormal, Normal

from lowerbound.core.trace import JointModel, Trace
from lowerbound.data import Batch, Examples
from lowerbound.distributions import Independent, analytic_kl, log_prob
from lowerbound.errors import DataError, SettingError
from lowerbound.evaluation.estimate import Estimate
from lowerbound.evaluation.evidence import chunk_sizes
from lowerbound.objectives import ELBO
from lowerbound.objectives.objective import positive_samples
from lowerbound.seeding import seeded

#: Draws of one update, and of the judgement afterwards.
DRAWS, JUDGED = 8, 200
#: The first length of an update, in units of the parameters (means: standard deviations of q).
RATE = 0.05


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
    model: nn.Module,
    examples: Examples,
    *,
    updates: int = 300,
    samples: int = 1000,
    seed: int | None = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Gaps:
    """Optimise q for each example on its own, and see what the encoder's q was missing.

    Adam on the parameters of q from where the encoder puts them, on the ELBO with draws of 8; the
    result and the encoder's q are judged by the same fresh draws.

    Args:
        model: With a `trace` and a `log_joint`.
        examples: `N` examples.
        updates: Of each q.
        samples: Draws of the bound on log p(x).
        seed: Of the draws; None for a fresh one.
        progress: Called with (examples done, examples in all).

    Returns:
        The gaps in nats per example, with standard errors over examples.

    Raises:
        SettingError: The model has no `log_joint`, or its posterior is of a family without free
            parameters here (register it with `lowerbound.evaluation.amortisation.free`).
        DataError: There are no examples.

    Source: Cremer, Li & Duvenaud (2018), section 3, arXiv 1801.03558.
    """
    if not isinstance(model, JointModel):
        raise SettingError(f"{type(model).__name__} has no log_joint, which this search needs")
    positive_samples(samples)
    if isinstance(updates, bool) or not isinstance(updates, int) or updates < 1:
        raise SettingError(f"updates must be a whole number of at least 1, got {updates!r}")
    if len(examples) == 0:
        raise DataError("there are no examples to evaluate")
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    wanted = [p for p in model.parameters() if p.requires_grad]
    was_training = model.training
    model.eval()
    parts: list[Tensor] = []
    try:
        for parameter in wanted:
            parameter.requires_grad_(False)
        with seeded(seed, device, stream="gaps"):
            rows, _ = chunk_sizes(model, examples, DRAWS)
            for start in range(0, len(examples), rows):
                batch = examples.batch(slice(start, start + rows)).to(device)
                parts.append(_search(model, batch, updates, samples).cpu())
                if progress is not None:
                    progress(min(start + rows, len(examples)), len(examples))
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)
        model.train(was_training)
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


def _search(model: JointModel, batch: Batch, updates: int, samples: int) -> Tensor:
    """ELBOs of the encoder's q and of the best one, and its weighted bound, `(3, B)`, nats."""
    with torch.no_grad():
        start = model.trace(batch).posterior
    leaves, build = free(start)
    leaves = [leaf.detach().clone().requires_grad_() for leaf in leaves]
    adam = torch.optim.Adam(leaves)
    for update in range(updates):
        for group in adam.param_groups:
            group["lr"] = RATE * (1 - update / updates)
        loss = -_elbo(model, batch, build(*leaves), DRAWS).sum()
        for place, slope in enumerate(torch.autograd.grad(loss, leaves)):
            leaves[place].grad = slope.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        adam.step()
    with torch.no_grad():
        noise = int(torch.randint(2**31, ()))
        values = []
        best = build(*leaves)
        for q in (start, best):
            with seeded(noise, start.mean.device):
                chunks = [_elbo(model, batch, q, DRAWS) for _ in range(JUDGED // DRAWS)]
            values.append(torch.stack(chunks).mean(dim=0))
        # a search that ended below where it began has not found anything better
        better = values[1] > values[0]
        kept = [torch.where(_beside(better, leaf), leaf, 0.0) for leaf in leaves]
        bound = _weighted(model, batch, build(*kept), samples)
        return torch.stack([values[0], torch.where(better, values[1], values[0]), bound])


def _beside(flags: Tensor, leaf: Tensor) -> Tensor:
    """`(B,)` flags, broadcastable against a `(B, ...)` leaf."""
    return flags.reshape(-1, *(1,) * (leaf.ndim - 1))


def _weighted(model: JointModel, batch: Batch, q: Distribution, samples: int) -> Tensor:
    """The importance-weighted bound with draws from q, `(B,)`, nats."""
    total: Tensor | None = None
    for first in range(0, samples, DRAWS):
        z = q.sample(torch.Size([min(DRAWS, samples - first)]))
        log_px, log_pz = model.log_joint(batch, z)
        chunk = (log_px + log_pz - log_prob(q, z)).logsumexp(dim=0)
        total = chunk if total is None else torch.logaddexp(total, chunk)
    if total is None:
        raise SettingError("samples must be at least 1")
    return total - math.log(samples)


def _elbo(model: JointModel, batch: Batch, q: Distribution, draws: int) -> Tensor:
    z = q.rsample(torch.Size([draws]))
    log_px, log_pz = model.log_joint(batch, z)
    prior = getattr(model, "prior", None)
    kl = None if prior is None else analytic_kl(q, prior(batch.condition))
    closed = {} if kl is None else {"z": kl.unsqueeze(0)}
    return ELBO(draws).reduce(Trace(log_px, log_pz, log_prob(q, z), z, q, closed)).value


#: Free parameters of a distribution, and the function that makes one of them.
Free = tuple[list[Tensor], Callable[..., Distribution]]


@singledispatch
def free(q: Distribution) -> Free:
    """The unconstrained parameters of a posterior, where it is, and how to build one from them.

    Lengths are in standard deviations of `q`, so that one rate of learning suits all units.
    Register another family with `free.register`.

    Raises:
        SettingError: The family is not registered.
    """
    raise SettingError(
        f"no search over the family of {type(q).__name__}; register it with "
        "lowerbound.evaluation.amortisation.free.register, or leave the gaps out"
    )


@free.register
def _(q: Independent) -> Free:
    base = q.base_dist
    if not isinstance(base, Normal) or q.reinterpreted_batch_ndims != 1:
        raise SettingError(
            f"no search over independent {type(base).__name__}; leave the gaps out, or register a "
            "search with lowerbound.evaluation.amortisation.free.register"
        )
    mean, scale = base.loc, base.scale

    def build(shift: Tensor, log_scale: Tensor) -> Distribution:
        law = Normal(mean + scale * shift, scale * log_scale.exp(), validate_args=False)
        return Independent(law, 1)

    return [torch.zeros_like(mean), torch.zeros_like(scale)], build


@free.register
def _(q: MultivariateNormal) -> Free:
    mean, factor = q.loc, q.scale_tril

    def build(shift: Tensor, below: Tensor, log_scale: Tensor) -> Distribution:
        turn = torch.tril(below, -1) + torch.diag_embed(log_scale.exp())
        return MultivariateNormal(
            mean + (factor @ shift.unsqueeze(-1)).squeeze(-1),
            scale_tril=factor @ turn,
            validate_args=False,
        )

    return [torch.zeros_like(mean), torch.zeros_like(factor), torch.zeros_like(mean)], build
