"""Taking up a training that was interrupted, or making a finished one longer."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lowerbound.catalogue.assemble import Assembly, assemble
from lowerbound.data import Data
from lowerbound.errors import DataError, FinishedError, RunError, SettingError
from lowerbound.runs.directory import RunDirectory
from lowerbound.runs.origin import read_again
from lowerbound.runs.spec import Spec
from lowerbound.training import State, Training

#: Reasons for which a training ends by itself.
FINISHED = ("epochs", "minutes", "patience")


@dataclass(frozen=True)
class Resumption:
    """Everything that `fit` needs to go on with a run.

    Attributes:
        directory: The run's.
        spec: Its spec.
        assembly: Model, objective and training as they were; but for the length, if a new one was
            asked for.
        data: The data that it was trained on, read again and found to be the same.
        state: Where it goes on; None if the run was ended before it had one: it then begins again.
        notes: Faults of its states, one sentence each.
    """

    directory: RunDirectory
    spec: Spec
    assembly: Assembly
    data: Data
    state: State | None
    notes: tuple[str, ...]


def load_state(path: str | Path) -> State:
    """Load the newest whole state of a run, for `fit(resume=...)`.

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
    """Collect everything needed to go on with a run from the run itself.

    Args:
        epochs: The epochs it shall have in the end; those of its spec if None. Schedules of
            learning rate and warm-up are then those of that length, from where the run stands.
        minutes: Likewise for a run by the clock: minutes in the end, those already used included.
        source: Where the data is now; where the run says if None.

    Raises:
        RunError: The run or all of its states are damaged, or it has none.
        DataError: The data has changed, or cannot be read.
        FinishedError: The run is finished, and no other length is asked for.
        SettingError: The new length is impossible.
    """
    directory = RunDirectory(path)
    spec = directory.read_spec()
    try:
        settings = {**spec.settings, **spec.training}
        assembly = assemble(spec.recipe, spec.schema, settings, seed=spec.seed)
    except SettingError as error:
        raise RunError(f"{directory.spec_path} cannot be built: {error}"[:400]) from error
    training = _longer(directory.path, assembly.training, epochs, minutes)
    if training == assembly.training:
        _check_unfinished(directory, spec, assembly)
    state, notes = None, ()
    if directory.state.exists() or not _untouched(directory, spec):
        state, notes = state_of(directory)
    if state is not None:
        _check_ahead(directory.path, state, epochs, minutes)
    data = read_again(directory.path, spec, source)
    if data.fingerprint != spec.data.get("fingerprint"):
        raise DataError(
            f"the data of {directory.path} has changed since: training cannot go on with it; begin "
            f"a new one from its weights with: lowerbound fit DATA --from {directory.path}"
        )
    # weights that came from another run keep the measures of its data
    data = replace(data, schema=spec.schema)
    assembly = replace(assembly, training=training, refit=str(spec.refit.get("prior", "")))
    return Resumption(directory, spec, assembly, data, state, notes)


def state_of(directory: RunDirectory) -> tuple[State, tuple[str, ...]]:
    """Load the newest whole state of a run, and a sentence on each damaged one."""
    tensors, values, notes = directory.state.load()
    state = State(tensors, values)
    try:
        state.history  # noqa: B018  a damaged one is told here
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{directory.state.path} holds no state of a training") from error
    return state, notes


def _untouched(directory: RunDirectory, spec: Spec) -> bool:
    """Tell whether the run was ended before anything but its spec was written."""
    begun = directory.weights_path.exists() or directory.read_metrics() or spec.result
    return not (begun or spec.begun_from)


def _longer(path: Path, training: Training, epochs: int | None, minutes: float | None) -> Training:
    """Set the new length of a training, if one was asked for."""
    by_clock = training.minutes is not None
    if epochs is not None and by_clock:
        raise SettingError(f"{path} was trained by the clock; give --minutes instead of --epochs")
    if minutes is not None and not by_clock:
        raise SettingError(f"{path} was trained by epochs; give --epochs instead of --minutes")
    return replace(
        training,
        epochs=training.epochs if epochs is None else epochs,
        minutes=training.minutes if minutes is None else minutes,
    )


def _check_unfinished(directory: RunDirectory, spec: Spec, assembly: Assembly) -> None:
    """Refuse to go on with a run that ended by itself and whose weights are whole."""
    if spec.result.get("stopped") not in FINISHED or not _readable(directory, assembly):
        return
    training, done = assembly.training, len(directory.read_metrics())
    path, remedy = directory.path, f"give --epochs above {done}"
    if training.minutes is not None:
        remedy = f"give --minutes above {training.minutes:.3g}"
    elif done < training.epochs:
        remedy += f" and other than {training.epochs}"
    if not directory.state.exists():
        remedy = f"begin anew from its weights: lowerbound fit DATA --from {path}"
    raise FinishedError(f"{path} is finished; to train it longer, {remedy}")


def _check_ahead(path: Path, state: State, epochs: int | None, minutes: float | None) -> None:
    """Refuse a length that the training has reached already."""
    done = state.epochs
    if epochs is not None and epochs <= done:
        raise SettingError(
            f"{path} has gone through {done} epoch{'s' * (done != 1)} already; give --epochs with "
            "more, or leave it out"
        )
    used = float(state.values.get("seconds", 0.0)) / 60
    if minutes is not None and minutes <= used:
        raise SettingError(f"{path} has used {used:.3g} minutes already; give --minutes with more")


def _readable(directory: RunDirectory, assembly: Assembly) -> bool:
    """Tell whether the weights of a run are there and whole; if not, its state may have them."""
    try:
        directory.read_weights(assembly.model.state_dict(keep_vars=True))
    except RunError:
        return False
    return True
