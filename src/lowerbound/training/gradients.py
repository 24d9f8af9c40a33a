"""Combine the gradients of several processes into that of the whole batch."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lowerbound.core import Model
from lowerbound.core.trace import Trace
from lowerbound.data import Batch
from lowerbound.objectives import Objective
from lowerbound.processes.many import met
from lowerbound.training.bound import BoundOf, Result
from lowerbound.training.team import Team

#: Numbers in a gradient up to which one message, sent when it is complete, is faster than several
#: sent while it is computed.
ONE_MESSAGE_UP_TO = 2**19


class Reduction:
    """The backward pass of one process, which holds the whole batch: nothing is combined."""

    def __init__(self, model: Model, bound: BoundOf) -> None:
        self.model, self._bound = model, bound

    def bound(self, objective: Objective, batch: Batch) -> Result:
        """Compute the bound of this process's share of a batch."""
        return self._bound(self.model, objective, batch)

    def backward(self, value: Tensor, weight: float) -> None:
        """Leave the gradient of the whole batch's loss in the parameters.

        Args:
            value: The bound of each example of this process's share, `(B,)`, nats.
            weight: The derivative of the loss by each of them.
        """
        (value.sum() * weight).backward()


class InOneMessage(Reduction):
    """The sum of small gradients, sent as one tensor when the backward pass is over."""

    def __init__(
        self, model: Model, bound: BoundOf, team: Team, parameters: Sequence[nn.Parameter]
    ) -> None:
        super().__init__(model, bound)
        self.team, self.parameters = team, parameters
        self.sizes = [p.numel() for p in parameters]

    def backward(self, value: Tensor, weight: float) -> None:
        super().backward(value, weight)
        # a parameter takes part if it does in any process: counts travel behind the gradients
        found = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        counts = torch.tensor([p.grad is not None for p in self.parameters]).to(found[0])
        message = torch.cat([*(gradient.flatten() for gradient in found), counts])
        *summed, counts = self.team.group.add(message)().split([*self.sizes, len(counts)])
        for parameter, mine, total, count in zip(
            self.parameters, found, summed, counts.tolist(), strict=True
        ):
            mine.copy_(total.view_as(mine))  # laid out as the parameter is: Adam reads in order
            parameter.grad = mine if count else None


class Bounded(nn.Module):
    """A model in the form that torch's wrappers expect: `forward` computes everything."""

    def __init__(self, model: Model, bound: BoundOf) -> None:
        super().__init__()
        self.model, self._bound_of = model, bound
        self.trace: Trace | None = None

    def forward(self, objective: Objective, batch: Batch) -> tuple[Tensor, Tensor]:
        """Compute the bound of each example, `(B,)`, and the sums over them, `(4,)`."""
        value, sums, self.trace = self._bound_of(self.model, objective, batch)
        return value, sums


class Overlapped(Reduction):
    """The sum of large gradients, sent piece by piece while others are still being computed.

    The first update shows which parameters take part at all; from the second on
    `DistributedDataParallel` adds up.
    """

    def __init__(
        self, model: Model, bound: BoundOf, team: Team, parameters: Sequence[nn.Parameter]
    ) -> None:
        super().__init__(model, bound)
        self.team, self.parameters = team, parameters
        self.inside = Bounded(model, bound)
        self.parallel: DistributedDataParallel | None = None

    def bound(self, objective: Objective, batch: Batch) -> Result:
        if self.parallel is None:
            return super().bound(objective, batch)
        with met():
            value, sums = self.parallel(objective, batch)
        return value, sums, self.inside.trace

    def backward(self, value: Tensor, weight: float) -> None:
        if self.parallel is not None:
            with met():
                super().backward(value, weight * self.team.group.size)  # undoes its averaging
            return
        super().backward(value, weight)
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        missing = len(gradients) < len(self.parameters)
        for gradient in gradients:
            self.team.group.add(gradient)()
        self.parallel = DistributedDataParallel(
            self.inside, gradient_as_bucket_view=True, find_unused_parameters=missing
        )


def reduction_of(
    team: Team, model: Model, bound: BoundOf, parameters: Sequence[nn.Parameter]
) -> Reduction:
    """Choose the reduction that suits the model and the number of processes."""
    if not team.many:
        return Reduction(model, bound)
    kinds = {(p.dtype, p.device.type) for p in parameters}
    few = sum(p.numel() for p in parameters) <= ONE_MESSAGE_UP_TO
    small = few and len(kinds) == 1 and next(iter(kinds))[1] == "cpu"
    return (InOneMessage if small else Overlapped)(model, bound, team, parameters)
