"""What `lowerbound fit` does, step by step."""

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lowerbound.catalogue import Assembly, assemble, recipe_named
from lowerbound.catalogue.assemble import check_values
from lowerbound.catalogue.settings import check_settings
from lowerbound.cli.common import device_of
from lowerbound.cli.console import say, say_json, tell, warn, working, wrapped
from lowerbound.cli.figures import show_evaluation
from lowerbound.cli.order import Order, explanation, in_words, introduce, summary
from lowerbound.cli.progress import TrainingProgress
from lowerbound.cli.signals import AtOnce, StopOnSignal
from lowerbound.cli.sources import absolute, stem_of
from lowerbound.data import Data, read
from lowerbound.errors import NonFiniteError, OutputError
from lowerbound.evaluation import Evaluation, evaluate
from lowerbound.processes import ALONE, current, together
from lowerbound.runs import Run, RunDirectory, RunWriter, load, resume, warm_start
from lowerbound.runs.load import spec_of
from lowerbound.runs.lock import check_free
from lowerbound.training import Callback, Fit, State, fit


def train(order: Order) -> int:
    """Read, assemble, train, save, evaluate, report; the exit code."""
    inform = _silent if order.quiet or (order.explain and order.json) else tell
    if order.explain and inform is tell:
        inform = say  # it is what was asked for
    check_before_reading(order)
    origin: dict[str, Any] = {}
    with working("reading the data", quiet=order.quiet) as work:
        data = read(order.source, stream=order.stream, progress=work.stage, **order.reading)
        if order.start is not None:
            assembly, data, origin = warm_start(order.start, data, order.settings, seed=order.seed)
        else:
            assembly = assemble(
                order.model, data.schema, order.settings, examples=len(data.train), seed=order.seed
            )
    introduce(assembly, data, order, inform)
    if order.explain:
        sentences, record = explanation(assembly, data, order)
        if order.json:
            say_json(record)
        else:
            for sentence in sentences:
                say(wrapped(f"- {sentence}"))
            tell("nothing was trained: leave out --explain to train")
        return 0
    out = order.out or free_name(f"runs/{stem_of(order.source)}-{order.model}")
    order = replace(order, out=Path(current().tell(os.fspath(out))[0]))
    options = {"stream": True} if data.stored else {}
    where = absolute(order.source)
    spec = spec_of(
        assembly, data, order.seed, command=command_line(), location=where, begun_from=origin,
        **options,
    )  # fmt: skip

    def begin() -> RunWriter:
        return RunWriter(
            out,
            spec,
            force=order.force,
            save_every=order.save_every,
            save_every_updates=order.save_every_updates,
        )

    return to_the_end(order, assembly, data, begin)


def go_on(order: Order) -> int:
    """The same with a run that was interrupted, or is finished and shall be longer."""
    inform = _silent if order.quiet else tell
    path = order.resume or Path()
    epochs, minutes = order.settings.get("epochs"), order.settings.get("minutes")
    if current().first:
        check_free(path)  # told before any data is read
    with working("reading the run and its data", quiet=order.quiet):
        found = resume(
            path,
            epochs=None if epochs is None else int(epochs),
            minutes=None if minutes is None else float(minutes),
        )
    for note in found.notes:
        warn(note)
    there = "auto" if found.state is None else str(found.state.values.get("device"))
    order = replace(
        order, seed=found.spec.seed, model=found.spec.recipe, out=path,
        device=order.device or device_of(there),
    )  # fmt: skip
    introduce(found.assembly, found.data, order, inform)
    done = 0 if found.state is None else found.state.epochs
    inform(f"going on with {path} after {done} finished epoch{'s' * (done != 1)}")

    def begin() -> RunWriter:
        return RunWriter.going_on(
            found,
            save_every=order.save_every,
            save_every_updates=order.save_every_updates,
            command=command_line(),
        )

    return to_the_end(order, found.assembly, found.data, begin, found.state)


def to_the_end(
    order: Order,
    assembly: Assembly,
    data: Data,
    begin: Callable[[], RunWriter],
    state: State | None = None,
) -> int:
    """Train, evaluate, report; the exit code."""
    inform = _silent if order.quiet else tell
    result, code, out = learn(order, assembly, data, begin, state)
    inform(f"stopped: {in_words(result)}")
    if result.best is None:
        tell(f"no epoch was finished yet; go on with: {again(out)}")
        return code or 1
    if code:
        tell(f"the best weights so far are in {out}; go on with: {again(out)}")
        if order.json:
            say_json(summary(order, assembly, data, out, result, None, None))
        return code
    inform(f"saved in {out}")
    try:
        return conclude(order, assembly, data, out, result)
    except KeyboardInterrupt:
        tell(f"interrupted after training; the run is whole in {out}")
        return 130


