"""One update of the weights: the bound of a batch, its gradient, the optimiser, the average."""

import math
import types
import warnings
from collections.abc import Callable
from dataclasses import is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from lowerbound.core.trace import Trace
from lowerbound.data import Batch
from lowerbound.errors import SettingError
from lowerbound.objectives import Objective
from lowerbound.objectives.annealed import Tempered
from lowerbound.objectives.objective import Wrapper
from lowerbound.seeding import random_state, seeded, set_random_state
from lowerbound.training.adam import optimizer_of
from lowerbound.training.average import WeightAverage
from lowerbound.training.bound import Result, bound_of
from lowerbound.training.execution import Execution
from lowerbound.training.flat import Flat
from lowerbound.training.gradients import gradients_of
from lowerbound.training.guard import Guard, name_non_finite
from lowerbound.training.layout import ChannelsLast
from lowerbound.training.settings import Training
from lowerbound.training.sharded import Bounded, whole
from lowerbound.training.team import Share, Team

#: Updates between two looks at what a device has counted, where looking makes it wait.
LOOK_EVERY = 64


class Stepper:
    """Takes a model up the mean bound of one batch after another.

    A batch whose bound or gradient is not finite changes no weight; `guard` counts it. On a CPU
    that is known at once. On an accelerator the host would have to wait for each update to know
    it, so there the decision is left to the optimiser's kernel and `settle` reads the counts.

    Args:
        model: On its device already; until `release`, its weights may lie in memory differently.
        objective: What is maximised.
        training: Settings.
        execution: How updates are executed.
        guard: Counts what was skipped.
        team: The processes that do so together; one if None.
        inside: What the model is the inside of, where it is in pieces.

    Raises:
        SettingError: The model has nothing to train.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        training: Training,
        execution: Execution,
        guard: Guard,
        team: Team | None = None,
        inside: Bounded | None = None,
    ) -> None:
        self.model, self.objective, self.training, self.guard = model, objective, training, guard
        self.execution, self.team = execution, team or Team()
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        if not self.parameters:
            raise SettingError(
                "this model has no parameters to train; make some require a gradient"
            )
        self.layout = ChannelsLast(model) if execution.channels_last else None
        small = inside is None and Flat.fits(self.parameters)
        self.flat = Flat(self.parameters) if small else None
        #: What the optimiser holds.
        self.trained = self.parameters if self.flat is None else [self.flat.whole]
        self.optimizer = optimizer_of(self.trained, training, late=execution.late)
        self.average = WeightAverage(self.trained, training.average)
        self.updates = 0
        self.epoch = 1
        self.late = execution.late
        device = self.parameters[0].device
        #: Skipped in a row; and since the last look: skipped, learned from, and the sum of the
        #: logarithms of the lengths of their gradients. Counted on the device.
        self.counts = torch.zeros(4, device=device) if self.late else None
        self.compiled = Compiled(execution) if execution.compile else None
        bound = self.compiled or bound_of
        self.shared = gradients_of(self.team, model, bound, self.parameters, self.flat, inside)

    def __call__(
        self, batch: Batch, fraction: float, share: Share | None = None, seconds: float = 0.0
    ) -> Tensor:
        """One update.

        Args:
            batch: Examples on the model's device: this process's share of a batch of `B`.
            fraction: How much of the training is done, in [0, 1].
            share: What share that is; the whole batch if None.
            seconds: What the clock says.

        Returns:
            bound, distortion and rate summed over the whole batch, nats, and `B`: `(4,)`, float64,
            on the device; zeros if the batch was skipped.

        Raises:
            UnstableError: It was the last of too many skipped in a row.
        """
        objective = self.objective.at(fraction)
        rate = self.training.learning_rate * self.guard.rate * self.training.schedule(fraction)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        share = share or Share(slice(0, len(batch)), len(batch), True)
        value, sums, trace = self.shared.bound(self.model, objective, batch)
        told = self.team.exchange(sums if share.counts else torch.zeros_like(sums), seconds)
        self._forget_gradient()
        weight = -self.shared.parts / share.total if share.counts else 0.0
        self.shared.backward(value.sum() * weight)  # the loss: minus the mean of the bound
        sums = told()
        if self.flat is None:
            gradients = [p.grad for p in self.parameters if p.grad is not None]
            norm = whole(nn.utils.get_total_norm(gradients))
        else:
            gradients = [self.flat.gradient]
            norm = torch.linalg.vector_norm(self.flat.gradient)
        self.updates += 1
        if self.late:
            return self._decide_on_device(norm, sums)
        length, limit = norm.item(), self.training.clip
        if not (math.isfinite(length) and math.isfinite(sums[0].item())):
            self.guard.skip(self.team.what(self._what(batch, trace)))
            return torch.zeros_like(sums)
        if length > self.guard.longest(limit):
            self.guard.skip(f"{self._where()}: the gradient is {length:.3g} long")
            return torch.zeros_like(sums)
        self.guard.passed(length)
        if limit is not None and length > limit:
            torch._foreach_mul_(gradients, limit / (length + 1e-6))  # pyright: ignore[reportPrivateImportUsage]
        self.optimizer.step()
        self.average.update()
        return sums

    def _forget_gradient(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    def _decide_on_device(self, norm: Tensor, sums: Tensor) -> Tensor:
        """Skip or clip without telling the host, by what fused Adam offers to loss scalers."""
        clip = self.training.clip
        bad = ~(torch.isfinite(sums[0]) & torch.isfinite(norm)) | (norm > self.guard.longest(clip))
        skipped = bad.to(torch.float32)
        limit = math.inf if clip is None else clip
        self.optimizer.found_inf = skipped  # type: ignore[attr-defined]
        self.optimizer.grad_scale = (norm / limit).clamp(min=1.0).to(torch.float32)  # type: ignore[attr-defined]
        self.optimizer.step()
        self.average.update()
        counts = self.counts
        if counts is not None:
            logarithm = torch.where(bad, 0.0, norm.clamp(min=1e-30).log().to(counts.dtype))
            counts.add_(torch.stack([skipped, skipped, 1.0 - skipped, logarithm]))
            counts[0].mul_(skipped)
        return torch.where(bad, torch.zeros_like(sums), sums)

    @property
    def learning_rate(self) -> float:
        """That of the last update."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def executed(self) -> Execution:
        """How updates were executed in the end: a compiler may have given up."""
        if self.compiled is None or not self.compiled.failure:
            return self.execution
        why = f"not compiled after all: {self.compiled.failure}"
        others = [reason for reason in self.execution.reasons if "compiled" not in reason]
        return replace(self.execution, compile=False, graphs=False, reasons=(*others, why))

    def release(self) -> None:
        """Leave the model as any other: a plain tensor of its own for each parameter."""
        if self.flat is not None:
            self.flat.release()
        if self.layout is not None:
            self.layout.release()

    def due(self) -> bool:
        """Whether it is time to `settle`."""
        return self.late and self.updates % LOOK_EVERY == 0

    def settle(self) -> None:
        """Read what the device has counted since the last look.

        Raises:
            UnstableError: Too many batches in a row were skipped, up to now.
        """
        if self.counts is None:
            return
        row, skipped, learned, logarithms = self.counts.tolist()
        self.counts[1:] = 0.0
        self.guard.skipped += int(skipped)
        if learned:
            self.guard.remember(logarithms / learned, int(learned))
        what = f"{self._where()}: the bound or its gradient is not finite, or absurdly long"
        self.guard.in_a_row(int(row), what)

    def _where(self) -> str:
        return f"update {self.updates} (epoch {self.epoch})"

    def _what(self, batch: Batch, trace: Trace | None) -> str:
        """What was not finite, in the trace or, where none was kept, in a new one of the batch."""
        there = trace
        if there is None:
            with seeded(0, batch.x.device), torch.no_grad():
                samples, gradient = self.objective.samples, self.objective.gradient
                there = self.model.trace(batch, samples, gradient)  # type: ignore[operator]
        return f"{self._where()}: {name_non_finite(there, self.model)} is not finite"


