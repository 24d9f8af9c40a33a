"""One update of the weights: the bound of a batch, its gradient, the optimiser, the average."""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from lowerbound.core import UNTOLD, Model
from lowerbound.core.trace import Trace
from lowerbound.data import Batch
from lowerbound.errors import SettingError
from lowerbound.objectives import Objective
from lowerbound.seeding import seeded
from lowerbound.training.adam import Adam
from lowerbound.training.average import WeightAverage
from lowerbound.training.bound import Compiled, bound_of
from lowerbound.training.execution import Execution
from lowerbound.training.gradients import reduction_of
from lowerbound.training.guard import Guard, name_non_finite
from lowerbound.training.settings import Training
from lowerbound.training.state import State, copied
from lowerbound.training.team import Share, Team

#: Updates between two looks at what a device has counted, where looking makes it wait.
LOOK_EVERY = 64


class Stepper:
    """One step after another up the mean bound of a batch.

    A batch whose bound or gradient is not finite changes no weight; `guard` counts it. On a CPU
    that is known at once. On an accelerator the host would have to wait for each update to know
    it, so there the decision is left to the optimiser's kernel and `settle` reads the counts.

    Args:
        model: On its device already; until `release`, its weights may lie in memory differently.
        guard: Counts the batches that are skipped.
        team: The processes that do so together; one if None.
    """

    def __init__(
        self,
        model: Model,
        objective: Objective,
        training: Training,
        execution: Execution,
        guard: Guard,
        team: Team | None = None,
    ) -> None:
        self.model, self.objective, self.training, self.guard = model, objective, training, guard
        self.team = team or Team()
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        if not self.parameters:
            raise SettingError(
                "this model has no parameters to train; make some require a gradient"
            )
        kinds = (nn.Conv2d, nn.ConvTranspose2d) if execution.channels_last else ()
        convolutions = [part.weight for part in model.modules() if isinstance(part, kinds)]
        #: Laid out channels last for as long as they are trained, and before the optimiser and the
        #: average copy them: kernels go through memory in order and expect all copies alike.
        self.relaid = [weight for weight in convolutions if weight.is_contiguous()]
        for weight in self.relaid:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        self.optimizer = Adam(self.parameters, training)
        self.average = WeightAverage(self.parameters, training.average)
        self.updates = 0
        self.epoch = 1
        device = self.parameters[0].device
        #: Skipped in a row; and since the last look: skipped, learned from, and the sum of the
        #: logarithms of the lengths of their gradients. Counted on the device.
        self.counts = torch.zeros(4, device=device) if execution.late else None
        self.compiled = Compiled(execution) if execution.compile else None
        bound = self.compiled or bound_of
        self.reduction = reduction_of(self.team, model, bound, self.parameters)

    def __call__(
        self, batch: Batch, fraction: float, share: Share | None = None, seconds: float = 0.0
    ) -> Tensor:
        """Make one update; `UnstableError` if it was the last of too many skipped in a row.

        Args:
            batch: Examples on the model's device: this process's share of a batch of `B`.
            fraction: The part of the training that is done, in [0, 1].
            share: That share; the whole batch if None.
            seconds: The time on the clock.

        Returns:
            bound, distortion and rate summed over the whole batch, nats, and `B`: `(4,)`, float64,
            on the device; zeros if the batch was skipped.
        """
        batch = mirrored(batch) if self.training.mirror else batch
        batch = shifted(batch, self.training.shift)
        batch = forgetting(hiding(batch, self.training.hide), self.training.untold)
        training, share = self.training, share or Share(slice(0, len(batch)), len(batch), True)
        schedule = training.schedule(fraction)
        self.optimizer.rate = training.learning_rate * self.guard.slowdown * schedule
        value, sums, trace = self.reduction.bound(self.objective.at(fraction), batch)
        told = self.team.exchange(sums if share.counts else torch.zeros_like(sums), seconds)
        self._forget_gradient()
        # the loss is minus the mean of the bound
        self.reduction.backward(value, -1.0 / share.total if share.counts else 0.0)
        sums = told()
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norms = torch._foreach_norm(gradients)  # pyright: ignore[reportPrivateImportUsage]
        norm = torch.linalg.vector_norm(torch.stack(norms))
        self.updates += 1
        if self.counts is not None:
            return self._decide_on_device(self.counts, norm, sums)
        length, limit = norm.item(), training.clip
        if not (math.isfinite(length) and math.isfinite(sums[0].item())):
            self.guard.skip(self.team.most_telling(self._what(batch, trace)))
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

    def _decide_on_device(self, counts: Tensor, norm: Tensor, sums: Tensor) -> Tensor:
        """Skip or clip without telling the host, by what fused Adam offers to loss scalers."""
        clip = self.training.clip
        bad = ~(torch.isfinite(sums[0]) & torch.isfinite(norm)) | (norm > self.guard.longest(clip))
        skipped = bad.to(torch.float32)
        limit = math.inf if clip is None else clip
        scale = (norm / limit).clamp(min=1.0).to(torch.float32)
        self.optimizer.step(scale=scale, skip=skipped)
        self.average.update()
        logarithm = torch.where(bad, 0.0, norm.clamp(min=1e-30).log().to(counts.dtype))
        counts.add_(torch.stack([skipped, skipped, 1.0 - skipped, logarithm]))
        counts[0].mul_(skipped)
        return torch.where(bad, torch.zeros_like(sums), sums)

    def release(self) -> None:
        """Leave the model as it was found: laid out as before, without gradients."""
        self._forget_gradient()
        for weight in self.relaid:
            weight.data = weight.data.contiguous()

    def state(self) -> State:
        """Copy everything that an update changes."""
        return State.of(
            {"updates": self.updates},
            model=State(copied(self.model.state_dict()), {}),
            optimizer=self.optimizer.state(),
            average=self.average.state(),
        )

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self.model.load_state_dict(state.part("model").tensors)
        self.optimizer.restore(state.part("optimizer"))
        self.average.restore(state.part("average"))
        self.updates = int(state.values["updates"])

    def settle(self) -> None:
        """Read what the device has counted since the last look; raise as `__call__` does."""
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
        """Say what was not finite, in the trace or, where none was kept, in a new one."""
        there = trace
        if there is None:
            with seeded(0, batch.x.device), torch.no_grad():
                samples, gradient = self.objective.samples, self.objective.gradient
                there = self.model.trace(batch, samples, gradient)
        return f"{self._where()}: {name_non_finite(there, self.model)} is not finite"


