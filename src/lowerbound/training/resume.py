"""Let a training that has not begun go on from a state."""

from lowerbound.errors import RunError, SettingError
from lowerbound.training.state import State
from lowerbound.training.trainer import Trainer

#: Settings that may be others when a training goes on: they say how long it is.
LENGTHS = ("epochs", "minutes")


def go_on(trainer: Trainer, state: State) -> None:
    """Put a state into a training that has not begun.

    Raises:
        SettingError: Training, data or device are others than those of the state.
        RunError: It is no such state, or one of another model.
    """
    try:
        _check(trainer, state)
        trainer.restore(state)
        now, then = trainer.training.to_json(), state.values["training"]
        if any(now[name] != then[name] for name in LENGTHS):  # a longer one gets new patience
            trainer.progress.patient_since = state.epochs
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
        if isinstance(error, SettingError | RunError):
            raise
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
