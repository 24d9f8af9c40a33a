"""Facts about a run, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lowerbound.catalogue import recipe_named
from lowerbound.data import Data
from lowerbound.errors import SettingError
from lowerbound.evaluation import Evaluation
from lowerbound.runs import Run

STOPPED = {
    "epochs": "all epochs were done",
    "minutes": "the time was used up",
    "patience": "the held-out bound no longer improved",
}


@dataclass(frozen=True)
class Fact:
    """A name and a value; `detail` is shown when pointed at."""

    name: str
    value: str
    detail: str = ""


def title_of(run: Run) -> str:
    """Name the model that was fitted."""
    try:
        title = recipe_named(run.spec.recipe).title
    except SettingError:
        return run.spec.recipe
    return "Variational autoencoder" if run.spec.recipe == "auto" else title


def source_of(run: Run) -> str:
    """Name the data it was fitted on."""
    return str(run.spec.data.get("source", "unknown data")).strip("'")


def facts(run: Run) -> list[Fact]:
    """Collect where the run came from."""
    spec, data, result = run.spec, run.spec.data, run.spec.result
    sha256 = data.get("fingerprint")
    prior = "" if run.refit is None else f"{run.refit.words}; the curves are from before"
    found = [
        Fact("Data", source_of(run), f"sha256 {sha256}" if sha256 else ""),
        Fact("Example", run.schema.describe()),
        *_splits(data.get("split")),
        Fact("Recipe", f"{spec.recipe}, {_source(spec.recipe)}".rstrip(", ")),
        Fact("Training", _training(result)),
        Fact("Prior", prior),
        Fact("Seed", str(spec.seed)),
        Fact("Versions", ", ".join(f"{name} {v}" for name, v in spec.versions.items())),
        Fact("Run written", _written(run)),
    ]
    return [fact for fact in found if fact.value]


def notes(run: Run) -> list[str]:
    """List what the reader of the data noted for its owner."""
    listed = run.spec.data.get("notes")
    return [str(note) for note in listed] if isinstance(listed, list) else []


def doubts(run: Run, data: Data | None, evaluation: Evaluation | None) -> list[str]:
    """List the reasons not to take this report at face value."""
    found = []
    if not run.spec.result:
        found.append(
            "Training did not come to its end when this was written; the model holds the best "
            "weights that had been saved."
        )
    known = run.spec.data.get("fingerprint")
    if data is not None and known and data.fingerprint and known != data.fingerprint:
        found.append(
            f"This report shows other data ({data.source}) than the run was trained on: some of "
            "its held-out examples may have been seen in training."
        )
    if evaluation is not None and evaluation.split == "train":
        found.append("The figures below are of training examples, and flatter the model.")
    return found


def _splits(split: Any) -> list[Fact]:
    counts = split.get("counts") if isinstance(split, Mapping) else None
    if not isinstance(counts, Mapping):
        return []
    words = ", ".join(
        f"{name} {count:,}" for name, count in counts.items() if isinstance(count, int)
    )
    return [Fact("Examples", words, str(split.get("rule", "")))]


def _training(result: Mapping[str, Any]) -> str:
    if not result:
        return "not finished"
    epochs, best, seconds = (result.get(key) for key in ("epochs", "best_epoch", "seconds"))
    stopped = str(result.get("stopped", ""))
    parts = [f"{epochs} epochs" if epochs != 1 else "1 epoch"]
    if isinstance(seconds, int | float):
        parts[0] += f" in {duration(seconds)}"
    if best is not None:
        parts.append(f"best: epoch {best}")
    if stopped:
        parts.append(f"ended because {STOPPED[stopped]}" if stopped in STOPPED else stopped)
    return "; ".join(parts)


def duration(seconds: float) -> str:
    """Write a time as a person says it.

    Example:
        >>> duration(34.98), duration(754), duration(9000)
        ('35 s', '12 min 34 s', '2 h 30 min')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _source(recipe: str) -> str:
    try:
        found = recipe_named(recipe)
    except SettingError:
        return ""
    return recipe_named("vae").source if recipe == "auto" else found.source


def _written(run: Run) -> str:
    try:
        seconds = (run.path / "spec.json").stat().st_mtime
    except OSError:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
