"""Runs as they are read: the way back from the files of a run to its model."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lowerbound.catalogue.assemble import Assembly, assemble, training_to_json
from lowerbound.catalogue.refit import Refit, apply
from lowerbound.core import Model, units_of
from lowerbound.data import Data, Schema
from lowerbound.errors import RunError, SettingError
from lowerbound.models import Gaps
from lowerbound.objectives import Objective
from lowerbound.runs.directory import RunDirectory
from lowerbound.runs.gaps import read_gaps
from lowerbound.runs.origin import describe_data
from lowerbound.runs.prior import read_prior
from lowerbound.runs.spec import Spec
from lowerbound.training import Epoch


@dataclass(frozen=True)
class Run:
    """A trained model with everything that is known of it.

    Attributes:
        path: Its directory.
        model: The model, in evaluation mode.
        objective: The bound that it was trained on.
        schema: That of its data.
        spec: Its settings and origin.
        history: One record an epoch.
        refit: The prior that was fitted after training, which the model has; None for its own.
        gaps: The law of gaps that was fitted after training; None if there is none.
    """

    path: Path
    model: Model
    objective: Objective
    schema: Schema
    spec: Spec
    history: tuple[Epoch, ...]
    refit: Refit | None = None
    gaps: Gaps | None = None


def load(path: str | Path, *, device: torch.device | str = "cpu", refitted: bool = True) -> Run:
    """Load a run. Only what the catalogue names is built; no code of the run is executed.

    Args:
        path: The run's directory.
        device: Where to put the model.
        refitted: Under the prior that was fitted after training, if there is one; otherwise under
            the one that it was trained with.

    Raises:
        RunError: The run is missing, truncated, foreign, damaged or of a newer format.
    """
    directory = RunDirectory(path)
    spec = directory.read_spec()
    try:
        with torch.device("meta"):
            expected = _rebuild(spec).model.state_dict(keep_vars=True)
        tensors = directory.read_weights(expected)
        assembly = _rebuild(spec)
    except SettingError as error:
        why = str(error)
        why = why if len(why) <= 300 else f"{why[:297]}..."  # a hostile name may be megabytes long
        raise RunError(f"{directory.spec_path} cannot be built: {why}") from error
    assembly.model.load_state_dict(tensors)
    model, refit = assembly.model, read_prior(directory) if refitted else None
    if refit is not None:
        try:
            model = apply(model, refit)
        except SettingError as error:
            raise RunError(f"{error}; undo it with: lowerbound refit {path} --undo") from error
    gaps = None
    if spec.schema.is_table:
        gaps = read_gaps(directory, units_of(model.latents), spec.schema.dimensions)
    history = []
    for record in directory.read_metrics():
        with suppress(TypeError, KeyError, ValueError):
            history.append(Epoch.from_json(record))
    return Run(
        directory.path, model.to(device).eval(), assembly.objective, spec.schema, spec,
        tuple(history), refit, None if gaps is None else gaps.law.to(device),
    )  # fmt: skip


def _rebuild(spec: Spec) -> Assembly:
    return assemble(spec.recipe, spec.schema, {**spec.settings, **spec.training}, seed=0)


def spec_of(
    assembly: Assembly,
    data: Data,
    seed: int,
    *,
    command: list[str] | None = None,
    location: str | None = None,
    begun_from: dict[str, Any] | None = None,
    **options: Any,
) -> Spec:
    """Write the spec of a training that is about to begin; see `describe_data`."""
    return Spec(
        assembly.recipe.name, assembly.settings, training_to_json(assembly.training), data.schema,
        describe_data(data, options, location), seed, command=command or [],
        refit={"prior": assembly.refit} if assembly.refit else {}, begun_from=begun_from or {},
    )  # fmt: skip
