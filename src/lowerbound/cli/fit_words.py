"""The course of a training, in words and as JSON."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lowerbound.catalogue import Assembly
from lowerbound.catalogue.assemble import training_to_json
from lowerbound.cli.console import wrapped
from lowerbound.data import Data
from lowerbound.evaluation import Evaluation
from lowerbound.runs import RunDirectory
from lowerbound.training import Epoch, Fit, explain

if TYPE_CHECKING:
    from lowerbound.cli.fit_options import FitOptions


def introduce(
    assembly: Assembly, data: Data, options: "FitOptions", inform: Callable[[object], None]
) -> None:
    """Describe the data, the choices for it, and the model."""
    counts = data.split["counts"]
    inform(
        f"{data.source}: {counts['train']:,} training, {counts['validation']:,} validation, "
        f"{counts['test']:,} test examples"
    )
    training = assembly.training
    length = f"{training.epochs} epoch{'s' * (training.epochs != 1)}"
    if training.minutes:
        length = f"{training.minutes:g} minutes"
    recipe = (
        f"Recipe {assembly.recipe.name}: maximise {assembly.recipe.formula}; {length} in batches "
        f"of {training.batch_size}, seed {options.seed}, on {options.device}."
    )
    notes = [f"Note: {note}." for note in data.notes]
    for sentence in (*assembly.words, *notes, recipe):
        inform(wrapped(sentence, stderr=True))
    inform(f"\n{assembly.model}\n")


def explanation(
    assembly: Assembly, data: Data, options: "FitOptions"
) -> tuple[list[str], dict[str, Any]]:
    """Explain how it would be trained and why, as sentences and as JSON."""
    training = assembly.training
    execution = explain(assembly.model, assembly.objective, data, training, device=options.device)
    per_epoch = math.ceil(len(data.train) / training.batch_size)
    optimiser = "AdamW" if training.weight_decay else "Adam"
    average = (
        "the last weights are judged"
        if training.average is None
        else f"an exponential average of the weights (decay {training.average:g}) is judged"
    )
    sentences = [
        f"{per_epoch:,} updates an epoch of {training.batch_size} examples, all in memory on "
        f"{options.device}, in a new order each epoch",
        f"{optimiser}, learning rate up to {training.learning_rate:g} within "
        f"{training.warm_up:.0%} of the training, then along a cosine to {training.final_rate:.0%} "
        f"of it; {average}",
        *execution.reasons,
    ]
    record = {
        "recipe": assembly.recipe.name,
        "settings": assembly.settings,
        "training": training_to_json(training),
        "updates_an_epoch": per_epoch,
        "device": options.device,
        "execution": execution.to_json(),
        "why": [*assembly.words, *sentences],
    }
    return sentences, record


def in_words(result: Fit) -> str:
    """Say why training ended, and which epoch was kept."""
    reasons = {
        "epochs": "all epochs are done",
        "minutes": "the time is up",
        "patience": "the held-out bound no longer gets better",
    }
    kept = "" if result.best is None else f"; epoch {result.best.epoch} was best and is kept"
    count = len(result.history)
    done = f"{count} epoch{'s' * (count != 1)} in {result.seconds:,.1f} s"
    return f"{reasons.get(result.stopped, result.stopped)} ({done}){kept}{lost(result)}"


def lost(result: Fit | Epoch) -> str:
    """Say after a semicolon what went wrong on the way; nothing if nothing did."""
    words = []
    if result.skipped:
        plural = "es were" if result.skipped > 1 else " was"
        words.append(f"{result.skipped} batch{plural} skipped, its bound not a finite number")
    if result.rollbacks:
        times = f"{result.rollbacks} times" if result.rollbacks > 1 else "once"
        words.append(f"training was rolled back {times}, each time to half the learning rate")
    if isinstance(result, Fit) and result.execution is not None:
        words += [reason for reason in result.execution.reasons if "after all" in reason]
    return "".join(f"; {word}" for word in words)


def saved(directory: RunDirectory) -> str:
    """Say where a finished run is, and how much of it only a longer training would need."""
    words, size = f"saved in {directory.path}", directory.state.size()
    own = f"; {directory.state.path} ({size / 2**20:,.1f} MiB)"
    return f"{words}{own} serves --resume alone and may be deleted" if size else words


def summary(
    options: "FitOptions",
    assembly: Assembly,
    data: Data,
    out: Path,
    result: Fit,
    evaluation: Evaluation | None,
    report: Path | None,
) -> dict[str, Any]:
    """Collect what --json prints."""
    return {
        "run": os.fspath(out),
        "recipe": assembly.recipe.name,
        "settings": assembly.settings,
        "schema": data.schema.describe(),
        "counts": data.split["counts"],
        "notes": [str(note) for note in data.notes],
        "parameters": sum(p.numel() for p in assembly.model.parameters()),
        "seed": options.seed,
        "device": options.device,
        "stopped": result.stopped,
        "epochs": len(result.history),
        "best_epoch": None if result.best is None else result.best.epoch,
        "seconds": round(result.seconds, 3),
        "skipped": result.skipped,
        "rollbacks": result.rollbacks,
        "evaluation": None if evaluation is None else evaluation.to_json(),
        "report": None if report is None else os.fspath(report),
    }
