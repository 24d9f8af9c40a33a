"""What was fitted on what, in words."""

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
    """A name and what it is; `detail` is shown when pointed at."""

    name: str
    value: str
    detail: str = ""


def title_of(run: Run) -> str:
    """What was fitted, in words."""
    try:
        title = recipe_named(run.spec.recipe).title
    except SettingError:
        return run.spec.recipe
    return "Variational autoencoder" if run.spec.recipe == "auto" else title


def source_of(run: Run) -> str:
    """What it was fitted on, in words."""
    return str(run.spec.data.get("source", "unknown data")).strip("'")


def facts(run: Run) -> list[Fact]:
    """Where the run came from."""
    spec, data, result = run.spec, run.spec.data, run.spec.result
    found = [
        Fact("Data", source_of(run), _fingerprint(data)),
        Fact("Example", run.schema.describe()),
        *_splits(data.get("split")),
        Fact("Recipe", f"{spec.recipe}, {_source(spec.recipe)}".rstrip(", ")),
        Fact("Training", _training(result)),
        Fact(
            "Prior", "" if run.refit is None else f"{run.refit.words}; the curves are from before"
        ),
        Fact("Seed", str(spec.seed)),
        Fact("Versions", ", ".join(f"{name} {v}" for name, v in spec.versions.items())),
    ]
    written = _written(run)
    if written:
        found.append(Fact("Run written", written))
    return [fact for fact in found if fact.value]


def notes(run: Run) -> list[str]:
    """What the reader of the data did that its owner should know."""
    listed = run.spec.data.get("notes")
    return [str(note) for note in listed] if isinstance(listed, list) else []


def doubts(run: Run, data: Data | None, evaluation: Evaluation | None) -> list[str]:
    """What keeps this report from being taken at face value."""
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
    if not isinstance(split, Mapping):
        return []
    counts = split.get("counts")
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
    """A time as a person says it.

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


def _fingerprint(data: Mapping[str, Any]) -> str:
    value = data.get("fingerprint")
    return f"sha256 {value}" if value else ""


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
