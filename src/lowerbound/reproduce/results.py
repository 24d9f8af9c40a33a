"""Results: one file an entry, with command, seed, versions and machine of every run."""

import datetime
import json
import os
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from lowerbound.errors import OutputError, RunError
from lowerbound.reproduce.entry import Entry

State = Literal["reproduced", "whole budget, figure apart", "partial budget", "not run"]

#: Where files lie, from a checkout of the repository, and where otherwise.
IN_CHECKOUT, ELSEWHERE = Path("benchmarks/results"), Path("runs/reproduce/results")


def folder(given: Path | None = None) -> Path:
    """Find where results are kept: as given; inside a checkout with the other measurements."""
    if given is not None:
        return given
    here = Path.cwd()
    for place in (here, *here.parents):
        if (place / IN_CHECKOUT).is_dir():
            return IN_CHECKOUT if place == here else place / IN_CHECKOUT
    return ELSEWHERE


def file_of(entry: Entry, place: Path) -> Path:
    """Name the file of an entry."""
    return place / f"reproduce-{entry.name}.json"


def runs_of(entry: Entry, place: Path) -> list[dict[str, Any]]:
    """Read every run recorded of an entry."""
    path = file_of(entry, place)
    try:
        found = json.loads(path.read_bytes())["runs"]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} holds no results; remove it and run again") from error
    return found


def add(entry: Entry, place: Path, run: Mapping[str, Any], command: str) -> Path:
    """Write a run into the file of its entry, in place of one of the same seed, budget, model."""
    from lowerbound.runs.spec import current_machine, current_versions  # imported here: torch

    made = {
        **run,
        "command": command,
        "date": datetime.date.today().isoformat(),
        "versions": current_versions(),
        "machine": current_machine(),
    }
    runs = [old for old in runs_of(entry, place) if _key(old) != _key(made)]
    source = entry.published
    record = {
        "entry": entry.name,
        "title": entry.title,
        "published": {
            "figure": source.figure, "source": source.source, "address": source.address,
            "active_units": source.active, "epochs": entry.epochs, "updates": entry.budget,
        },
        "unit": "nats per example",
        "runs": [*runs, made],
    }  # fmt: skip
    path = file_of(entry, place)
    try:
        place.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(record, indent=1) + "\n")
        os.replace(fresh, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    return path


def _key(run: Mapping[str, Any]) -> tuple[Any, ...]:
    budget = run["training"].get("minutes") or run["epochs"]
    settings = (run["changed_settings"], run.get("model"))
    return run["seed"], budget, json.dumps(settings, sort_keys=True)


def told(entry: Entry, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Choose the runs that speak for an entry, one a seed, all of one budget and one setting.

    They are those of the largest budget, among those of the very model that the entry describes.
    Runs under changed settings speak only for an entry whose optimiser is free, and there those of
    the lowest mean do.
    """
    groups: dict[str, dict[int, dict[str, Any]]] = {}
    for run in runs:
        if run.get("model", {}) != entry.model_settings and not entry.is_linear:
            continue
        if entry.most_updates is not None or not run["changed_settings"]:
            _, *settings = _key(run)
            groups.setdefault(json.dumps(settings), {})[run["seed"]] = run
    if not groups:
        return []
    free = entry.most_updates is not None

    def rank(group: dict[int, dict[str, Any]]) -> tuple[float, float]:  # less is better
        mean = figure(list(group.values()))[0]
        return (mean, 0.0) if free else (-min(run["updates"] for run in group.values()), mean)

    chosen = min(groups.values(), key=rank)
    return [chosen[seed] for seed in sorted(chosen)]


def figure(runs: list[dict[str, Any]]) -> tuple[float, float | None]:
    """Compute the mean over seeds and their standard deviation, None for a single one; nats."""
    values = [run["evaluation"]["figure"] for run in runs]
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None


def state(entry: Entry, runs: list[dict[str, Any]]) -> State:
    """Judge how far an entry is from the runs that speak for it, never from anything typed in.

    An entry is reproduced only when every one of them made the whole budget, was evaluated on all
    test images, and the mean is no worse than published by more than the entry's tolerance.
    """
    if not runs:
        return "not run"
    near = figure(runs)[0] <= entry.published.figure + entry.tolerance
    whole = all(
        run["evaluation"]["images_with_all_samples"] == run["evaluation"]["images"] for run in runs
    )
    if entry.most_updates is None:
        whole = whole and all(run["epochs"] >= entry.epochs for run in runs)
        if whole:
            return "reproduced" if near else "whole budget, figure apart"
        return "partial budget"
    if near and whole and all(run["updates"] <= entry.most_updates for run in runs):
        return "reproduced"  # fewer updates than allowed are no fault
    spent = all(run["epochs"] >= entry.epochs for run in runs)
    return "whole budget, figure apart" if spent and whole else "partial budget"
