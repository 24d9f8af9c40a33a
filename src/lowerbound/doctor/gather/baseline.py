"""No model at all: independent cells with the marginals of the training examples."""

import math

import torch
from torch import Tensor

from lowerbound.data import Examples, Schema

#: Pseudo-counts of a level, of which leave-one-out chooses: from one for all levels to one each.
STRENGTHS = (0.01, 0.1, 0.5, 1.0)


def independent_cells(schema: Schema, train: Examples, *parts: Examples) -> list[Tensor]:
    """Log-likelihood of examples under independent cells fitted to the training marginals.

    Histograms for levels, smoothed by pseudo-counts chosen by leave-one-out likelihood; Gaussians
    for reals. It is what a model of the same kind says whose latents say nothing.

    Args:
        schema: What the data is.
        train: What is fitted, at least 2 examples.
        *parts: What is judged, `N` examples each.

    Returns:
        `(N,)` for each part, nats, float64.
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
