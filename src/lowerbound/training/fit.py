"""The one place where a bound becomes a loss."""

from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np
import torch
from torch import Tensor

from lowerbound.core import Model, device_of
from lowerbound.data import Data, read
from lowerbound.errors import NonFiniteError, RunError, SettingError, StopTraining
from lowerbound.objectives import Objective
from lowerbound.processes import default
from lowerbound.seeding import fresh_seed, seeded
from lowerbound.training.callbacks import Callback
from lowerbound.training.execution import Execution
from lowerbound.training.forward import executed
from lowerbound.training.guard import UnstableError
from lowerbound.training.history import Fit
from lowerbound.training.settings import Training
from lowerbound.training.state import State
from lowerbound.training.team import Team, checksum
from lowerbound.training.trainer import Trainer

#: Settings that may be others when a training goes on: they say how long it is.
LENGTHS = ("epochs", "minutes")


def explain(
    model: Model,
    objective: Objective,
    data: Data,
    training: Training | None = None,
    *,
    device: torch.device | str | None = None,
) -> Execution:
    """Tell how `fit` would execute a training on this machine, and why; nothing is trained.

    Args:
        model: As for `fit`, like the others; moved to the device.

    Raises:
        DataError: There are no examples.
        SettingError: The model has nothing to train.
    """
    where = device_of(model) if device is None else torch.device(device)
    with seeded(0, where) as seed:
        trainer = Trainer(model.to(where), objective, data, training or Training(), where, seed)
        trainer.stepper.release()
        return trainer.execution


def fit(
    model: Model,
    objective: Objective,
    data: Data | Tensor | np.ndarray,
    training: Training | None = None,
    *,
    seed: int | None = None,
    device: torch.device | str | None = None,
    callbacks: Sequence[Callback] = (),
    resume: State | None = None,
) -> Fit:
    """Train a model by stochastic gradient ascent on an objective.

    The loss of one update is minus the mean of the bound over the batch. After every epoch the
    averaged weights are judged by the objective's criterion on the validation split, under the
    same noise each time; the best are what the model holds at the end. The test split is not read.

    A batch whose bound or gradient is not finite is skipped and counted. After several in a row
    training goes back to the end of the last epoch and on from there at half the learning rate.

    Args:
        model: Anything with a `trace`; trained in place.
        data: A `Data`, or an array `(N, *event)`, which is then read and split as `read` does.
        training: Settings; the defaults if None.
        seed: Of shuffling and noise; None for a fresh one, told in the result. The caller's
            random state is left as it was.
        device: Where to train; None for where the model is.
        callbacks: Watch the training, and may end it.
        resume: Go on from this state of an earlier training, as `Callback.on_state` or
            `runs.load_state` give it, to the very weights that training would have had.
            Model, objective, data and settings must be the same; only `epochs` or `minutes` may be
            others, and then the schedules are those of the new length from here on.

    Returns:
        The trained model, its history, and why training ended.

    Raises:
        KeyboardInterrupt: Ctrl-C, raised when training has ended in good order: the model holds
            the best weights so far, and the interrupt's `fit` is what would have been returned.
        NonFiniteError: Bounds or gradients stopped being numbers, also after some roll-backs; the
            message names step and term. The model holds the last good weights, and the error's
            `fit` what there is.
        SettingError: `resume` is a state of other settings, data, seed or kind of device.
        RunError: `resume` is a state of another model, or damaged.
        SupportError: The data has values that the likelihood gives no probability to.
        ShapeError: The model was built for another shape.

    Example:
        >>> import lowerbound as lb
        >>> data = lb.read(torch.randn(64, 3, generator=torch.Generator().manual_seed(0)))
        >>> model, objective = lb.catalogue.build("vae", data.schema, latents=2)
        >>> lb.fit(model, objective, data, lb.Training(epochs=2), seed=0).stopped
        'epochs'
    """
    training = training or Training()
    if not isinstance(data, Data):
        data = read(data)
    for part in (data.train, data.validation):
        known = part.extremes()
        model.check(known.x, known.observed)
    team = Team(default())
    if device is None:
        device = device_of(model)
    if resume is not None:
        kept = resume.values.get("seed")
        if seed is not None and seed != kept:
            raise SettingError(f"a training goes on under its own seed {kept!r}; leave seed out")
        seed = kept
    if team.many:
        first = team.group.tell(str(fresh_seed() if seed is None else seed))[0]
        seed = int(first) if seed is None else seed
        state = None if resume is None else checksum(resume.tensors)
        team.agree({"the state that training goes on from": state})
    execution = None if resume is None else resume.execution
    with seeded(seed, device) as seed:
        where = torch.device(device)
        trainer = Trainer(model.to(where), objective, data, training, where, seed, execution, team)
        if resume is not None:
            _go_on(trainer, resume)
        return run(trainer, callbacks)


