"""How the gradients that several processes found of their shares become that of the whole batch."""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lowerbound.data import Batch
from lowerbound.objectives import Objective
from lowerbound.processes.many import met
from lowerbound.training.bound import BoundOf, Result
from lowerbound.training.flat import Flat
from lowerbound.training.sharded import Bounded
from lowerbound.training.team import Team


class Gradients:
    """Those of one process, which holds the whole batch.

    Args:
        model: What is trained.
        bound: Gives the bound of a batch.
        flat: Where the gradients are wanted, if in one tensor.

    Attributes:
        parts: What the gradients are divided by on their way: so many times too large are they to
            be where `backward` begins.
    """

    parts: int = 1

    def __init__(self, model: nn.Module, bound: BoundOf, flat: Flat | None = None) -> None:
        self.model, self._bound, self.flat = model, bound, flat

    def bound(self, model: nn.Module, objective: Objective, batch: Batch) -> Result:
        """The bound of this process's share of a batch."""
        return self._bound(model, objective, batch)

    def backward(self, loss: Tensor) -> None:
        """Leave the gradient of the whole batch in the parameters, or in `flat`."""
        loss.backward()
        if self.flat is not None:
            self.flat.collect()

    def judge(self, criterion: Objective, batch: Batch) -> Tensor:
        """Bound, distortion and rate summed over some examples, `(3,)`, nats, for validation."""
        found = criterion(self.model, batch)  # type: ignore[arg-type]
        return torch.stack([found.value, found.distortion, found.rate]).sum(dim=1)


class InOneMessage(Gradients):
    """A small model, its gradient one tensor: the processes add it up when it is complete."""

    flat: Flat  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, model: nn.Module, bound: BoundOf, team: Team, flat: Flat) -> None:
        super().__init__(model, bound, flat)
        self.team = team

    def backward(self, loss: Tensor) -> None:
        """See `Gradients.backward`."""
        super().backward(loss)
        self.team.group.add(self.flat.gradient)()


class Overlapped(Gradients):
    """A large model: gradients are added up in pieces while others are still being computed.

    The first update shows which parameters take part at all; from the second on it is torch's
    `DistributedDataParallel` that adds up.
    """

    def __init__(
        self, model: nn.Module, bound: BoundOf, team: Team, parameters: Sequence[nn.Parameter]
    ) -> None:
        super().__init__(model, bound)
        self.team, self.parameters = team, parameters
        self.inside = Bounded(model, bound)
        self.parallel: DistributedDataParallel | None = None

    @property
    def parts(self) -> int:  # type: ignore[override]
        """`DistributedDataParallel` gives the mean over processes."""
        return 1 if self.parallel is None else self.team.group.size

    def bound(self, model: nn.Module, objective: Objective, batch: Batch) -> Result:
        """See `Gradients.bound`."""
        if self.parallel is None:
            return self._bound(model, objective, batch)
        with met():
            value, sums = self.parallel(objective, batch)
        return value, sums, self.inside.trace

    def backward(self, loss: Tensor) -> None:
        """See `Gradients.backward`."""
        if self.parallel is not None:
            with met():
                loss.backward()
            return
        loss.backward()
        missing = False
        for parameter in self.parameters:
            if parameter.grad is None:
                missing = True
            else:
                self.team.group.add(parameter.grad)()
        self.parallel = DistributedDataParallel(
            self.inside,
            gradient_as_bucket_view=True,
            find_unused_parameters=missing,
        )


class Pieced(Gradients):
    """A model that is itself in pieces: torch's FSDP gathers weights and scatters gradients."""

    def __init__(self, model: nn.Module, bound: BoundOf, team: Team, inside: Bounded) -> None:
        super().__init__(model, bound)
        self.inside, self.parts = inside, team.group.size

    def bound(self, model: nn.Module, objective: Objective, batch: Batch) -> Result:
        """See `Gradients.bound`."""
        with met(), warnings.catch_warnings():
            # nothing here is changed in place
            warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view")
            value, sums = self.inside(objective, batch)
        return value, sums, self.inside.trace

    def judge(self, criterion: Objective, batch: Batch) -> Tensor:
        """See `Gradients.judge`."""
        return self.bound(self.model, criterion, batch)[1][:3]

    def backward(self, loss: Tensor) -> None:
        """See `Gradients.backward`."""
        with met():
            loss.backward()


def gradients_of(
    team: Team,
    model: nn.Module,
    bound: BoundOf,
    parameters: Sequence[nn.Parameter],
    flat: Flat | None,
    inside: Bounded | None,
) -> Gradients:
    """What suits the model and the number of processes."""
    if not team.many:
        return Gradients(model, bound, flat)
    if inside is not None:
        return Pieced(model, bound, team, inside)
    if flat is not None:
        return InOneMessage(model, bound, team, flat)
    return Overlapped(model, bound, team, parameters)
