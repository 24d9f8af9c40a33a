"""A fitted estimator on disk: a run like any other, which also says what it was fitted as."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lowerbound import runs
from lowerbound.errors import RunError
from lowerbound.estimator import parameters
from lowerbound.estimator.form import Form
from lowerbound.runs import Spec
from lowerbound.training import Fit


def with_entry(spec: Spec, **values: Any) -> Spec:
    """The spec with these values, and no others, under `data.estimator`."""
    return replace(spec, data={**spec.data, "estimator": values})


def save(path: str | Path, params: dict[str, Any], spec: Spec, result: Fit, *, force: bool) -> None:
    """Write a run that `load` can make the estimator of again.

    Args:
        path: The run's directory.
        params: The parameters of the estimator.
        spec: With the form of X under `data.estimator`.
        result: What the training came to.
        force: Replace a run that is there.

    Raises:
        OutputError: The place is taken or cannot be written.
    """
    entry = {**spec.data["estimator"], "params": parameters.to_json(params, spec.seed)}
    runs.save(path, with_entry(spec, **entry), result, force=force)


def load(
    path: str | Path, names: set[str], device: torch.device | str
) -> tuple[dict[str, Any], Form, Spec, Fit]:
    """The parameters, the form of X, the spec and the result of a saved estimator.

    Args:
        path: The run's directory.
        names: Of the parameters that an estimator has.
        device: Where to put the model.

    Raises:
        RunError: There is no run, it is damaged, or `save` did not write it.
    """
    run = runs.load(path, device=device)
    spec = run.spec
    if "estimator" not in spec.data:
        raise RunError(f"{path} was not saved by AutoVAE; load it with lowerbound.load")
    try:
        entry, outcome = spec.data["estimator"], spec.result
        params = parameters.from_json(entry["params"])
        if set(params) != names:
            raise ValueError("its parameters are others")
        if not isinstance(spec.data["notes"], list):
            raise ValueError("its notes are no list")
        form = Form.from_json(entry, spec.schema)
        best = [epoch for epoch in run.history if epoch.epoch == outcome.get("best_epoch")]
        stopped, seconds = str(outcome["stopped"]), float(outcome["seconds"])
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise RunError(
            f"{path} is damaged: what it says of the estimator is wrong; fit again"
        ) from error
    result = Fit(run.model, run.history, next(iter(best), None), stopped, spec.seed, seconds)
    return params, form, spec, result
