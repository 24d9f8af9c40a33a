"""Runs: written while a recipe is trained, read back into the model they hold."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lowerbound.catalogue.assemble import Assembly, assemble, training_to_json
from lowerbound.catalogue.origin import describe_data
from lowerbound.data import Data, Schema
from lowerbound.errors import RunError, SettingError
from lowerbound.models import VAE
from lowerbound.objectives import Objective
from lowerbound.storage import RunDirectory, Spec
from lowerbound.training import Callback, Epoch, Fit

#: Seconds that pass, at least, between two saves of the best weights during training.
SAVE_EVERY = 10.0


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
    model: VAE
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
            expected = _rebuild(spec).model.state_dict()
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
    )


class RunWriter(Callback):
    """Writes a run while it is being trained: metrics every epoch, the best weights in between.

    Args:
        path: The run's directory.
        spec: From `spec_of`.
        force: Replace an old run; it is kept until the new one has weights.

    Raises:
        OutputError: The place is taken or not writable, or the disk is full.
    """

    def __init__(self, path: str | Path, spec: Spec, *, force: bool = False) -> None:
        self.directory, self.spec = RunDirectory(path), spec
        self._saved = -SAVE_EVERY
        self.directory.create(spec, force=force)

    def on_epoch(self, epoch: Epoch, best) -> None:  # type: ignore[no-untyped-def]
        """Append the metrics; save the best weights if the last save is long ago."""
        self.directory.append_metrics(epoch.to_json())
        if epoch.best and time.monotonic() - self._saved >= SAVE_EVERY:
            self.directory.write_weights(best())
            self._saved = time.monotonic()

    def finish(self, fit: Fit) -> None:
        """Save what the training came to."""
        self.directory.write_weights(fit.model.state_dict())
        result: dict[str, Tensor | Any] = {
            "stopped": fit.stopped,
            "epochs": len(fit.history),
            "best_epoch": None if fit.best is None else fit.best.epoch,
            "seconds": round(fit.seconds, 3),
        }
        self.spec = replace(self.spec, result=result)
        self.directory.write_spec(self.spec)

    def abandon(self) -> None:
        """Leave nothing behind if no weights were ever saved; bring back what was replaced."""
        self.directory.abandon()


def save(path: str | Path, spec: Spec, fit: Fit, *, force: bool = False) -> None:
    """Write a whole run at once, after training.

    Raises:
        OutputError: The place is taken or not writable, or the disk is full.
    """
    writer = RunWriter(path, spec, force=force)
    try:
        for epoch in fit.history:
            writer.directory.append_metrics(epoch.to_json())
        writer.finish(fit)
    except BaseException:
        writer.abandon()
        raise