def check_before_reading(order: Order) -> None:
    """Refuse what is wrong whatever the data is.

    Raises:
        SettingError: A recipe, a setting or a value that cannot be.
        OutputError: The run cannot be written there.
    """
    recipe = recipe_named(order.model)
    check_values(recipe, check_settings(recipe, order.settings))
    if not current().first:
        return  # which need not see where the run is written
    if order.out is not None:
        RunDirectory(order.out).check_free(force=order.force)
    else:
        RunDirectory(free_name("runs/data-auto")).check_free()


class NoWriter(Callback):
    """What stands in for a `RunWriter` in a process that does not write.

    Args:
        path: Where another process writes.
    """

    def __init__(self, path: Path) -> None:
        self.directory = RunDirectory(path)

    def finish(self, fit: Fit) -> None:
        """Nothing."""

    def abandon(self) -> None:
        """Nothing."""


def learn(
    order: Order,
    assembly: Assembly,
    data: Data,
    begin: Callable[[], RunWriter],
    state: State | None,
) -> tuple[Fit, int, Path]:
    """Train while writing the run.

    Returns:
        The result; the exit code if a signal ended it; and where the run is.
    """
    screen = TrainingProgress()
    stopper = StopOnSignal(first=screen.close)
    group = current()
    group.meet()  # all have read what the writer may now change
    with stopper.listening():
        writer = begin() if group.first else NoWriter(order.out or Path())
        show = group.first and not order.quiet
        watchers: Sequence[Callback] = [writer, stopper, *([screen] if show else [])]
        try:
            result = fit(
                assembly.model,
                assembly.objective,
                data,
                assembly.training,
                seed=order.seed,
                device=order.device,
                callbacks=watchers,
                resume=state,
            )
            if result.best is not None:
                writer.finish(result)
        except NonFiniteError as error:
            screen.close()
            kept = getattr(error, "fit", None)
            if kept is None or kept.best is None:
                raise
            writer.finish(kept)
            raise NonFiniteError(f"{error}; they are in {writer.directory.path}") from error
        except OutputError as error:
            screen.close()
            if not writer.directory.state.exists():
                raise
            raise OutputError(f"{error}; go on with: {again(writer.directory.path)}") from error
        except AtOnce:
            screen.close()
            where = writer.directory
            if where.state.exists():
                tell(f"stopped at once; go on from the last save with: {again(where.path)}")
            elif where.weights_path.exists():
                tell(f"stopped at once; earlier weights are in {where.path}")
            else:
                tell("stopped at once; nothing saved")
            raise
        finally:
            screen.close()
            writer.abandon()  # which leaves alone a run that has weights or a state
    code = max(int(other) for other in group.tell(str(stopper.code)))
    return result, code, writer.directory.path


def again(out: Path) -> str:
    """The command that goes on with a run."""
    return f"lowerbound fit --resume {shlex.quote(os.fspath(out))}"


def conclude(order: Order, assembly: Assembly, data: Data, out: Path, result: Fit) -> int:
    """Evaluate the run as it is on disk, write its report, say where things are; the exit code."""
    first = current().first
    run = load(out, device=order.device) if first else None
    model = result.model.to(order.device) if run is None else run.model
    with working("evaluating on the test split", quiet=order.quiet) as progress:
        evaluation = evaluate(model, data, samples=100, progress=progress)
    if run is None:
        return 0
    if not order.json:
        show_evaluation(evaluation, brief=True)
    report, failure = None, None
    if order.report:
        try:
            with together(ALONE):
                report = _report(run, data, evaluation, order.quiet)
        except Exception as error:  # the figures are still told, and then this
            failure = error
    if order.json:
        say_json(summary(order, assembly, data, out, result, evaluation, report))
    elif report is not None:
        say(f"report: {report}")
    if failure is not None:
        warn(f"the run is whole in {out}; only its report was not written")
        raise failure
    if not order.json and not order.quiet:
        tell("\nnext:")
        for line in ("doctor {0}", "generate {0}", "evaluate {0} --samples 1000 --quality 500"):
            tell(f"  lowerbound {line.format(shlex.quote(os.fspath(out)))}")
    return 0


def _report(run: Run, data: Data, evaluation: Evaluation, quiet: bool) -> Path:
    from lowerbound.report import write_report

    with working("writing the report", quiet=quiet):
        return write_report(run, data, evaluation)


def free_name(wanted: str) -> Path:
    """The name itself or, where it is taken, the same with -2, -3, ..."""
    path, number = Path(wanted), 1
    while os.path.lexists(path):
        number += 1
        path = Path(f"{wanted}-{number}")
    return path


def command_line() -> list[str]:
    """The command as it was typed."""
    return ["lowerbound", *(os.fsencode(word).decode("utf-8", "replace") for word in sys.argv[1:])]


def _silent(text: object) -> None:
    """Say nothing."""
