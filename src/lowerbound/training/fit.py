"""The one place where a bound becomes a loss."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from lowerbound.data import Data, read
from lowerbound.errors import DataError, NonFiniteError, SettingError
from lowerbound.objectives import Objective
from lowerbound.seeding import seeded
from lowerbound.trace import Bound
from lowerbound.training.average import WeightAverage
from lowerbound.training.callbacks import Callback, Step, StopTraining
from lowerbound.training.guard import name_non_finite
from lowerbound.training.history import Epoch, Fit, Terms
from lowerbound.training.settings import Training

#: Draws of z in one batch of validation: examples times samples.
VALIDATION_BATCH = 500


def fit(
    model: nn.Module,
    objective: Objective,
    data: Data | Tensor | np.ndarray,
    training: Training | None = None,
    *,
    seed: int | None = None,
    device: torch.device | str | None = None,
    callbacks: Sequence[Callback] = (),
) -> Fit:
    """Train a model by stochastic gradient ascent on an objective.

    The loss of one update is minus the mean of the bound over the batch. After every epoch the
    averaged weights are judged by the objective's criterion on the validation split, under the
    same noise each time; the best are what the model holds at the end. The test split is not read.

    Args:
        model: Anything with a `trace`; trained in place.
        objective: What is maximised.
        data: A `Data`, or an array `(N, *event)`, which is then read and split as `read` does.
        training: Settings; the defaults if None.
        seed: Of shuffling and noise; None for a fresh one, told in the result. The caller's
            random state is left as it was.
        device: Where to train; None for where the model is.
        callbacks: Watch the training, and may end it.

    Returns:
        The trained model, its history, and why training ended. An interruption from the keyboard
        ends training in good order: the best weights so far are kept.

    Raises:
        NonFiniteError: A bound or a gradient stopped being a number; the message names step and
            term. The model holds the last good weights, and the error's `fit` what there is.
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
    check = getattr(getattr(model, "likelihood", None), "check", None)
    if check is not None:
        for part in (data.train, data.validation):
            check(part.x if part.observed is None else part.x[part.observed])
    if device is None:
        device = next((p.device for p in model.parameters()), torch.device("cpu"))
    with seeded(seed, device) as seed:
        trainer = _Trainer(model.to(device), objective, data, training, torch.device(device), seed)
        return trainer.run(callbacks)


