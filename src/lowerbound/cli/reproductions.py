"""What `lowerbound reproduce` does, step by step."""

import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lowerbound.cli.console import say, say_json, tell, working
from lowerbound.cli.progress import TrainingProgress
from lowerbound.cli.signals import StopOnSignal
from lowerbound.cli.train import command_line
from lowerbound.errors import SettingError
from lowerbound.reproduce import Entry, entry_named, linear
from lowerbound.reproduce.pause import Pause
from lowerbound.reproduce.results import add, figure, folder, runs_of, state, told
from lowerbound.reproduce.run import evaluate, record, train
from lowerbound.reproduce.sources import load
from lowerbound.training import Callback, Fit, Training


@dataclass(frozen=True)
class Wanted:
    """The arguments of `lowerbound reproduce`, read."""

    name: str
    epochs: int | None
    minutes: float | None
    full: bool
    pause_after: float | None
    seeds: tuple[int, ...]
    settings: dict[str, str]
    data: Path | None
    test_images: int | None
    out: Path | None
    results: Path | None
    resume: bool
    force: bool
    device: str
    json: bool
    quiet: bool


def reproduce(wanted: Wanted) -> int:
    """Train and evaluate under each seed, record, compare; the exit code."""
    entry = entry_named(wanted.name)
    check(entry, wanted)
    place = folder(wanted.results)
    with working("reading the data", quiet=wanted.quiet):
        data = load(entry.data, wanted.data)
    for seed in wanted.seeds:
        out = (wanted.out or Path("runs/reproduce") / entry.name) / f"seed-{seed}"
        code = one(entry, wanted, data, seed, out, place)
        if code:
            tell(f"go on with the same command and --resume; what there is lies in {out}")
            return code
    runs = told(entry, runs_of(entry, place))
    if wanted.json:
        say_json({"entry": entry.name, "state": state(entry, runs), "runs": runs})
    else:
        say(compared(entry, runs))
    return 0


def check(entry: Entry, wanted: Wanted) -> None:
    """Refuse what cannot be, before minutes are spent.

    Raises:
        SettingError: No budget was given, or two, or an impossible number.
    """
    given = [wanted.epochs is not None, wanted.minutes is not None, wanted.full]
    if sum(given) > 1:
        raise SettingError("--epochs, --minutes and --full exclude each other; give one of them")
    if entry.is_linear and (wanted.minutes is not None or wanted.resume):
        raise SettingError(
            f"{entry.name} takes minutes at most and is trained whole; leave --minutes and "
            "--resume out"
        )
    if wanted.pause_after is not None:
        if entry.is_linear:
            raise SettingError(f"{entry.name} takes minutes at most; leave --pause-after out")
        if not wanted.full:
            raise SettingError("--pause-after is for the whole published budget; give --full, too")
        if not 0 < wanted.pause_after < math.inf:
            raise SettingError(
                f"--pause-after is a number of minutes above 0, got {wanted.pause_after:g}"
            )
    if not any(given) and not entry.is_linear:
        raise SettingError(
            f"{entry.name} was published after {entry.epochs:,} epochs ({entry.updates:,} "
            "updates); give --epochs N or --minutes M for less, or --full"
        )
    if wanted.epochs is not None and not 1 <= wanted.epochs <= entry.epochs:
        raise SettingError(f"--epochs is from 1 to {entry.epochs:,}, got {wanted.epochs}")
    if wanted.test_images is not None and wanted.test_images < 2:
        raise SettingError(f"--test-images is at least 2, got {wanted.test_images}")
    for name in ("epochs", "minutes"):
        if name in wanted.settings:
            raise SettingError(f"give --{name} instead of --set {name}=")


def one(entry: Entry, wanted: Wanted, data: Any, seed: int, out: Path, place: Path) -> int:
    """One seed; the exit code if a signal ended it."""
    screen = TrainingProgress()
    stopper = StopOnSignal(first=screen.close)
    watchers: list[Callback] = [stopper, *([] if wanted.quiet else [screen])]
    if wanted.pause_after is not None:
        watchers.append(Pause(wanted.pause_after))
    with stopper.listening():
        try:
            if entry.is_linear:
                training, result, judge = exactly(entry, wanted, data, seed, watchers)
            else:
                training, result, judge = drawn(entry, wanted, data, seed, out, watchers)
        finally:
            screen.close()
    if stopper.code:
        return stopper.code
    with working("evaluating on the test images", quiet=wanted.quiet) as progress:
        judged = judge(progress)
    run = record(
        entry, training, result, judged, seed=seed, device=wanted.device, settings=wanted.settings
    )
    path = add(entry, place, run, shlex.join(command_line()))
    tell(f"seed {seed}: {judged['figure']:.2f} nats; recorded in {path}")
    if wanted.settings and entry.most_updates is None:
        tell("under other settings than the row's: what follows is of runs under its own")
    if result.stopped == "paused":
        tell(f"paused; go on with the same command and --resume, what there is lies in {out}")
    return 0


#: Training settings, how it went, and what evaluates the model, given what to tell of progress.
Trained = tuple[Training, Fit, Callable[[Any], dict[str, Any]]]


def exactly(
    entry: Entry, wanted: Wanted, data: Any, seed: int, watchers: Sequence[Callback]
) -> Trained:
    """Train a linear entry, which takes seconds and writes no run."""
    training = linear.training_of(entry, wanted.epochs, wanted.settings)
    model, result = linear.train(
        entry, data, training, seed=seed, device=wanted.device, callbacks=watchers
    )
    return (
        training,
        result,
        lambda progress: linear.judge(model, data, int(entry.settings["latents"])),
    )


def drawn(
    entry: Entry, wanted: Wanted, data: Any, seed: int, out: Path, watchers: Sequence[Callback]
) -> Trained:
    """Train any other entry, as a run."""
    assembly, result = train(
        entry, data, out, seed=seed, epochs=wanted.epochs, minutes=wanted.minutes,
        settings=wanted.settings, resume=wanted.resume, force=wanted.force,
        device=wanted.device, callbacks=watchers, command=command_line(),
    )  # fmt: skip
    return (
        assembly.training,
        result,
        lambda progress: evaluate(
            entry, assembly, data, wanted.test_images, device=wanted.device, progress=progress
        ),
    )


def compared(entry: Entry, runs: list[dict[str, Any]]) -> str:
    """Ours beside theirs, in words."""
    published = entry.published
    if not runs:
        return f"{entry.name}: published {published.figure:g}; not run under its own settings"
    mean, spread = figure(runs)
    epochs = sorted({run["epochs"] for run in runs})
    over = "" if spread is None else f", standard deviation {spread:.2f} over {len(runs)} seeds"
    some = max(run["evaluation"]["standard_error_images"] for run in runs)
    error = f" +- {some:.2f} for taking only some of the test images" if some else ""
    digits = 4 if entry.is_linear else 2
    return (
        f"{entry.name}: {mean:.{digits}f}{error}{over}; published {published.figure:g} "
        f"({published.source})\n"
        f"  epochs {' and '.join(f'{count:,}' for count in epochs)} of {entry.epochs:,}, updates "
        f"{max(run['updates'] for run in runs):,} of {entry.budget:,}: {state(entry, runs)}\n"
        f"  active units {'/'.join(str(run['evaluation']['active_units']) for run in runs)}"
        + ("" if published.active is None else f", published {published.active}")
    )
