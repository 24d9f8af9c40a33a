"""Errors with what was not observed: it reaches the bound, or its nan the gradient."""

from typing import Any

import torch

from lowerbound.core import View
from lowerbound.data import Batch
from lowerbound.testing.models import check_model
from planted.altered import altered
from planted.models import plant_trace, small_model
from planted.subject import Subject

_X = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))

MASKS = Subject("masks", {"model": lambda make: check_model(make(), Batch(_X))})


def _plant(says: str) -> Any:
    return plant_trace(MASKS, "model", says, small_model)


@_plant("nothing was observed")
def _ignored(model, batch, trace):
    """Ignored mask: the terms of unobserved cells are counted, filled with zeros."""
    law = model.likelihood(trace.latents["z"].z)
    return altered(trace, log_px=law.log_prob(View()(batch)))


@_plant("differs between a mask|changes when|nothing was observed")
def _ignored_by_the_encoder(model, batch, trace):
    """Ignored mask: the encoder sees what was not observed."""
    x = batch.x.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0).clamp(-1e3, 1e3)
    z = model.posterior(x).rsample((len(trace.latents["z"].z),))
    law = model.likelihood(z)
    return altered(trace, z=z, log_px=law.log_prob(View()(batch), batch.observed))


@_plant("changes when|finite|gradient")
def _not_filled(model, batch, trace):
    """Terms are dropped after `log_prob` but cells not filled before: nan reaches the gradient."""
    if batch.observed is None:
        return trace
    cells = model.likelihood(trace.latents["z"].z).base_dist.log_prob(batch.x)
    cells = torch.where(batch.observed, cells, 0.0)
    return altered(trace, log_px=cells.double().sum(dim=-1))


@_plant("changes when|finite")
def _multiplied(model, batch, trace):
    """The mask is multiplied before `log_prob`, and nan times zero is nan."""
    if batch.observed is None:
        return trace
    cells = model.likelihood(trace.latents["z"].z).base_dist.log_prob(batch.x * batch.observed)
    cells = torch.where(batch.observed, cells, 0.0)
    return altered(trace, log_px=cells.double().sum(dim=-1))


@_plant("changes when|finite|nothing was observed")
def _multiplied_after(model, batch, trace):
    """The mask is multiplied after `log_prob`, and infinity times zero is nan."""
    if batch.observed is None:
        return trace
    cells = model.likelihood(trace.latents["z"].z).base_dist.log_prob(batch.x) * batch.observed
    return altered(trace, log_px=cells.double().sum(dim=-1))


@_plant("differs between a mask")
def _averaged(model, batch, trace):
    """Averaged instead of summed: log p(x|z) is the mean over the observed cells."""
    if batch.observed is None:
        return trace
    counts = batch.observed.flatten(1).sum(dim=1).clamp(min=1)
    return altered(trace, log_px=trace.log_px / counts)


@_plant("differs between a mask|nothing was observed")
def _inverted(model, batch, trace):
    """The mask is inverted."""
    if batch.observed is None:
        return trace
    law = model.likelihood(trace.latents["z"].z)
    return altered(trace, log_px=law.log_prob(View()(batch), ~batch.observed))


@_plant("nothing was observed")
def _whole_rows(model, batch, trace):
    """A row counts in full as soon as one cell, or none, was observed."""
    law = model.likelihood(trace.latents["z"].z)
    return altered(trace, log_px=law.log_prob(View()(batch)) + 0.0 * trace.log_px)


@_plant("has a gradient")
def _gradient_of_fill(model, batch, trace):
    """An unobserved cell has a gradient, though it changes no value."""
    x = batch.x.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0).clamp(-1e3, 1e3)
    return altered(trace, log_px=trace.log_px + (x - x.detach()).sum(dim=1))
