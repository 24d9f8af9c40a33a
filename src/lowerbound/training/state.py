"""All that exact resume needs: what is taken from a training, and how another goes on from it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lowerbound.errors import RunError, SettingError
from lowerbound.seeding import random_state, set_random_state
from lowerbound.training.execution import Execution
from lowerbound.training.flat import rearranged, rearranged_entries
from lowerbound.training.guard import Guard
from lowerbound.training.history import Epoch
from lowerbound.training.place import Place
from lowerbound.training.sharded import copied, in_pieces, like

if TYPE_CHECKING:
    from lowerbound.training.settings import Training
    from lowerbound.training.trainer import Trainer

#: Settings that may be others when a training goes on: they say how long it is.
LENGTHS = ("epochs", "minutes")
#: And one that says how it is executed.
FREE = (*LENGTHS, "shard")


@dataclass(frozen=True)
class State:
    """A training at one moment, between two updates.

    Attributes:
        tensors: Weights, optimiser, averages, best weights, random state and sums, on the CPU.
        values: Everything else, as plain JSON values.
    """

    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any]

    @property
    def epochs(self) -> int:
        """How many epochs were finished."""
        return len(self.values["history"])

    @property
    def history(self) -> tuple[Epoch, ...]:
        """One record for each of them."""
        return tuple(Epoch.from_json(record) for record in self.values["history"])

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors whose names begin with `name` and a dot, under the rest of their names."""
        start = f"{name}."
        return {
            key.removeprefix(start): tensor
            for key, tensor in self.tensors.items()
            if key.startswith(start)
        }


def moving(trainer: "Trainer") -> dict[str, Tensor]:
    """A copy of what every update changes: weights, optimiser, averages and their count."""
    parts: dict[str, Any] = {"model": trainer.model.state_dict()}
    optimiser = trainer.stepper.optimizer.state_dict()["state"]
    parts |= {f"optimizer.{index}": entry for index, entry in optimiser.items()}
    parts["average"] = trainer.stepper.average.state()
    found = {
        f"{part}.{name}": copied(value, "cpu")
        for part, values in parts.items()
        for name, value in values.items()
    }
    return {**found, "updates": torch.tensor(trainer.stepper.updates)}


def move(trainer: "Trainer", tensors: Mapping[str, Tensor]) -> None:
    """Put back what `moving` took."""
    # a file gives its tensors in any order; where a model is in pieces, all deal out the same one
    state = State(dict(sorted(tensors.items())), {})
    present = trainer.model.state_dict()
    trainer.model.load_state_dict(
        {name: like(value, present.get(name, value)) for name, value in state.part("model").items()}
    )
    stepper = trainer.stepper
    entries: dict[int, dict[str, Tensor]] = {}
    for name, value in state.part("optimizer").items():
        place, _, key = name.partition(".")
        entries.setdefault(int(place), {})[key] = value
    entries = rearranged_entries(entries, stepper.parameters, flat=stepper.flat is not None)
    kept = {
        place: {key: _kept(value, stepper.trained[place]) for key, value in entry.items()}
        for place, entry in entries.items()
    }
    groups = stepper.optimizer.state_dict()["param_groups"]
    stepper.optimizer.load_state_dict({"state": kept, "param_groups": groups})
    means = {int(place): mean for place, mean in state.part("average.mean").items()}
    means = rearranged(means, stepper.parameters, flat=stepper.flat is not None)
    named = {f"mean.{place}": mean for place, mean in means.items()}
    stepper.average.restore({"updates": tensors["average.updates"], **named})
    stepper.updates = int(tensors["updates"])


def _kept(value: Tensor, parameter: Tensor) -> Tensor:
    """A copy for the optimiser to keep, laid out as the parameter is: its kernel reads in order."""
    if value.ndim == 0:
        return value.clone()
    if in_pieces(parameter):
        return like(value.clone(), parameter)
    if value.shape != parameter.shape:
        raise ValueError(f"{tuple(value.shape)} for a parameter of {tuple(parameter.shape)}")
    return torch.empty_like(parameter, dtype=value.dtype, device=value.device).copy_(value)


