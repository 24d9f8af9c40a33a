"""Runs: what is written of one, and the way back into the model that it holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lowerbound.catalogue.assemble import Assembly, assemble, training_to_json
from lowerbound.core import Model
from lowerbound.data import Data, Schema
from lowerbound.errors import RunError, SettingError
from lowerbound.objectives import Objective
from lowerbound.runs.directory import RunDirectory
from lowerbound.runs.origin import describe_data
from lowerbound.runs.spec import Spec
from lowerbound.training import Epoch


@dataclass(frozen=True)
class Run:
    """A trained model with everything that is known of it.

    Attributes:
        path: Its directory.
        model: The model, in evaluation mode.
        objective: What it was trained on.
        schema: What its data is.
        spec: How it came about.
        history: One record an epoch.
    """

    path: Path
    model: Model
    objective: Objective
    schema: Schema
    spec: Spec
    history: tuple[Epoch, ...]


def load(path: str | Path, *, device: torch.device | str = "cpu") -> Run:
    """Load a run. Only what the catalogue names is built; no code of the run is executed.

    Args:
        path: The run's directory.
        device: Where to put the model.

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
    model = assembly.model.to(device).eval()
    history = tuple(_epochs(directory))
    return Run(directory.path, model, assembly.objective, spec.schema, spec, history)


def _rebuild(spec: Spec) -> Assembly:
    return assemble(spec.recipe, spec.schema, {**spec.settings, **spec.training}, seed=0)


def _epochs(directory: RunDirectory) -> list[Epoch]:
    epochs = []
    for record in directory.read_metrics():
        try:
            epochs.append(Epoch.from_json(record))
        except (TypeError, KeyError, ValueError):
            continue
    return epochs


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
    """The spec of a training that is about to begin; see `describe_data`."""
    return Spec(
        recipe=assembly.recipe.name,
        settings=assembly.settings,
        training=training_to_json(assembly.training),
        schema=data.schema,
        data=describe_data(data, options, location),
        seed=seed,
        command=command or [],
        begun_from=begun_from or {},
    )
