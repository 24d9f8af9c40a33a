"""Taking up a training that was interrupted, or making a finished one longer."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lowerbound.catalogue.assemble import Assembly, assemble
from lowerbound.data import Data
from lowerbound.errors import DataError, RunError, SettingError
from lowerbound.runs.again import read_again
from lowerbound.runs.directory import RunDirectory
from lowerbound.runs.spec import Spec
from lowerbound.training import State, Training

#: How a training ends by itself.
FINISHED = ("epochs", "minutes", "patience")


@dataclass(frozen=True)
class Resumption:
    """Everything that `fit` needs to go on with a run.

    Attributes:
        directory: The run's.
        spec: How it came about.
        assembly: Model, objective and training as they were; but for the length, if a new one was
            asked for.
        data: What it was trained on, read again and found to be the same.
        state: Where it goes on; None if the run was ended before it had one: it then begins again.
        notes: What was noticed about its states, one sentence each.
    """

    directory: RunDirectory
    spec: Spec
    assembly: Assembly
    data: Data
    state: State | None
    notes: tuple[str, ...]


def load_state(path: str | Path) -> State:
    """The newest whole state of a run, for `fit(resume=...)`.

    Args:
        path: The run's directory.

    Raises:
        RunError: There is no such run, it has no state, or every state is damaged.
    """
    directory = RunDirectory(path)
    directory.read_spec()
    return state_of(directory)[0]


def resume(
    path: str | Path,
    *,
    epochs: int | None = None,
    minutes: float | None = None,
    source: Any = None,
) -> Resumption:
    """Everything needed to go on with a run, taken from the run itself.

    Args:
        path: The run's directory.
        epochs: How many epochs it shall have in the end; what its spec says if None. Schedules of
            learning rate and warm-up are then those of that length, from where the run stands.
        minutes: Likewise for a run by the clock: minutes in the end, those already used included.
        source: Where the data is now; where the run says if None.

    Raises:
        RunError: The run or all of its states are damaged, or it has none.
        DataError: The data has changed, or cannot be read.
        SettingError: The run is finished, or the new length is impossible.

    Example:
        >>> resume("runs/none")
        Traceback (most recent call last):
        ...
        lowerbound.errors.RunError: runs/none does not exist; fit one with: ...
    """
    directory = RunDirectory(path)
    spec = directory.read_spec()
    state, notes = None, ()
    if directory.state.exists() or not _untouched(directory, spec):
        state, notes = state_of(directory)
    try:
        settings = {**spec.settings, **spec.training}
        assembly = assemble(spec.recipe, spec.schema, settings, seed=spec.seed)
    except SettingError as error:
        raise RunError(f"{directory.spec_path} cannot be built: {error}"[:400]) from error
    training = _longer(directory, spec, assembly, state, epochs, minutes)
    data = read_again(directory.path, spec, source)
    if data.fingerprint != spec.data.get("fingerprint"):
        raise DataError(
            f"the data of {directory.path} has changed since: training cannot go on with it; begin "
            f"a new one from its weights with: lowerbound fit DATA --from {directory.path}"
        )
    # weights that came from another run keep the measures of its data
    data = replace(data, schema=spec.schema)
    return Resumption(directory, spec, replace(assembly, training=training), data, state, notes)


def state_of(directory: RunDirectory) -> tuple[State, tuple[str, ...]]:
    """The newest whole state of a run, and what was noticed about the others.

    Raises:
        RunError: Every state is damaged.
    """
    tensors, values, notes = directory.state.load()
    state = State(tensors, values)
    try:
        state.history  # noqa: B018  a damaged one is told here
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{directory.state.path} holds no state of a training") from error
    return state, notes


def _untouched(directory: RunDirectory, spec: Spec) -> bool:
    """Whether the run was ended before anything but its spec was written."""
    begun = directory.weights_path.exists() or directory.read_metrics() or spec.result
    return not (begun or spec.begun_from)


def _longer(
    directory: RunDirectory,
    spec: Spec,
    assembly: Assembly,
    state: State | None,
    epochs: int | None,
    minutes: float | None,
) -> Training:
    """The settings with a new length, if one was asked for."""
    path, training = directory.path, assembly.training
    by_clock = training.minutes is not None
    if epochs is not None and by_clock:
        raise SettingError(f"{path} was trained by the clock; give --minutes instead of --epochs")
    if minutes is not None and not by_clock:
        raise SettingError(f"{path} was trained by epochs; give --epochs instead of --minutes")
    done = 0 if state is None else state.epochs
    if epochs is not None and epochs <= done:
        raise SettingError(
            f"{path} has gone through {done} epoch{'s' * (done != 1)} already; give --epochs with "
            "more, or leave it out"
        )
    used = 0.0 if state is None else float(state.values.get("seconds", 0.0)) / 60
    if minutes is not None and minutes <= used:
        raise SettingError(f"{path} has used {used:.3g} minutes already; give --minutes with more")
    longer = replace(
        training,
        epochs=training.epochs if epochs is None else epochs,
        minutes=training.minutes if minutes is None else minutes,
    )
    finished = spec.result.get("stopped") in FINISHED and longer == training
    if finished and _readable(directory, assembly):
        option = f"--minutes above {used:.3g}" if by_clock else f"--epochs above {done}"
        other = "" if by_clock or done >= training.epochs else f" and other than {training.epochs}"
        raise SettingError(f"{path} is finished; to train it longer, give {option}{other}")
    return longer


def _readable(directory: RunDirectory, assembly: Assembly) -> bool:
    """Whether the weights of a run are there and whole; if not, its state may have them."""
    try:
        directory.read_weights(assembly.model.state_dict(keep_vars=True))
    except RunError:
        return False
    return True