def mirrored(batch: Batch) -> Batch:
    """Turn left and right of about half of the images `(B, C, H, W)` around."""
    rows = torch.rand((len(batch), 1, 1, 1), device=batch.x.device) < 0.5

    def some(cells: Tensor) -> Tensor:
        return torch.where(rows, cells.flip(-1), cells)

    observed = None if batch.observed is None else some(batch.observed)
    return replace(batch, x=some(batch.x), observed=observed)


def shifted(batch: Batch, share: float) -> Batch:
    """Move images `(B, C, H, W)`, each by its own number of cells; edges mirror what is there.

    Args:
        batch: `B` images.
        share: Of height and width, that they are moved by at most; rounded to whole cells.
    """
    if share == 0:
        return batch
    places = []
    for size in batch.x.shape[-2:]:
        most = min(round(share * size), size - 1)
        by = torch.randint(-most, most + 1, (len(batch), 1), device=batch.x.device)
        at = (torch.arange(size, device=batch.x.device) + by).abs()
        places.append(size - 1 - (size - 1 - at).abs())
    rows, columns = places[0][:, None, :, None], places[1][:, None, None, :]

    def moved(cells: Tensor) -> Tensor:
        cells = cells.gather(-2, rows.expand(cells.shape))
        return cells.gather(-1, columns.expand(cells.shape))

    observed = None if batch.observed is None else moved(batch.observed)
    return replace(batch, x=moved(batch.x), observed=observed)


def hiding(batch: Batch, chance: float) -> Batch:
    """Take cells of some examples for unobserved, of each an evenly drawn share.

    Of half of the series among them a stretch of steps is hidden, in all channels or in some.

    The bound of such an example is one on the probability of the cells that are left, so that
    q(z|x) learns to answer for any of them and p stays what it is.

    Args:
        batch: `B` examples.
        chance: That some cells of an example are hidden.
    """
    if chance == 0:
        return batch
    rows = (len(batch), *(1,) * (batch.x.ndim - 1))
    told, share = torch.rand(rows, device=batch.x.device), torch.rand(rows, device=batch.x.device)
    left = torch.rand(batch.x.shape, device=batch.x.device) >= share
    if batch.x.ndim == 3:
        left = torch.where(torch.rand(rows, device=batch.x.device) < 0.5, left, ~_stretch(batch.x))
    left = left | (told >= chance)
    return replace(batch, observed=left if batch.observed is None else left & batch.observed)


def forgetting(batch: Batch, chance: float) -> Batch:
    """Leave the condition of some examples untold, all of it.

    Args:
        batch: `B` examples.
        chance: Of each of them.
    """
    if batch.condition is None or chance == 0:
        return batch
    kept = torch.rand((len(batch), 1), device=batch.x.device) >= chance
    return replace(batch, condition=torch.where(kept, batch.condition, UNTOLD))


def _stretch(x: Tensor) -> Tensor:
    """Choose a stretch of each series `(B, T, C)`, in an evenly drawn share of its channels."""
    count, steps, channels = x.shape
    first, share = (torch.rand(count, 1, 1, device=x.device) for _ in range(2))
    share = 2 * share  # half of the time all of them
    length = torch.rand(count, 1, 1, device=x.device) * steps / 2
    at = torch.arange(steps, device=x.device).reshape(1, -1, 1) - first * (steps - length)
    return (at >= 0) & (at < length) & (torch.rand(count, 1, channels, device=x.device) <= share)
