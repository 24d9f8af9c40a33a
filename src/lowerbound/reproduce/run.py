"""One training of an entry under one seed, written as a run that can be gone on with."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from lowerbound.catalogue import Assembly, assemble
from lowerbound.data import Data
from lowerbound.errors import RunError, SettingError
from lowerbound.reproduce.entry import Entry
from lowerbound.reproduce.judge import judge
from lowerbound.runs import Resumption, RunDirectory, RunWriter
from lowerbound.runs.load import spec_of
from lowerbound.runs.resume import state_of
from lowerbound.training import Callback, Epoch, Fit, StopTraining, Training, fit

#: Ends of a training that used its budget up.
ENDS = ("epochs", "minutes")


def prepare(
    entry: Entry,
    data: Data,
    *,
    seed: int,
    epochs: int | None = None,
    minutes: float | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Assembly:
    """Assemble the model with its first weights, the objective and the training of an entry.

    The budget is the whole one unless `epochs` or `minutes` say less. A shorter budget keeps the
    shape of the schedule: it is a function of the fraction done.
    """
    chosen = {**entry.settings, **(settings or {})}
    if epochs is not None:
        chosen["epochs"] = epochs
    if minutes is not None:
        chosen["minutes"] = minutes
    assembly = assemble(entry.recipe, data.schema, chosen, examples=len(data.train), seed=seed)
    per_epoch = -(-len(data.train) // assembly.training.batch_size)
    updates = assembly.training.epochs * per_epoch
    if entry.most_updates is not None and minutes is None and updates > entry.most_updates:
        raise SettingError(
            f"{entry.name} may make {entry.most_updates:,} updates at most, and this is "
            f"{updates:,}; give --epochs {entry.most_updates // per_epoch}, or a larger batch_size"
        )
    return assembly


class Pause(Callback):
    """An end of training after the first epoch that ends later than some minutes from its start.

    The weights were then trained by the beginning of the schedule, and training can go on from
    them. The last epoch is no pause.
    """

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes
        self._began = time.monotonic()
        self._epochs: int | None = None

    def on_start(self, epochs: int | None, per_epoch: int) -> None:
        """Start the clock."""
        self._began, self._epochs = time.monotonic(), epochs

    def on_epoch(self, epoch: Epoch, best: object) -> None:
        """Stop here if the time is up."""
        if epoch.epoch == self._epochs:
            return
        if time.monotonic() - self._began >= 60 * self.minutes:
            raise StopTraining("paused")


def train(
    entry: Entry,
    data: Data,
    out: Path,
    *,
    seed: int,
    epochs: int | None = None,
    minutes: float | None = None,
    settings: Mapping[str, Any] | None = None,
    resume: bool = False,
    force: bool = False,
    device: torch.device | str = "cpu",
    callbacks: Sequence[Callback] = (),
    command: list[str] | None = None,
) -> tuple[Assembly, Fit]:
    """Train an entry under one seed, or go on with such a training.

    Args:
        out: Directory of the run; a state is saved there every minute.
        seed: Of weights, shuffling and noise.
        epochs: A smaller budget; the whole if both are None.
        settings: Others than the entry's.
        resume: Go on with the run at `out`, if there is one.
        command: The command line, recorded.

    Raises:
        RunError: The run to go on with is damaged.
        SettingError: It was made under other settings; or a setting is impossible.
        OutputError: There is a run already, and neither `resume` nor `force`.
    """
    assembly = prepare(entry, data, seed=seed, epochs=epochs, minutes=minutes, settings=settings)
    directory, state = RunDirectory(out), None
    spec = spec_of(assembly, data, seed, command=command or [])
    if resume and directory.is_run():
        old = directory.read_spec()
        if (old.recipe, old.seed) != (spec.recipe, seed):
            raise SettingError(
                f"{out} is a run of another recipe or seed; give another --out, or --force"
            )
        for name, value in spec.settings.items():
            if old.settings.get(name) != value:
                raise SettingError(
                    f"{name} is {old.settings.get(name, 'not recorded')!r} in {out}, where the row "
                    f"has {value!r} now; give another --out, or --force"
                )
        notes: tuple[str, ...] = ()
        if directory.state.exists():
            state, notes = state_of(directory)
        writer = RunWriter.going_on(
            Resumption(directory, old, assembly, data, state, notes), command=command or []
        )
    else:
        writer = RunWriter(out, spec, force=force)
    try:
        result = fit(
            assembly.model, assembly.objective, data, assembly.training,
            seed=seed if state is None else None, device=device,
            callbacks=[writer, *callbacks], resume=state,
        )  # fmt: skip
        if result.best is not None:
            writer.finish(result)
    finally:
        writer.abandon()
    if result.best is None:
        remedy = "give a larger budget" if result.stopped in ENDS else "go on with --resume"
        raise RunError(f"{out}: ended before an epoch was finished; {remedy}")
    return assembly, result


def record(
    entry: Entry,
    training: Training,
    result: Fit,
    evaluation: Mapping[str, Any],
    *,
    seed: int,
    device: str,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Write the record of one run: budget run and published, figures, settings; JSON values."""
    told = {name: getattr(training, name) for name in entry.settings if hasattr(training, name)}
    return {
        "seed": seed,
        "epochs": len(result.history),
        "epochs_published": entry.epochs,
        "updates": result.history[-1].updates,
        "updates_published": entry.budget,
        "stopped": result.stopped,
        "seconds": round(result.seconds, 1),
        "device": device,
        "changed_settings": {name: str(value) for name, value in settings.items()},
        "model": entry.model_settings,
        "training": {**told, "minutes": training.minutes},
        "validation_bound": result.history[-1].held_out.bound,
        "skipped": result.skipped,
        "rollbacks": result.rollbacks,
        "precision": None if result.execution is None else result.execution.precision,
        "evaluation": dict(evaluation),
    }


def evaluate(
    entry: Entry,
    assembly: Assembly,
    data: Data,
    images: int | None,
    *,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Evaluate a trained model as the entry says, with the seconds that it took."""
    began = time.perf_counter()
    model = assembly.model.to(device)
    found = judge(model, data.test.load(), entry.samples, images, progress=progress)
    return {**found, "seconds": round(time.perf_counter() - began, 1)}
