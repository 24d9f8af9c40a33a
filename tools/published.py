"""Published figures, ours beside theirs: the rows of a table, from what is on record."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lowerbound.reproduce.entry import Entry
from lowerbound.reproduce.results import State, figure, file_of, runs_of, state, told


@dataclass(frozen=True)
class Row:
    """One entry and what was run of it.

    Attributes:
        entry: Of the registry.
        state: How far it is.
        figure: Ours, nats, a mean over seeds; None if nothing was run.
        error: What is open about it, in words: the spread over seeds, test images left out.
        seeds: How many.
        epochs: Run, the fewest of its seeds.
        updates: Likewise.
        active: Active units, the mean over seeds.
        file: What holds it, inside the folder of results.
    """

    entry: Entry
    state: State
    figure: float | None
    error: str
    seeds: int
    epochs: int
    updates: int
    active: float | None
    file: str

    @property
    def ours(self) -> str:
        """Our figure with what is open about it."""
        if self.figure is None:
            return ""
        digits = 4 if self.entry.is_linear else 2
        return f"{self.figure:.{digits}f}{self.error}"

    @property
    def budget(self) -> str:
        """Epochs and updates run, of those published."""
        entry = self.entry
        if self.figure is None:
            return f"none of {entry.epochs:,} epochs"
        if entry.most_updates is not None:
            return f"{self.updates:,} of {entry.most_updates:,} updates"
        return f"{self.epochs:,} of {entry.epochs:,} epochs"


def row(entry: Entry, place: Path) -> Row:
    """The row of an entry, from its file in a folder of results."""
    runs = told(entry, runs_of(entry, place))
    name = file_of(entry, place).name
    if not runs:
        return Row(entry, "not run", None, "", 0, 0, 0, None, name)
    mean, spread = figure(runs)
    open_ = [] if spread is None else [f"{spread:.2f} over {len(runs)} seeds"]
    some = max(run["evaluation"]["standard_error_images"] for run in runs)
    if some:
        open_.append(f"{some:.2f} from test images left out")
    active = [run["evaluation"]["active_units"] for run in runs]
    return Row(
        entry,
        state(entry, runs),
        mean,
        f" ± {', ± '.join(open_)}" if open_ else "",
        len(runs),
        min(run["epochs"] for run in runs),
        min(run["updates"] for run in runs),
        sum(active) / len(active),
        name,
    )


def markdown(rows: Sequence[Row], results: str) -> str:
    """A table of rows; `results` leads to the folder of their files."""
    lines = [
        "| entry | published | others | ours | active units, theirs / ours | run | state |",
        "|---|---|---|---|---|---|---|",
    ]
    for made in rows:
        entry = made.entry
        theirs = f"[{_number(entry, entry.published.figure)}]({entry.published.address})"
        others = ", ".join(f"{value:g}" for value, _ in entry.others)
        ours = f"[{made.ours}]({results}/{made.file})" if made.ours else ""
        active = "" if made.active is None or entry.is_linear else f"{made.active:g}"
        if entry.published.active is not None:
            active = f"{entry.published.active} / {active or '-'}"
        lines.append(
            f"| `{entry.name}` | {theirs} | {others} | {ours} | {active} | {made.budget} "
            f"| {made.state} |"
        )
    return "\n".join(lines) + "\n"


def _number(entry: Entry, value: float) -> str:
    return f"{value:.4f}" if entry.is_linear else f"{value:.2f}"
