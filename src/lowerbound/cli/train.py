"""Step by step what `lowerbound fit` does."""

import json
import math
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lowerbound.catalogue import Assembly, assemble, recipe_named, recipes
from lowerbound.catalogue.assemble import check_values
from lowerbound.catalogue.gaps import fit_gaps
from lowerbound.catalogue.refit import Refit, apply, refit_after
from lowerbound.catalogue.settings import check_settings, knows
from lowerbound.cli.common import device_of
from lowerbound.cli.console import say, say_json, tell, warn, working, wrapped
from lowerbound.cli.figures import show_evaluation
from lowerbound.cli.fit_options import FitOptions
from lowerbound.cli.fit_words import explanation, in_words, introduce, saved, summary
from lowerbound.cli.progress import TrainingProgress
from lowerbound.cli.signals import AtOnce, StopOnSignal
from lowerbound.cli.sources import stem_of
from lowerbound.data import Data, read
from lowerbound.errors import FinishedError, NonFiniteError, OutputError
from lowerbound.evaluation import evaluate
from lowerbound.processes import ALONE, current, together
from lowerbound.runs import (
    RunDirectory,
    RunWriter,
    load,
    location_of,
    resume,
    warm_start,
    write_gaps,
    write_prior,
)
from lowerbound.runs.load import spec_of
from lowerbound.runs.lock import check_free
from lowerbound.training import Callback, Fit, State, fit

#: Makes the writer of a run, given how often it saves and what it keeps.
Begin = Callable[[dict[str, Any]], RunWriter]


def train(options: FitOptions) -> int:
    """Read, assemble, train, save, evaluate, report; return the exit code."""
    settings, source = options.settings(), str(options.source)
    options = replace(options, device=device_of(options.device))
    check_before_reading(options, settings)
    origin: dict[str, Any] = {}
    with working("reading the data", quiet=options.quiet) as work:
        data = read(source, stream=options.stream, progress=work.stage, **options.reading)
        if options.start is not None:
            assembly, data, origin = warm_start(options.start, data, settings, seed=options.seed)
        else:
            count = len(data.train)
            assembly = assemble(
                options.model, data.schema, settings, examples=count, seed=options.seed
            )
    introduce(assembly, data, options, informer(options))
    if options.explain:
        return explain(assembly, data, options)
    out = options.out or free_name(f"runs/{stem_of(source)}-{options.model}")
    options = replace(options, out=Path(current().tell(os.fspath(out))[0]))
    recorded = {"stream": True} if data.stored else {}
    spec = spec_of(
        assembly, data, options.seed, command=command_line(), location=location_of(source),
        begun_from=origin, **recorded,
    )  # fmt: skip
    return to_the_end(
        options, assembly, data, lambda saving: RunWriter(out, spec, force=options.force, **saving)
    )


def go_on(options: FitOptions) -> int:
    """Go on with a run that was interrupted, or is finished and shall be longer."""
    inform, path, settings = informer(options), options.resume or Path(), options.settings()
    if options.device != "auto":
        device_of(options.device)
    if current().first and not options.explain:
        check_free(path)  # told before any data is read
    epochs, minutes = settings.get("epochs"), settings.get("minutes")
    try:
        with working("reading the run and its data", quiet=options.quiet):
            found = resume(
                path,
                epochs=None if epochs is None else int(epochs),
                minutes=None if minutes is None else float(minutes),
            )
    except FinishedError as finished:
        inform(f"nothing to do: {finished}")
        if options.json:
            say_json({"run": os.fspath(path), **RunDirectory(path).read_spec().result})
        return 0
    for note in found.notes:
        warn(note)
    device, done = options.device, 0
    if found.state is not None:
        done = found.state.epochs
        device = str(found.state.values.get("device")) if device == "auto" else device
    options = replace(
        options, seed=found.spec.seed, model=found.spec.recipe, out=path, device=device_of(device)
    )
    assembly = found.assembly
    if options.refit is not None:
        assembly = replace(assembly, refit="auto" if options.refit else "")
    introduce(assembly, found.data, options, inform)
    if options.explain:
        return explain(assembly, found.data, options)
    inform(f"going on with {path} after {done} finished epoch{'s' * (done != 1)}")
    return to_the_end(
        options, assembly, found.data,
        lambda saving: RunWriter.going_on(found, command=command_line(), **saving), found.state,
    )  # fmt: skip


