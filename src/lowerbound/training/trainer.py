"""One training, an epoch at a time: its parts, its way back when numbers are lost, its state."""

import math
import time
import warnings
from collections.abc import Sequence
from contextlib import closing
from functools import partial

import torch
from torch import Tensor

from lowerbound.core import Model
from lowerbound.data import Batch, Data
from lowerbound.errors import DataError, NonFiniteError
from lowerbound.objectives import Objective
from lowerbound.seeding import random_state, seeded, set_random_state
from lowerbound.training.callbacks import Callback, Step
from lowerbound.training.choices import choose, for_team
from lowerbound.training.execution import Execution
from lowerbound.training.guard import Guard, UnstableError
from lowerbound.training.history import Epoch, Fit, Terms
from lowerbound.training.progress import Place, Progress, sum_dtype
from lowerbound.training.settings import Training
from lowerbound.training.state import State, copied
from lowerbound.training.step import LOOK_EVERY, Stepper
from lowerbound.training.team import Team

#: Draws of z in one batch of validation: examples times samples.
VALIDATION_BATCH = 500


class Trainer:
    """One training, from its beginning or from a `State` put into it.

    Args:
        model: On `device` already; trained in place.
        data: Training and validation examples.
        seed: The seed of the random state.
        execution: The way in which updates are executed; chosen if None.
        team: The processes that train it together; one if None.

    Attributes:
        chosen: The way in which updates are executed, as it was chosen.
        whole: False in the middle of an update or a validation, when no state can be taken.
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
        self.team.agree_to_begin(
            model, device,
            {"the settings of the training": training.to_json(), "the objective": repr(objective),
             "the seed": seed, "the data": self.identity},
        )  # fmt: skip
        self.team.group.copy_from_first(list(model.state_dict().values()))
        if execution is None:
            some = self.train.batch(slice(0, training.batch_size))
            updates = training.epochs * self.per_epoch
            execution = choose(model, objective, training, device, updates, some)
        self.chosen = for_team(execution, training, self.team)
        self.guard = Guard()
        self.stepper = Stepper(model, objective, training, self.chosen, self.guard, self.team)
        self.progress = Progress(self.weights())
        self.started = time.perf_counter()
        self.place: Place | None = None
        self.good = self.stepper.state()
        self.whole = True

    @property
    def execution(self) -> Execution:
        """The way in which updates are executed: as chosen, or a compiler has given up."""
        compiled = self.stepper.compiled
        if compiled is None or not compiled.failure:
            return self.chosen
        why = f"not compiled after all: {compiled.failure}"
        return self.chosen.but("compiled", why, compile=False, graphs=False)

    @property
    def epochs(self) -> int | None:
        """The number of epochs at most; None where a clock ends the training."""
        return self.training.epochs if self.training.minutes is None else None

    def over(self) -> str:
        """Say why training is over, between two epochs; empty while it is not."""
        if self.place is not None:
            return ""
        if self.progress.out_of_patience(self.training.patience):
            return "patience"
        if self.fraction() >= 1.0:
            return "epochs" if self.training.minutes is None else "minutes"
        return ""

    def offer(self, callbacks: Sequence[Callback], *, last: bool = False) -> None:
        """Let callbacks take the state."""
        for callback in callbacks:
            callback.on_state(self.state, last)

    def roll_back(self, error: UnstableError) -> None:
        """Go back to the end of the last epoch, with new random numbers, unless too often."""
        allowed = self.guard.roll_back()
        self.stepper.restore(self.good)
        self.place, self.whole = None, True
        if allowed:
            return
        if self.chosen.precision != "float32":
            why = f"float32 after all: in {self.chosen.precision} {error}"
            self.chosen = self.chosen.but("float", why, precision="float32")
            self.guard.forgive()
            warnings.warn(f"going on in {why}", RuntimeWarning, stacklevel=2)
            return
        raise NonFiniteError(
            f"{error}. Going back and on at a smaller learning rate did not help. Try a "
            "smaller learning_rate, a smaller clip, or look for extreme values; the best "
            "weights so far stand, if an epoch was finished"
        ) from error

    def result(self, stopped: str) -> Fit:
        """Put the weights to keep into the model."""
        progress, guard = self.progress, self.guard
        if progress.best is None:
            present = self.weights()
            if all(bool(torch.isfinite(t).all()) for t in present.values()):
                progress.weights = present  # otherwise those it began with
        self.model.load_state_dict(progress.weights)
        return Fit(
            model=self.model,
            history=tuple(progress.history),
            best=progress.best,
            stopped=stopped,
            seed=self.seed,
            seconds=self.seconds(),
            skipped=guard.skipped + sum(epoch.skipped for epoch in progress.history),
            rollbacks=guard.rollbacks + sum(epoch.rollbacks for epoch in progress.history),
            execution=self.execution,
        )

    def seconds(self) -> float:
        """Read the wall-clock time spent on this training, in this process and earlier ones."""
        return time.perf_counter() - self.started

    def weights(self) -> dict[str, Tensor]:
        """Copy the averaged weights."""
        with self.stepper.average.applied():
            found = self.model.state_dict()
            return {name: tensor.clone().contiguous() for name, tensor in found.items()}

    def fraction(self) -> float:
        """Compute how much of the training is done, by updates or by the clock."""
        if self.training.minutes is None:
            return self.done(self.stepper.updates, 0.0)
        return self.done(0, self.team.seconds if self.team.many else self.seconds())

    def done(self, updates: int, seconds: float) -> float:
        """Compute how much of the training is done after so many updates or seconds."""
        if self.training.minutes is None:
            return updates / (self.training.epochs * self.per_epoch)
        return min(seconds / (60 * self.training.minutes), 1.0)

    def epoch(self, callbacks: Sequence[Callback]) -> None:
        """Go through the examples once, or through the rest of them, and validate."""
        number = self.stepper.epoch = len(self.progress.history) + 1
        place = self.place = self.place or Place.at_start(self.device)
        began = time.perf_counter() - place.seconds
        with closing(place.batches(self.train, self.training.batch_size)) as batches:
            for batch in batches:
                self.whole = False
                place.sums += self._update(batch)
                place.index += 1
                if self.stepper.updates % LOOK_EVERY == 0:
                    self.stepper.settle()
                place.seconds = time.perf_counter() - began
                self.whole = True
                gone = min(place.index * self.training.batch_size, len(self.train))
                fraction = self.fraction()
                step = Step(number, place.index, self.per_epoch, gone, fraction, place.sums)
                for callback in callbacks:
                    self.team.listen(partial(callback.on_step, step))
                self.offer(callbacks)
                self.team.stop_if_asked()
                if self.training.minutes is not None and fraction >= 1.0:
                    break
        self.whole = False
        self.stepper.settle()
        self._finish(number, place, callbacks)

    def _update(self, batch: Batch) -> Tensor:
        if not self.team.many:
            return self.stepper(batch, self.fraction())
        with self.team.share(len(batch), self.objective.samples) as share:
            mine = batch.rows(share.rows)
            return self.stepper(mine, self.fraction(), share, self.seconds())

    def _finish(self, number: int, place: Place, callbacks: Sequence[Callback]) -> None:
        """Validate an epoch that was gone through, and record it."""
        *sums, count = place.sums.tolist()
        if not count:
            raise UnstableError(self.guard.first)
        bound, distortion, rate = (total / count for total in sums)
        self.team.group.copy_from_first(list(self.model.buffers()))
        held_out, best = self.validate(), self.progress.best
        if not math.isfinite(held_out.bound):
            raise UnstableError(f"epoch {number}: the held-out bound is not finite")
        ripe = self.objective.ripe
        if best is None or self.done(best.updates, best.seconds) < ripe:
            better = True  # the weights of an early stage give way to any later ones
        else:
            better = held_out.bound > best.held_out.bound
        epoch = Epoch(
            epoch=number,
            updates=self.stepper.updates,
            seconds=self.seconds(),
            examples_per_second=count / max(place.seconds, 1e-9),
            learning_rate=self.stepper.optimizer.rate,
            train=Terms(bound, -(distortion + rate), distortion, rate),
            held_out=held_out,
            best=better or self.training.keep == "last",
            skipped=self.guard.skipped,
            rollbacks=self.guard.rollbacks,
        )
        self.progress.add(epoch, self.weights)
        self.guard.skipped = self.guard.rollbacks = 0
        self.place, self.good, self.whole = None, self.stepper.state(), True
        self.team.agree_to_go_on(self.stepper.parameters, self.device)
        for callback in callbacks:
            self.team.listen(partial(callback.on_epoch, epoch, lambda: self.progress.weights))
        self.offer(callbacks)

    def validate(self) -> Terms:
        """Judge the averaged weights on the validation split, under the same noise each time."""
        criterion, examples = self.objective.criterion, self.validation
        sums = torch.zeros(3, dtype=sum_dtype(self.device), device=self.device)
        size = max(1, VALIDATION_BATCH // criterion.samples)
        self.model.eval()
        applied = self.stepper.average.applied()
        with torch.no_grad(), applied, seeded(self.validation_seed, self.device):
            for start in range(0, len(examples), size):
                count = min(size, len(examples) - start)
                with self.team.share(count, criterion.samples) as share:
                    rows = slice(start + share.rows.start, start + share.rows.stop)
                    found = criterion(self.model, examples.batch(rows))
                if share.counts:
                    sums += torch.stack([found.value, found.distortion, found.rate]).sum(dim=1)
        self.model.train()
        bound, distortion, rate = (self.team.group.add(sums)() / len(examples)).tolist()
        return Terms(bound, -(distortion + rate), distortion, rate)

    def state(self) -> State:
        """Copy everything that going on needs; taking it changes no number."""
        self.stepper.settle()
        return State.of(
            {
                "seed": self.seed,
                "device": self.device.type,
                "training": self.training.to_json(),
                "data": self.identity,
                "validation_seed": self.validation_seed,
                "seconds": self.seconds(),
                "execution": self.execution.to_json(),
            },
            stepper=self.stepper.state(),
            guard=self.guard.state(),
            progress=self.progress.state(),
            random=State(copied(random_state(self.device)), {}),
            place=None if self.place is None else self.place.state(),
            good=None if self.place is None else self.good,
        )

    def restore(self, state: State) -> None:
        """Go on from a state that fits, before training has begun."""
        self.stepper.restore(state.part("stepper"))
        self.guard.restore(state.part("guard"))
        self.progress.restore(state.part("progress"))
        set_random_state(state.part("random").tensors, self.device)
        self.started -= float(state.values["seconds"])
        self.validation_seed = int(state.values["validation_seed"])
        self.place, self.good = None, self.stepper.state()
        if state.values["place"] is not None:
            self.place = Place.restored(state.part("place"), self.device)
            self.good = state.part("good")
