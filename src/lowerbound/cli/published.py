"""The list of published figures, for `lowerbound reproduce --list`; made without torch."""

from pathlib import Path
from typing import Any

from lowerbound.cli.console import say, say_json, wrapped
from lowerbound.reproduce import Entry, entries, entry_named
from lowerbound.reproduce.cost import cost
from lowerbound.reproduce.results import figure, folder, runs_of, state, told


def list_entries(name: str | None, results: Path | None, json: bool) -> None:
    """Print of every entry, or of one, source, protocol, cost and state."""
    place = folder(results)
    chosen = (entry_named(name),) if name else entries()
    rows = [about(entry, runs_of(entry, place)) for entry in chosen]
    if json:
        say_json(rows)
        return
    for row in rows:
        say(f"{row['name']}: {row['title']}")
        ours = "" if row["ours"] is None else f"; ours {row['ours']:.2f}"
        say(f"  published {row['published']:g}, {row['source']}{ours}")
        words = ("address", "protocol", "differs") if name else ("protocol",)
        for word in words:
            if row[word]:
                say(wrapped(f"  {word}: {row[word]}"))
        least = "" if row["most_updates"] is None else f" (of {row['most_updates']:,} it may make)"
        say(
            f"  budget {row['epochs']:,} epochs, {row['updates']:,} updates{least}; "
            f"two cores {row['cost_on_two_cores']}, accelerator {row['cost_on_accelerator']}"
        )
        say(f"  {row['state']}{row['budget_run']}")
    say(f"\nstate and measured costs are of {place}")


def about(entry: Entry, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Collect what the list says of an entry; JSON values."""
    speaking = told(entry, runs)
    run = ""
    if speaking:
        run = f" ({max(r['updates'] for r in speaking):,} updates run of {entry.budget:,})"
    return {
        "name": entry.name,
        "title": entry.title,
        "published": entry.published.figure,
        "source": entry.published.source,
        "address": entry.published.address,
        "protocol": entry.protocol
        + ("" if entry.is_linear else f" Evaluated with {entry.samples:,} draws an image."),
        "differs": entry.differs,
        "epochs": entry.epochs,
        "updates": entry.updates,
        "most_updates": entry.most_updates,
        "cost_on_two_cores": str(cost(entry, runs, accelerator=False)),
        "cost_on_accelerator": str(cost(entry, runs, accelerator=True)),
        "ours": figure(speaking)[0] if speaking else None,
        "state": state(entry, speaking),
        "budget_run": run,
    }