def explain(assembly: Assembly, data: Data, options: FitOptions) -> int:
    """Say how a training would go, and train nothing; return the exit code."""
    sentences, record = explanation(assembly, data, options)
    if options.json:
        say_json(record)
        return 0
    for sentence in sentences:
        say(wrapped(f"- {sentence}"))
    tell("nothing was trained: leave out --explain to train")
    return 0


def to_the_end(
    options: FitOptions, assembly: Assembly, data: Data, begin: Begin, state: State | None = None
) -> int:
    """Train, evaluate, report; return the exit code."""
    inform = informer(options)
    result, code, out = learn(options, assembly, data, begin, state)
    inform(f"stopped: {in_words(result)}")
    if result.best is None:
        tell(f"no epoch was finished yet; go on with: {again(out)}")
        return code or 1
    if code:
        tell(f"the best weights so far are in {out}; go on with: {again(out)}")
        if options.json:
            say_json(summary(options, assembly, data, out, result, None, None))
        return code
    inform(saved(RunDirectory(out)))
    try:
        if assembly.refit:
            result = refitted(options, data, out, result, assembly.refit)
        if current().first:
            with together(ALONE), working("fitting the law of gaps", quiet=options.quiet):
                gaps = fit_gaps(result.model, data, seed=options.seed)
            if gaps is not None:
                write_gaps(RunDirectory(out), gaps)
                inform(gaps.words)
        return conclude(options, assembly, data, out, result)
    except KeyboardInterrupt:
        tell(f"interrupted after training; the run is whole in {out}")
        return 130


def refitted(options: FitOptions, data: Data, out: Path, result: Fit, prior: str) -> Fit:
    """Fit a better prior to the encodings, write it, and put it under the model."""
    group, found = current(), None
    if group.first:
        with together(ALONE), working("fitting a prior", quiet=options.quiet) as progress:
            found = refit_after(result.model, data, prior, seed=options.seed, progress=progress)
        if found is not None:
            write_prior(RunDirectory(out), found)
            informer(options)(found.words)
    (about, *_) = group.tell(json.dumps(None if found is None else [found.prior, found.settings]))
    (tensors, *_) = group.gather({} if found is None else found.tensors)
    if not tensors:
        return result
    name, settings = json.loads(about)
    there = Refit(name, settings, tensors, math.nan, math.nan)
    return replace(result, model=apply(result.model, there))


def check_before_reading(options: FitOptions, settings: dict[str, str]) -> None:
    """Refuse a recipe, a setting or a place that is wrong whatever the data is."""
    recipe = recipe_named(options.model)
    if options.model == "auto":  # the recipe that the data will choose may have settings of its own
        recipe = next((one for one in recipes() if knows(one, settings)), recipe)
    check_values(recipe, check_settings(recipe, settings))
    if not current().first:
        return  # which need not see where the run is written
    if options.out is not None:
        RunDirectory(options.out).check_free(force=options.force)
    else:
        RunDirectory(free_name("runs/data-auto")).check_free()


