"""A fitted estimator on disk: a run like any other, with the parameters of the estimator."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lowerbound import runs
from lowerbound.catalogue.refit import Refit
from lowerbound.errors import RunError
from lowerbound.estimator import parameters
from lowerbound.estimator.form import Form
from lowerbound.runs import Spec
from lowerbound.training import Fit


def with_entry(spec: Spec, **values: Any) -> Spec:
    """Put these values, and no others, under `data.estimator` of a spec."""
    return replace(spec, data={**spec.data, "estimator": values})


def save(
    path: str | Path,
    params: dict[str, Any],
    spec: Spec,
    result: Fit,
    refit: Refit | None = None,
    *,
    force: bool,
) -> None:
    """Write a run that `load` can make the estimator of again.

    Args:
        spec: With the form of X under `data.estimator`.
        result: That of the training.
        refit: The prior that was fitted after it; None for the model's own.
    """
    entry = {**spec.data["estimator"], "params": parameters.to_json(params, spec.seed)}
    runs.save(path, with_entry(spec, **entry), result, force=force)
    if refit is not None:
        runs.write_prior(runs.RunDirectory(path), refit)


def load(
    path: str | Path, names: set[str], device: torch.device | str
) -> tuple[dict[str, Any], Form, Spec, Fit, Refit | None]:
    """Read the parameters, the form of X, the spec, result and refitted prior of an estimator.

    A run that no estimator wrote has those that make the same choices. `names` are those of the
    parameters that an estimator has.
    """
    run = runs.load(path, device=device, refitted=False)
    refit = runs.read_prior(runs.RunDirectory(path))
    spec, outcome = run.spec, run.spec.result
    try:
        if "estimator" in spec.data:
            entry = spec.data["estimator"]
            params, form = parameters.from_json(entry["params"]), Form.from_json(entry, spec.schema)
            if set(params) != names:
                raise ValueError("its parameters are others")
        else:
            params, form = parameters.of_spec(spec), Form.of_schema(spec.schema)
        if not isinstance(spec.data["notes"], list):
            raise ValueError("its notes are no list")
        best = [epoch for epoch in run.history if epoch.epoch == outcome.get("best_epoch")]
        stopped = str(outcome.get("stopped", "not finished"))
        seconds = float(outcome.get("seconds", 0.0))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise RunError(
            f"{path} is damaged: its record of the estimator is wrong; fit again"
        ) from error
    result = Fit(run.model, run.history, next(iter(best), None), stopped, spec.seed, seconds)
    return params, form, spec, result, refit
