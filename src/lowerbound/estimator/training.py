"""The training that the estimators have in common."""

from typing import Any

from lowerbound import catalogue
from lowerbound.catalogue.refit import apply, refit_after
from lowerbound.core import Model
from lowerbound.data import Data
from lowerbound.estimator import parameters
from lowerbound.runs import Spec
from lowerbound.runs.load import spec_of
from lowerbound.training import fit


def assembled(params: dict[str, Any], data: Data, seed: int) -> catalogue.Assembly:
    """Assemble what an estimator's parameters ask for; arguments as of `train`."""
    settings = parameters.settings_of({**parameters.SHORTCUTS, **params})
    return catalogue.assemble(
        params["model"], data.schema, settings, examples=len(data.train), seed=seed
    )


def train(params: dict[str, Any], data: Data, seed: int) -> tuple[Model, Spec]:
    """Train what an estimator's parameters ask for; return the model, on the CPU, and its spec.

    Args:
        params: Of the estimator, by name; those that say how to train have the names of `AutoVAE`.
        data: Without a test part.
        seed: Of weights and training.
    """
    assembly = assembled(params, data, seed)
    found = fit(
        assembly.model, assembly.objective, data, assembly.training, seed=seed,
        device=params["device"],
    )  # fmt: skip
    prior = assembly.refit
    better = refit_after(found.model, data, prior, seed=seed) if prior else None
    model = found.model if better is None else apply(found.model, better)
    return model.eval().cpu(), spec_of(assembly, data, seed)