def capture(trainer: "Trainer") -> State:
    """The state of a training between two updates; taking it changes no number."""
    tensors = moving(trainer)
    tensors |= _named("best", trainer.best_weights)
    tensors |= _named("random", random_state(trainer.device))
    if trainer.place is not None:
        tensors |= _named("order", trainer.place.order)
        tensors["sums"] = trainer.place.sums.to("cpu", copy=True)
        tensors |= _named("good", trainer.good)
    values = {
        "seed": trainer.seed,
        "device": trainer.device.type,
        "training": settings(trainer.training),
        "data": trainer.identity,
        "validation_seed": trainer.validation_seed,
        "history": [epoch.to_json() for epoch in trainer.history],
        "best": None if trainer.best is None else trainer.best.epoch,
        "learning_rate": trainer.stepper.optimizer.param_groups[0]["lr"],
        "seconds": trainer.seconds(),
        "patient_since": trainer.patient_since,
        "guard": trainer.guard.to_json(),
        "execution": trainer.execution.to_json(),
        "place": None if trainer.place is None else trainer.place.to_json(),
    }
    return State(tensors, values)


def restore(trainer: "Trainer", state: State) -> None:
    """Let a training that has not begun go on from a state.

    Raises:
        SettingError: Training, data or device are others than those of the state.
        RunError: It is no such state, or one of another model.
    """
    try:
        _check(trainer, state)
        _restore(trainer, state)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
        if isinstance(error, SettingError | RunError):
            raise
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise RunError(f"this state is of another model, or damaged: {first}; fit again") from error


def execution_of(state: State) -> Execution:
    """How the training was executed that a state is of.

    Raises:
        RunError: It is no such state.
    """
    try:
        return Execution.from_json(state.values["execution"])
    except (KeyError, TypeError) as error:
        raise RunError(f"this state is damaged: {error}; fit again") from error


def settings(training: "Training") -> dict[str, Any]:
    """The settings of a training as JSON values."""
    values = {entry.name: getattr(training, entry.name) for entry in fields(training)}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}


def _check(trainer: "Trainer", state: State) -> None:
    values = state.values
    now, then = settings(trainer.training), values["training"]
    for name, value in now.items():
        if name not in FREE and then.get(name, value) != value:
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


def _restore(trainer: "Trainer", state: State) -> None:
    values = state.values
    move(trainer, state.tensors)
    best = state.part("best")
    if set(best) != set(trainer.best_weights):
        raise ValueError("the best weights have other names")
    for name, tensor in trainer.best_weights.items():
        tensor.copy_(best[name])
    trainer.history = list(state.history)
    trainer.best = None if values["best"] is None else trainer.history[values["best"] - 1]
    trainer.validation_seed = int(values["validation_seed"])
    trainer.started -= float(values["seconds"])
    trainer.patient_since = int(values["patient_since"])
    if any(settings(trainer.training)[name] != values["training"][name] for name in LENGTHS):
        trainer.patient_since = len(trainer.history)  # a longer training gets new patience
    trainer.guard = trainer.stepper.guard = Guard.from_json(values["guard"])
    for group in trainer.stepper.optimizer.param_groups:
        group["lr"] = float(values["learning_rate"])
    trainer.place, trainer.good = None, moving(trainer)
    if values["place"] is not None:
        sums = state.tensors["sums"].to(trainer.device, copy=True)
        trainer.place = Place(state.part("order"), sums, **values["place"])
        trainer.good = state.part("good")
    set_random_state(state.part("random"), trainer.device)


def _named(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        f"{part}.{name}": tensor.to("cpu", copy=True).contiguous()
        for name, tensor in tensors.items()
    }
