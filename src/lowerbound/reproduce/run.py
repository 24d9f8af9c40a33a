"""One training of an entry under one seed, written as a run that can be gone on with."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from lowerbound.catalogue import Assembly
from lowerbound.data import Data
from lowerbound.errors import RunError, SettingError
from lowerbound.reproduce.entry import Entry
from lowerbound.reproduce.judge import judge
from lowerbound.reproduce.prepare import prepare
from lowerbound.runs import Resumption, RunDirectory, RunWriter
from lowerbound.runs.load import spec_of
from lowerbound.runs.resume import state_of
from lowerbound.training import Callback, Fit, Training, fit

#: Ends of a training that used its budget up.
ENDS = ("epochs", "minutes")


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
        entry: Of the registry.
        data: Of the entry.
        out: Directory of the run; a state is saved there every minute.
        seed: Of weights, shuffling and noise.
        epochs: A smaller budget; the whole if both are None.
        minutes: Likewise, by the clock.
        settings: Others than the entry's.
        resume: Go on with the run at `out`, if there is one.
        force: Replace it.
        device: Where to train.
        callbacks: Watch the training.
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