def learn(
    options: FitOptions, assembly: Assembly, data: Data, begin: Begin, state: State | None
) -> tuple[Fit, int, Path]:
    """Train, and write the run if this process is the first.

    Returns the result, the exit code if a signal ended it, and where the run is.
    """
    screen = TrainingProgress()
    stopper = StopOnSignal(first=screen.close)
    group = current()
    saving = {
        name: getattr(options, name) for name in ("save_every", "save_every_updates", "keep_state")
    }
    group.meet()  # all have read what the writer may now change
    with stopper.listening():
        writer = begin(saving) if group.first else None
        watchers: list[Callback] = [stopper] if writer is None else [writer, stopper]
        if writer is not None and not options.quiet:
            watchers.append(screen)
        try:
            result = fit(
                assembly.model, assembly.objective, data, assembly.training,
                seed=options.seed, device=options.device, callbacks=watchers, resume=state,
            )  # fmt: skip
            if writer is not None and result.best is not None:
                writer.finish(result)
        except (NonFiniteError, OutputError, AtOnce) as error:
            screen.close()
            if writer is not None:
                tell_what_is_left(writer, error)
            raise
        finally:
            screen.close()
            if writer is not None:
                writer.abandon()  # which leaves alone a run that has weights or a state
    code = max(int(other) for other in group.tell(str(stopper.code)))
    return result, code, options.out or Path() if writer is None else writer.directory.path


def tell_what_is_left(writer: RunWriter, error: NonFiniteError | OutputError | AtOnce) -> None:
    """Save and name what there is of a training that an error ended; raise it anew if it fits."""
    run = writer.directory
    if isinstance(error, NonFiniteError):
        kept = getattr(error, "fit", None)
        if kept is not None and kept.best is not None:
            writer.finish(kept)
            raise NonFiniteError(f"{error}; they are in {run.path}") from error
    elif isinstance(error, OutputError):
        if run.state.exists():
            raise OutputError(f"{error}; go on with: {again(run.path)}") from error
    elif run.state.exists():
        tell(f"stopped at once; go on from the last save with: {again(run.path)}")
    elif run.weights_path.exists():
        tell(f"stopped at once; earlier weights are in {run.path}")
    else:
        tell("stopped at once; nothing saved")


def again(out: Path) -> str:
    """Give the command that goes on with a run."""
    return f"lowerbound fit --resume {shlex.quote(os.fspath(out))}"


def conclude(options: FitOptions, assembly: Assembly, data: Data, out: Path, result: Fit) -> int:
    """Evaluate the run as it is on disk, write its report, say where things are."""
    run = load(out, device=options.device) if current().first else None
    model = result.model.to(options.device) if run is None else run.model
    with working("evaluating on the test split", quiet=options.quiet) as progress:
        evaluation = evaluate(model, data, samples=100, progress=progress)
    if run is None:
        return 0
    if not options.json:
        show_evaluation(evaluation, brief=True)
    report, failure = None, None
    if options.report:
        from lowerbound.report import write_report

        try:
            with together(ALONE), working("writing the report", quiet=options.quiet):
                report = write_report(run, data, evaluation)
        except Exception as error:  # the figures are still told, and then this
            failure = error
    if options.json:
        say_json(summary(options, assembly, data, out, result, evaluation, report))
    elif report is not None:
        say(f"report: {report}")
    if failure is not None:
        warn(f"the run is whole in {out}; only its report was not written")
        raise failure
    if not options.json and not options.quiet:
        tell("\nnext:")
        for line in ("doctor {0}", "generate {0}", "evaluate {0} --samples 1000 --quality 500"):
            tell(f"  lowerbound {line.format(shlex.quote(os.fspath(out)))}")
    return 0


def informer(options: FitOptions) -> Callable[[object], None]:
    """Choose where the course of a training is told."""
    if options.quiet or (options.explain and options.json):
        return lambda text: None
    return say if options.explain else tell  # an answer that was asked for stands on stdout


def free_name(wanted: str) -> Path:
    """Add -2, -3, ... to a name that is taken."""
    path, number = Path(wanted), 1
    while os.path.lexists(path):
        number += 1
        path = Path(f"{wanted}-{number}")
    return path


def command_line() -> list[str]:
    """Give the command as it was typed."""
    return ["lowerbound", *(os.fsencode(word).decode("utf-8", "replace") for word in sys.argv[1:])]