class _Trainer:
    """The state of one training."""

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        data: Data,
        training: Training,
        device: torch.device,
        seed: int,
    ) -> None:
        if len(data.train) == 0 or len(data.validation) == 0:
            raise DataError("training needs at least one training and one validation example")
        self.model, self.objective, self.training, self.seed = model, objective, training, seed
        self.device = device
        self.train, self.validation = data.train.to(device), data.validation.to(device)
        self.validation_seed = int(torch.randint(2**31, ()))
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        if not self.parameters:
            raise SettingError(
                "this model has no parameters to train; make some require a gradient"
            )
        self.optimizer = _optimizer(self.parameters, training)
        self.average = WeightAverage(model, training.average)
        self.per_epoch = math.ceil(len(self.train) / training.batch_size)
        self.updates = 0
        self.history: list[Epoch] = []
        self.best: Epoch | None = None
        self.best_weights = self.weights()
        self.started = time.perf_counter()

    def run(self, callbacks: Sequence[Callback]) -> Fit:
        stopped = "epochs" if self.training.minutes is None else "minutes"
        was_training = self.model.training
        self.model.train()
        try:
            for callback in callbacks:
                limit = self.training.epochs if self.training.minutes is None else None
                callback.on_start(limit, self.per_epoch)
            while not self.finished():
                self.epoch(callbacks)
                if self.out_of_patience():
                    stopped = "patience"
                    break
        except StopTraining as stop:
            stopped = str(stop)
        except KeyboardInterrupt:
            stopped = "interrupted"
        except NonFiniteError as error:
            error.fit = self.result("non-finite")  # type: ignore[attr-defined]
            raise
        finally:
            self.model.train(was_training)
        result = self.result(stopped)
        for callback in callbacks:
            callback.on_end(stopped)
        return result

    def result(self, stopped: str) -> Fit:
        """Put the weights to keep into the model."""
        if self.best is None:
            present = self.weights()
            if all(bool(torch.isfinite(t).all()) for t in present.values()):
                self.best_weights = present  # otherwise those it began with
        self.model.load_state_dict(self.best_weights)
        seconds = time.perf_counter() - self.started
        return Fit(self.model, tuple(self.history), self.best, stopped, self.seed, seconds)

    def weights(self) -> dict[str, Tensor]:
        """A copy of the averaged weights."""
        with self.average.applied():
            return {name: t.detach().clone() for name, t in self.model.state_dict().items()}

    def fraction(self) -> float:
        """How much of the training is done, by updates or by the clock."""
        if self.training.minutes is None:
            return self.updates / (self.training.epochs * self.per_epoch)
        return min((time.perf_counter() - self.started) / (60 * self.training.minutes), 1.0)

    def finished(self) -> bool:
        return self.fraction() >= 1.0

    def out_of_patience(self) -> bool:
        if self.training.patience is None or self.best is None:
            return False
        return len(self.history) - self.best.epoch >= self.training.patience

    def epoch(self, callbacks: Sequence[Callback]) -> None:
        number, began = len(self.history) + 1, time.perf_counter()
        sums = torch.zeros(4, dtype=_sum_dtype(self.device), device=self.device)
        seen = 0
        for index, chosen in enumerate(self.shuffled(), start=1):
            bound = self.update(chosen)
            sums += torch.stack([t.detach().sum() for t in _terms(bound)])
            seen += len(chosen)
            step = Step(number, index, self.per_epoch, seen, self.fraction(), sums)
            for callback in callbacks:
                callback.on_step(step)
            if self.training.minutes is not None and self.finished():
                break
        train = Terms(*(sums / seen).tolist())
        seconds = time.perf_counter() - began
        held_out = self.validate()
        better = self.best is None or held_out.bound > self.best.held_out.bound
        epoch = Epoch(
            epoch=number,
            updates=self.updates,
            seconds=time.perf_counter() - self.started,
            examples_per_second=seen / max(seconds, 1e-9),
            learning_rate=self.optimizer.param_groups[0]["lr"],
            train=train,
            held_out=held_out,
            best=better,
        )
        self.history.append(epoch)
        if better:
            self.best, self.best_weights = epoch, self.weights()
        for callback in callbacks:
            callback.on_epoch(epoch, self.snapshot)

    def snapshot(self) -> Mapping[str, Tensor]:
        return self.best_weights

    def shuffled(self) -> Iterator[Tensor]:
        order = torch.randperm(len(self.train), device=self.device)
        yield from order.split(self.training.batch_size)

    def update(self, chosen: Tensor) -> Bound:
        """One step up the mean bound of the chosen examples."""
        fraction = self.fraction()
        objective = self.objective.at(fraction)
        for group in self.optimizer.param_groups:
            group["lr"] = self.training.learning_rate * self.training.schedule(fraction)
        trace = self.model.trace(self.train.batch(chosen), objective.samples, objective.gradient)  # type: ignore[operator]
        bound = objective.reduce(trace)
        loss = -bound.value.mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        limit = math.inf if self.training.clip is None else self.training.clip
        norm = nn.utils.clip_grad_norm_(self.parameters, limit)
        if not bool(torch.isfinite(loss) & torch.isfinite(norm)):
            raise NonFiniteError(
                f"update {self.updates + 1} (epoch {len(self.history) + 1}): "
                f"{name_non_finite(trace, self.model)} is not finite. Try a smaller learning_rate, "
                "a smaller clip, or look for extreme values; the best weights so far stand, if an "
                "epoch was finished"
            )
        self.optimizer.step()
        self.average.update()
        self.updates += 1
        return bound

    @torch.no_grad()
    def validate(self) -> Terms:
        """Judge the averaged weights on the validation split, under the same noise each time."""
        criterion = self.objective.criterion
        sums = torch.zeros(4, dtype=_sum_dtype(self.device), device=self.device)
        self.model.eval()
        with self.average.applied(), seeded(self.validation_seed, self.device):
            size = max(1, VALIDATION_BATCH // criterion.samples)
            for start in range(0, len(self.validation), size):
                batch = self.validation.batch(slice(start, start + size))
                sums += torch.stack([t.sum() for t in _terms(criterion(self.model, batch))])  # type: ignore[arg-type]
        self.model.train()
        terms = Terms(*(sums / len(self.validation)).tolist())
        if not math.isfinite(terms.bound):
            raise NonFiniteError(
                f"epoch {len(self.history) + 1}: the held-out bound is not finite. Try a smaller "
                "learning_rate, or look for extreme values; the best weights so far stand, if an "
                "earlier epoch was finished"
            )
        return terms


def _terms(bound: Bound) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return bound.value, bound.elbo, bound.distortion, bound.rate


def _sum_dtype(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "mps" else torch.float64


def _optimizer(parameters: list[nn.Parameter], training: Training) -> torch.optim.Optimizer:
    """Adam, or AdamW when weights decay; fused, so that one kernel updates all parameters."""
    kind = torch.optim.AdamW if training.weight_decay else torch.optim.Adam
    return kind(
        parameters,
        lr=training.learning_rate,
        betas=training.betas,
        eps=training.epsilon,
        weight_decay=training.weight_decay,
        fused=parameters[0].device.type in ("cpu", "cuda"),
    )
