"""A model trained again on resamples of its data: how much it owes to the rows there were."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from lowerbound.catalogue.assemble import assemble
from lowerbound.catalogue.refit import apply, refit_after
from lowerbound.core import Model
from lowerbound.data import Data
from lowerbound.seeding import seeded
from lowerbound.training import fit


def bootstrap(
    recipe: str,
    settings: Mapping[str, Any],
    data: Data,
    *,
    seed: int,
    device: torch.device | str | None = None,
) -> Model:
    """Train a recipe on as many rows, drawn with replacement from the training part.

    The parameters of a model are an estimate; those of several resamples spread as they would over
    other data of that size, which multiple imputations from one model leave out.

    Args:
        recipe: Its name.
        settings: Of model, objective and training.
        data: The validation part stays as it is.
        seed: Of the resample, the first weights and the training.
        device: Where to train.

    Source: van Buuren (2018), Flexible imputation of missing data, section 3.2.2.
    """
    count = len(data.train)
    with seeded(seed, stream="bootstrap"):
        rows = torch.randint(count, (count,))
    resampled = replace(data, train=data.train.select(rows))
    assembly = assemble(recipe, data.schema, settings, examples=count, seed=seed)
    model = fit(
        assembly.model, assembly.objective, resampled, assembly.training, seed=seed, device=device
    ).model
    better = refit_after(model, resampled, assembly.refit, seed=seed) if assembly.refit else None
    return (model if better is None else apply(model, better)).eval()
