"""One training: updates, epochs, the way back when numbers are lost, and the end."""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lowerbound.core import Model
from lowerbound.data import Data
from lowerbound.errors import DataError, NonFiniteError
from lowerbound.objectives import Objective
from lowerbound.seeding import random_state, seeded
from lowerbound.training.callbacks import Callback, Step, StopTraining
from lowerbound.training.execution import Execution, choose, for_team
from lowerbound.training.forward import executed
from lowerbound.training.guard import Guard, UnstableError
from lowerbound.training.history import Epoch, Fit, Terms
from lowerbound.training.place import Place
from lowerbound.training.settings import Training
from lowerbound.training.sharded import copied, sharded
from lowerbound.training.state import State, capture, move, moving, settings
from lowerbound.training.step import Stepper
from lowerbound.training.team import Team, checksum, shapes, surroundings

#: Draws of z in one batch of validation: examples times samples.
VALIDATION_BATCH = 500


class Trainer:
    """One training, from its beginning or from a `State` put into it.

    Args:
        model: On `device` already; trained in place.
        objective: What is maximised.
        data: Training and validation examples.
        training: Settings.
        device: Where to train.
        seed: What the random state was seeded with.
        execution: How updates are executed; chosen if None.
        team: The processes that train it together; one if None.

    Raises:
        DataError: There are no examples.
        ProcessError: The processes differ in what they were given.
        SettingError: The model has nothing to train, or a setting is not possible here.
    """

    def __init__(
        self,
        model: Model,
        objective: Objective,
        data: Data,
        training: Training,
        device: torch.device,
        seed: int,
        execution: Execution | None = None,
        team: Team | None = None,
    ) -> None:
        self.team = team or Team()
        if len(data.train) == 0 or len(data.validation) == 0:
            raise DataError("training needs at least one training and one validation example")
        self.model, self.objective, self.training, self.seed = model, objective, training, seed
        self.device = device
        self.train, self.validation = data.train.to(device), data.validation.to(device)
        self.validation_seed = int(torch.randint(2**31, ()))
        self.per_epoch = math.ceil(len(self.train) / training.batch_size)
        self.identity = [data.fingerprint, len(data.train), len(data.validation)]
        self.team.agree(self.facts())
        self.team.group.copy_from_first(list(model.state_dict().values()))
        if execution is None and training.shard and self.team.many:
            precision = "float32" if training.precision == "auto" else training.precision
            execution = Execution(precision=precision, checkpoint=training.checkpoint)
        elif execution is None:
            some = self.train.batch(slice(0, training.batch_size))
            updates = training.epochs * self.per_epoch
            execution = choose(model, objective, training, device, updates, some)
        self.execution = execution = for_team(execution, training, self.team)
        self.guard = Guard()
        self.result_model, self.inside = model, None
        if training.shard and self.team.many:
            self.inside = sharded(model, self.team, device)
            self.model = self.inside.model
        self.stepper = Stepper(
            self.model, objective, training, execution, self.guard, self.team, self.inside
        )
        self.history: list[Epoch] = []
        self.best: Epoch | None = None
        self.best_weights = self.weights()
        self.started = time.perf_counter()
        self.patient_since = 0
        self.place: Place | None = None
        self.good = moving(self)
        self.whole = True  # False in the middle of an update or a validation

    def run(self, callbacks: Sequence[Callback]) -> Fit:
        """Train to the end, whichever comes first; see `fit`."""
        try:
            with self.team.interruptible():
                return self._run(callbacks)
        finally:
            self.stepper.release()

    def _run(self, callbacks: Sequence[Callback]) -> Fit:
        was_training = self.model.training
        self.model.train()
        self.team.clock(self.seconds())
        try:
            for callback in callbacks:
                callback.on_execution(self.execution)
            for callback in callbacks:
                limit = self.training.epochs if self.training.minutes is None else None
                callback.on_start(limit, self.per_epoch)
            with executed(self.model, self.execution, self.device):
                while not (stopped := self.over()):
                    try:
                        self.epoch(callbacks)
                    except UnstableError as error:
                        self.roll_back(error)
        except StopTraining as stop:
            stopped = str(stop)
        except KeyboardInterrupt:
            stopped = "interrupted"
        except NonFiniteError as error:
            error.fit = self.result("non-finite")  # type: ignore[attr-defined]
            raise
        finally:
            self.model.train(was_training)
        if self.whole:
            self.offer(callbacks, last=True)
        result = self.result(stopped)
        for callback in callbacks:
            callback.on_end(stopped)
        return result

    def over(self) -> str:
        """Why training is over, between two epochs; empty while it is not."""
        if self.place is not None:
            return ""
        if self.out_of_patience():
            return "patience"
        if self.finished():
            return "epochs" if self.training.minutes is None else "minutes"
        return ""

    def offer(self, callbacks: Sequence[Callback], *, last: bool = False) -> None:
        """Let callbacks take the state."""
        take = self.state
        if self.inside is not None:  # where it is put together by all processes or by none
            if not (last or self.place is None or self.team.wanted):
                self.team.wants = any(callback.wants_state() for callback in callbacks)
                return
            state, self.team.wants = self.state(), False
            take = lambda: state  # noqa: E731
        for callback in callbacks:
            callback.on_state(take, last)

    def state(self) -> State:
        """See `capture`."""
        self.stepper.settle()
        return capture(self)

    def roll_back(self, error: UnstableError) -> None:
        """Go back to the end of the last epoch; the random numbers are new ones."""
        too_often = self.guard.roll_back(sum(epoch.rollbacks for epoch in self.history))
        move(self, self.good)
        self.place, self.whole = None, True
        if too_often:
            raise NonFiniteError(
                f"{error}. Going back and on at a smaller learning rate did not help. Try a "
                "smaller learning_rate, a smaller clip, or look for extreme values; the best "
                "weights so far stand, if an epoch was finished"
            ) from error

    def result(self, stopped: str) -> Fit:
        """Put the weights to keep into the model."""
        if self.best is None:
            present = self.weights()
            if all(bool(torch.isfinite(t).all()) for t in present.values()):
                self.best_weights = present  # otherwise those it began with
        self.result_model.load_state_dict(self.best_weights)
        return Fit(
            model=self.result_model,
            history=tuple(self.history),
            best=self.best,
            stopped=stopped,
            seed=self.seed,
            seconds=self.seconds(),
            skipped=self.guard.skipped + sum(epoch.skipped for epoch in self.history),
            rollbacks=self.guard.rollbacks + sum(epoch.rollbacks for epoch in self.history),
            execution=self.stepper.executed,
        )

    def seconds(self) -> float:
        """Wall-clock time spent on this training, in this process and earlier ones."""
        return time.perf_counter() - self.started

    def weights(self) -> dict[str, Tensor]:
        """A copy of the averaged weights."""
        with self.stepper.average.applied():
            return {name: copied(tensor) for name, tensor in self.model.state_dict().items()}

    def fraction(self) -> float:
        """How much of the training is done, by updates or by the clock."""
        if self.training.minutes is None:
            return self.stepper.updates / (self.training.epochs * self.per_epoch)
        seconds = self.team.seconds if self.team.many else self.seconds()
        return min(seconds / (60 * self.training.minutes), 1.0)

    def finished(self) -> bool:
        """Whether all updates are made, or the time is up."""
        return self.fraction() >= 1.0

    def out_of_patience(self) -> bool:
        """Whether the held-out bound has not got better for too long."""
        if self.training.patience is None or self.best is None:
            return False
        since = max(self.best.epoch, self.patient_since)
        return len(self.history) - since >= self.training.patience

    def epoch(self, callbacks: Sequence[Callback]) -> None:
        """Go through the examples once, or through the rest of them, and validate."""
        number = self.stepper.epoch = len(self.history) + 1
        place = self.place = self.place or Place.at_start(self.device)
        began = time.perf_counter() - place.seconds
        with closing(place.batches(self.train, self.training.batch_size)) as batches:
            for batch in batches:
                self.whole = False
                with self.team.share(len(batch), self.objective.samples) as share:
                    mine = batch if not self.team.many else batch.rows(share.rows)
                    place.sums += self.stepper(mine, self.fraction(), share, self.seconds())
                place.index += 1
                if self.stepper.due():
                    self.stepper.settle()
                place.seconds = time.perf_counter() - began
                self.whole = True
                gone = min(place.index * self.training.batch_size, len(self.train))
                step = Step(number, place.index, self.per_epoch, gone, self.fraction(), place.sums)
                for callback in callbacks:
                    self.team.listen(partial(callback.on_step, step))
                self.offer(callbacks)
                self.team.stop_if_asked()
                if self.training.minutes is not None and self.finished():
                    break
        self.whole = False
        self.stepper.settle()
        *sums, count = place.sums.tolist()
        if not count:
            raise UnstableError(self.guard.first)
        bound, distortion, rate = (total / count for total in sums)
        self.team.group.copy_from_first(list(self.model.buffers()))
        held_out = self.validate()
        better = self.best is None or held_out.bound > self.best.held_out.bound
        better = better or self.training.keep == "last"
        epoch = Epoch(
            epoch=number,
            updates=self.stepper.updates,
            seconds=self.seconds(),
            examples_per_second=count / max(place.seconds, 1e-9),
            learning_rate=self.stepper.learning_rate,
            train=Terms(bound, -(distortion + rate), distortion, rate),
            held_out=held_out,
            best=better,
            skipped=self.guard.skipped,
            rollbacks=self.guard.rollbacks,
        )
        self.history.append(epoch)
        self.guard.skipped = self.guard.rollbacks = 0
        if better:
            self.best, self.best_weights = epoch, self.weights()
        self.place, self.good, self.whole = None, moving(self), True
        self.team.agree(self.drift())
        for callback in callbacks:
            self.team.listen(partial(callback.on_epoch, epoch, self.snapshot))
        self.offer(callbacks)

    def facts(self) -> dict[str, Any]:
        """What must be the same in all processes when training begins."""
        if not self.team.many:
            return {}
        return {
            **surroundings(),
            "the settings of the training": settings(self.training),
            "the objective": repr(self.objective),
            "the seed": self.seed,
            "the kind of device": self.device.type,
            "the data": self.identity,
            "the tensors of the model": shapes(self.model.state_dict()),
        }

    def drift(self) -> dict[str, Any]:
        """What must have stayed the same in all processes during an epoch."""
        if not self.team.many:
            return {}
        found = {"random numbers": checksum(random_state(self.device))}
        if self.inside is None:
            present = {str(i): p for i, p in enumerate(self.stepper.parameters)}
            found["weights after an epoch"] = checksum(present)
        return found

    def snapshot(self) -> Mapping[str, Tensor]:
        """The weights that would be kept if training ended now."""
        return self.best_weights

    @torch.no_grad()
    def validate(self) -> Terms:
        """Judge the averaged weights on the validation split, under the same noise each time."""
        criterion = self.objective.criterion
        sums = torch.zeros(3, dtype=sum_dtype(self.device), device=self.device)
        self.model.eval()
        with self.stepper.average.applied(), seeded(self.validation_seed, self.device):
            size = max(1, VALIDATION_BATCH // criterion.samples)
            for start in range(0, len(self.validation), size):
                count = min(size, len(self.validation) - start)
                with self.team.share(count, criterion.samples) as share:
                    rows = slice(start + share.rows.start, start + share.rows.stop)
                    found = self.stepper.shared.judge(criterion, self.validation.batch(rows))
                if share.counts:
                    sums += found
        self.model.train()
        self.team.group.add(sums)()
        bound, distortion, rate = (sums / len(self.validation)).tolist()
        terms = Terms(bound, -(distortion + rate), distortion, rate)
        if not math.isfinite(terms.bound):
            raise UnstableError(f"epoch {len(self.history) + 1}: the held-out bound is not finite")
        return terms


def sum_dtype(device: torch.device) -> torch.dtype:
    """float64, but for MPS devices, which have none."""
    return torch.float32 if device.type == "mps" else torch.float64
