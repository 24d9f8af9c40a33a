"""The belief of a model on a few examples, beside no model at all: independent cells."""

import math

import torch
from torch import Tensor

from lowerbound.core import Model, flatten, on
from lowerbound.data import Data, Examples, Schema
from lowerbound.doctor.symptoms import Belief
from lowerbound.evaluation import Estimate, convergence, evidence, saved, swap
from lowerbound.seeding import seeded

#: Draws for the training examples, of which the ELBO alone is wanted.
FEW_DRAWS = 10
#: Draws from the prior that its moments are estimated from.
PRIOR_DRAWS = 4096
#: Most cells of training examples on disk that the laws of single cells are taken from.
MOST_CELLS = 2**26
#: Pseudo-counts of a level, of which leave-one-out chooses: from one for all levels to one each.
STRENGTHS = (0.01, 0.1, 0.5, 1.0)


def belief_of(
    model: Model, data: Data, train: Examples, held_out: Examples, samples: int, seed: int
) -> Belief:
    """Measure bounds, rates and weights, against independent cells fitted to all of training.

    `train` are some of the training examples, `held_out` some for validation, with `samples` draws.

    Raises:
        DataError: A bound is not finite.
    """
    found = evidence(model, held_out, samples, seed=seed)
    learned = evidence(model, train, FEW_DRAWS, seed=seed)
    no_model, no_model_train = independent_cells(data.schema, _learned_from(data), held_out, train)
    gain = Estimate.of(found.elbo - no_model)
    train_gain = Estimate.of(learned.elbo - no_model_train)
    state = convergence(found.ladder, found.effective_samples, found.tail)
    variances = found.means.var(dim=0, unbiased=False)
    return Belief(
        rate=float(found.rate.mean()),
        variances=tuple(variances.tolist()),
        elbo=float(found.elbo.mean()),
        train_elbo=float(learned.elbo.mean()),
        over_baseline=gain.mean,
        over_baseline_error=gain.standard_error or 0.0,
        train_over_baseline=train_gain.mean,
        train_over_baseline_error=train_gain.standard_error or 0.0,
        spread=tuple(spread_of(model, train, seed).tolist()),
        heavy=state.heavy_tailed or 0.0,
        effective_samples=state.effective_samples,
        samples=samples,
        last_doubling=0.0 if state.gain is None else state.gain.mean,
        gap=float((found.log_likelihood - found.elbo).mean()),
        error=float(found.log_likelihood.std()) / len(data.validation) ** 0.5,
        examples=len(held_out),
        groups={name: space.units for name, space in model.latents.items()},
        swap=swap(model, held_out, seed=seed).mean if data.schema.is_sequence else None,
        saved=saved(model, held_out, seed=seed).mean if data.schema.is_sequence else None,
    )


@torch.no_grad()
def spread_of(model: Model, train: Examples, seed: int) -> Tensor:
    """Return the mean square of each unit under q(z), 1 where it is that under the prior, `(D,)`.

    All groups stand in a row; it is about the prior's mean, in units of its variance.
    """
    with on(model) as device, seeded(seed, device, stream="doctor"):
        trace = model.trace(train.batch(slice(None)).to(device), 1)
        own = {name: latent.z[0] for name, latent in trace.latents.items()}
        prior = model.sample(PRIOR_DRAWS).latents
        z, drawn = (flatten(some, model.latents).double().cpu() for some in (own, prior))
    return (z - drawn.mean(dim=0)).square().mean(dim=0) / drawn.var(dim=0)


def _learned_from(data: Data) -> Examples:
    """Return the training examples, or as many of those on disk as show the single cells."""
    few = max(1, min(len(data.train), MOST_CELLS // data.schema.dimensions))
    return data.train.few(few) if data.stored else data.train.load()


def independent_cells(schema: Schema, train: Examples, *parts: Examples) -> list[Tensor]:
    """Judge examples by independent cells fitted to the training marginals, `(N,)` a part, nats.

    Histograms for levels, smoothed by pseudo-counts chosen by leave-one-out likelihood; Gaussians
    for reals. A model of the same kind whose latents say nothing is as good.
    """
    if schema.levels is None:
        return _gaussians(train, parts)
    return _histograms(schema.levels, train, parts)


def _gaussians(train: Examples, parts: tuple[Examples, ...]) -> list[Tensor]:
    known = _known(train)
    x = torch.where(known, train.x.double(), 0.0)
    count = known.sum(dim=0).clamp_min(1)
    mean = x.sum(dim=0) / count
    variance = (torch.where(known, x - mean, 0.0).square().sum(dim=0) / count).clamp_min(0)
    variance = torch.where(variance > 0, variance, 1.0)
    found = []
    for part in parts:
        cells = (part.x.double() - mean).square() / variance + (2 * math.pi * variance).log()
        found.append(_summed(-cells / 2, part))
    return found


def _histograms(levels: int, train: Examples, parts: tuple[Examples, ...]) -> list[Tensor]:
    known = _known(train).reshape(len(train), -1)
    x = train.x.reshape(len(train), -1).long()
    width = x.shape[1]
    place = (x + levels * torch.arange(width))[known]
    counts = torch.bincount(place, minlength=levels * width).double().reshape(width, levels)
    total = counts.sum(dim=1, keepdim=True)

    def left_out(strength: float) -> float:
        without = (counts - 1).clamp_min(0) + strength
        return float((counts * (without / (total - 1 + strength * levels)).log()).sum())

    strength = max(STRENGTHS, key=left_out)
    law = ((counts + strength) / (total + strength * levels)).log()
    found = []
    for part in parts:
        index = part.x.reshape(len(part), -1).long()
        cells = law[torch.arange(width), index.clamp(0, levels - 1)]
        found.append(_summed(cells.reshape(part.x.shape), part))
    return found


def _known(part: Examples) -> Tensor:
    if part.observed is not None:
        return part.observed
    return torch.ones((), dtype=torch.bool).expand(part.x.shape)


def _summed(cells: Tensor, part: Examples) -> Tensor:
    return torch.where(_known(part), cells, 0.0).reshape(len(part), -1).sum(dim=1)