def _without_trace(model: nn.Module, objective: Objective, batch: Batch) -> tuple[Tensor, Tensor]:
    return bound_of(model, objective, batch)[:2]


def _tempered_by_tensor(objective: Objective, device: torch.device) -> Objective:
    """The same with a changing weight in a tensor: for each number it would be compiled anew."""
    if isinstance(objective, Tempered):
        beta = torch.as_tensor(objective.beta, device=device)
        return Tempered(_tempered_by_tensor(objective.objective, device), beta)  # type: ignore[arg-type]
    if isinstance(objective, Wrapper) and is_dataclass(objective):
        return replace(objective, objective=_tempered_by_tensor(objective.objective, device))
    return objective


class Compiled:
    """`bound_of`, compiled for the shapes it meets first; other shapes run as they are.

    Where the compiler is missing or gives up, everything runs as it is, and `failure` says why.
    Random numbers are those of torch itself, so that compiling changes no draw.

    Args:
        execution: How; `graphs` captures whole passes on a CUDA device.
    """

    def __init__(self, execution: Execution) -> None:
        options: dict[str, Any] = {"fallback_random": True, "triton.cudagraphs": execution.graphs}
        # what is compiled is kept with a function's code, only a few versions of each: hence a copy
        own = types.FunctionType(_without_trace.__code__.replace(), _without_trace.__globals__)
        self._fast: Callable[..., tuple[Tensor, Tensor]] | None = torch.compile(
            own, dynamic=False, options=options
        )
        self._shape: torch.Size | None = None
        self.failure = ""

    def __call__(self, model: nn.Module, objective: Objective, batch: Batch) -> Result:
        """See `bound_of`."""
        if self._fast is None or (self._shape is not None and batch.x.shape != self._shape):
            return bound_of(model, objective, batch)
        device = batch.x.device
        objective = _tempered_by_tensor(objective, device)
        if self._shape is not None:
            return *self._fast(model, objective, batch), None
        before = random_state(device)
        try:
            result = self._fast(model, objective, batch)
        except Exception as error:  # whatever a compiler may raise
            self._fast, self.failure = None, (str(error).strip().splitlines() or [""])[0][:200]
            set_random_state(before, device)
            warnings.warn(f"not compiled after all: {self.failure}", RuntimeWarning, stacklevel=2)
            return bound_of(model, objective, batch)
        self._shape = batch.x.shape
        return *result, None
