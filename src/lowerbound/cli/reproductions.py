"""Step by step what `lowerbound reproduce` does."""

import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lowerbound.cli.common import device_of
from lowerbound.cli.console import say, say_json, tell, working
from lowerbound.cli.progress import TrainingProgress
from lowerbound.cli.reproduce_options import ReproduceOptions
from lowerbound.cli.signals import StopOnSignal
from lowerbound.cli.train import command_line
from lowerbound.errors import SettingError
from lowerbound.reproduce import Entry, entry_named, linear
from lowerbound.reproduce.results import add, figure, folder, runs_of, state, told
from lowerbound.reproduce.run import Pause, evaluate, record, train
from lowerbound.reproduce.sources import load
from lowerbound.training import Callback, Fit, Training


def train_and_judge(options: ReproduceOptions) -> int:
    """Train and evaluate under each seed, record, compare; return the exit code."""
    entry = entry_named(str(options.name))
    options = replace(options, device=device_of(options.device))
    check(entry, options)
    place = folder(options.results)
    with working("reading the data", quiet=options.quiet):
        data = load(entry.data, options.data)
    for seed in options.each_seed():
        out = (options.out or Path("runs/reproduce") / entry.name) / f"seed-{seed}"
        code = one(entry, options, data, seed, out, place)
        if code:
            tell(f"go on with the same command and --resume; what there is lies in {out}")
            return code
    runs = told(entry, runs_of(entry, place))
    if options.json:
        say_json({"entry": entry.name, "state": state(entry, runs), "runs": runs})
    else:
        say(compared(entry, runs))
    return 0


def check(entry: Entry, options: ReproduceOptions) -> None:
    """Refuse a missing, double or impossible budget before minutes are spent."""
    given = [options.epochs is not None, options.minutes is not None, options.full]
    if sum(given) > 1:
        raise SettingError("--epochs, --minutes and --full exclude each other; give one of them")
    if entry.is_linear and (options.minutes is not None or options.resume):
        raise SettingError(
            f"{entry.name} takes minutes at most and is trained whole; leave --minutes and "
            "--resume out"
        )
    if options.pause_after is not None:
        if entry.is_linear:
            raise SettingError(f"{entry.name} takes minutes at most; leave --pause-after out")
        if not options.full:
            raise SettingError("--pause-after is for the whole published budget; give --full, too")
        if not 0 < options.pause_after < math.inf:
            raise SettingError(
                f"--pause-after is a number of minutes above 0, got {options.pause_after:g}"
            )
    if not any(given) and not entry.is_linear:
        raise SettingError(
            f"{entry.name} was published after {entry.epochs:,} epochs ({entry.updates:,} "
            "updates); give --epochs N or --minutes M for less, or --full"
        )
    if options.epochs is not None and not 1 <= options.epochs <= entry.epochs:
        raise SettingError(f"--epochs is from 1 to {entry.epochs:,}, got {options.epochs}")
    if options.test_images is not None and options.test_images < 2:
        raise SettingError(f"--test-images is at least 2, got {options.test_images}")
    options.each_seed()
    for name in ("epochs", "minutes"):
        if name in options.settings():
            raise SettingError(f"give --{name} instead of --set {name}=")


def one(
    entry: Entry, options: ReproduceOptions, data: Any, seed: int, out: Path, place: Path
) -> int:
    """Train and evaluate under one seed; return the exit code if a signal ended it."""
    screen = TrainingProgress()
    stopper = StopOnSignal(first=screen.close)
    watchers: list[Callback] = [stopper, *([] if options.quiet else [screen])]
    if options.pause_after is not None:
        watchers.append(Pause(options.pause_after))
    with stopper.listening():
        try:
            training, result, judge = learn(entry, options, data, seed, out, watchers)
        finally:
            screen.close()
    if stopper.code:
        return stopper.code
    with working("evaluating on the test images", quiet=options.quiet) as progress:
        judged = judge(progress)
    run = record(
        entry, training, result, judged,
        seed=seed, device=options.device, settings=options.settings(),
    )  # fmt: skip
    path = add(entry, place, run, shlex.join(command_line()))
    tell(f"seed {seed}: {judged['figure']:.2f} nats; recorded in {path}")
    if options.settings() and entry.most_updates is None:
        tell("under other settings than the row's: what follows is of runs under its own")
    if result.stopped == "paused":
        tell(f"paused; go on with the same command and --resume, what there is lies in {out}")
    return 0


def learn(
    entry: Entry,
    options: ReproduceOptions,
    data: Any,
    seed: int,
    out: Path,
    watchers: Sequence[Callback],
) -> tuple[Training, Fit, Callable[[Any], dict[str, Any]]]:
    """Train an entry; return settings, result, and an evaluation, given where to tell progress.

    A linear one takes seconds and writes no run.
    """
    if entry.is_linear:
        training = linear.training_of(entry, options.epochs, options.settings())
        model, result = linear.train(
            entry, data, training, seed=seed, device=options.device, callbacks=watchers
        )
        latents = int(entry.settings["latents"])
        return training, result, lambda progress: linear.judge(model, data, latents)
    assembly, result = train(
        entry, data, out, seed=seed, epochs=options.epochs, minutes=options.minutes,
        settings=options.settings(), resume=options.resume, force=options.force,
        device=options.device, callbacks=watchers, command=command_line(),
    )  # fmt: skip

    def judge(progress: Any) -> dict[str, Any]:
        return evaluate(
            entry, assembly, data, options.test_images, device=options.device, progress=progress
        )

    return assembly.training, result, judge


def compared(entry: Entry, runs: list[dict[str, Any]]) -> str:
    """Put ours beside theirs, in words."""
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
