"""A training to its end: of itself, asked for, interrupted, or because numbers are lost."""

from collections.abc import Sequence
from contextlib import ExitStack

from lowerbound.errors import NonFiniteError, StopTraining
from lowerbound.training.callbacks import Callback
from lowerbound.training.forward import executed
from lowerbound.training.guard import UnstableError
from lowerbound.training.history import Fit
from lowerbound.training.trainer import Trainer


def run(trainer: Trainer, callbacks: Sequence[Callback]) -> Fit:
    """Train to the end, and put the weights to keep into the model.

    Raises:
        NonFiniteError: See `fit`; likewise `KeyboardInterrupt`.
    """
    try:
        with trainer.team.interruptible():
            return _to_the_end(trainer, callbacks)
    except NonFiniteError as error:
        error.fit = trainer.result("non-finite")  # type: ignore[attr-defined]
        raise
    finally:
        trainer.stepper.release()


def _to_the_end(trainer: Trainer, callbacks: Sequence[Callback]) -> Fit:
    interrupt: KeyboardInterrupt | None = None
    was_training = trainer.model.training
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