def run(trainer: Trainer, callbacks: Sequence[Callback]) -> Fit:
    """Train to the end, and put the weights to keep into the model; see `fit`."""
    interrupt: KeyboardInterrupt | None = None
    was_training = trainer.model.training
    try:
        with trainer.team.interruptible():
            trainer.model.train()
            trainer.team.clock(trainer.seconds())
            try:
                for callback in callbacks:
                    callback.on_execution(trainer.execution)
                for callback in callbacks:
                    callback.on_start(trainer.epochs, trainer.per_epoch)
                stopped = _through_epochs(trainer, callbacks)
            except StopTraining as stop:
                stopped = str(stop)
            except KeyboardInterrupt as error:
                stopped, interrupt = "interrupted", error
            finally:
                trainer.model.train(was_training)
            if trainer.whole:
                trainer.offer(callbacks, last=True)
            result = trainer.result(stopped)
            for callback in callbacks:
                callback.on_end(stopped)
    except NonFiniteError as error:
        error.fit = trainer.result("non-finite")  # type: ignore[attr-defined]
        raise
    finally:
        trainer.stepper.release()
    if interrupt is not None:
        interrupt.fit = result  # type: ignore[attr-defined]
        raise interrupt
    return result


def _through_epochs(trainer: Trainer, callbacks: Sequence[Callback]) -> str:
    """Go through epochs until training is over; say why it is."""
    with ExitStack() as stack:
        executing = None
        while not (stopped := trainer.over()):
            if trainer.chosen != executing:
                stack.close()
                executing = trainer.chosen
                stack.enter_context(executed(trainer.model, executing, trainer.device))
            try:
                trainer.epoch(callbacks)
            except UnstableError as error:
                trainer.roll_back(error)
        return stopped


def _go_on(trainer: Trainer, state: State) -> None:
    """Put a state into a training that has not begun, if it is one of this training."""
    try:
        _check(trainer, state)
        trainer.restore(state)
        now, then = trainer.training.to_json(), state.values["training"]
        if any(now[name] != then[name] for name in LENGTHS):  # a longer one gets new patience
            trainer.progress.patient_since = state.epochs
    except (SettingError, RunError):
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise RunError(f"this state is of another model, or damaged: {first}; fit again") from error


def _check(trainer: Trainer, state: State) -> None:
    values = state.values
    now, then = trainer.training.to_json(), values["training"]
    for name, value in now.items():
        if name not in LENGTHS and then.get(name, value) != value:
            raise SettingError(
                f"{name} is {value!r}, and the state was made with {then[name]!r}; resume with that"
            )
    if (now["minutes"] is None) != (then["minutes"] is None):
        raise SettingError("a training by epochs cannot go on by the clock, nor the other way")
    if values["data"] != trainer.identity:
        raise SettingError(
            "the data is not what the state was made with; give that, or begin a new training"
        )
    if values["device"] != trainer.device.type:
        raise SettingError(
            f"the state was made on {values['device']!r}, and random numbers differ on "
            f"{trainer.device.type!r}; resume on {values['device']!r}"
        )
