"""Adam by the function behind `torch.optim`, without the classes around it."""

from collections.abc import Sequence
from itertools import compress
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from lowerbound.training.settings import Training
from lowerbound.training.state import State, copied, fill

#: Kinds of device on which one kernel updates all parameters.
FUSED = ("cpu", "cuda")


class Adam:
    """Adam, or AdamW where weights decay: to the last bit `torch.optim`'s.

    The classes of `torch.optim` import torch's compiler, which takes longer than a small training,
    and gather tensors and run hooks at every step. See "adam" in
    benchmarks/results/execution.json.

    Source: Kingma & Ba (2015), arXiv 1412.6980; decoupled decay of weights: Loshchilov & Hutter
        (2019), arXiv 1711.05101.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], training: Training) -> None:
        self.parameters: list[Tensor] = list(parameters)
        self.training = training
        self.rate = training.learning_rate  # the one in force
        self.fused = all(p.device.type in FUSED and p.is_floating_point() for p in parameters)
        where = [p.device if self.fused else torch.device("cpu") for p in parameters]
        self.steps = [torch.zeros((), dtype=torch.float32, device=device) for device in where]
        self.means = [torch.zeros_like(p) for p in parameters]
        self.squares = [torch.zeros_like(p) for p in parameters]

    @torch.no_grad()
    def step(self, scale: Tensor | None = None, skip: Tensor | None = None) -> None:
        """Update the parameters that have a gradient.

        Args:
            scale: A number on the device that the gradient is divided by.
            skip: 1.0 on the device if no weight is to change, otherwise 0.0.
        """
        lists = self.parameters, self.means, self.squares, self.steps
        gradients: list[Any] = [p.grad for p in self.parameters]
        there = [gradient is not None for gradient in gradients]
        if not all(there):
            gradients, *lists = (list(compress(part, there)) for part in (gradients, *lists))
        parameters, means, squares, steps = lists
        decay, (beta1, beta2) = self.training.weight_decay, self.training.betas
        adam(
            parameters, gradients, means, squares, [], steps,
            fused=self.fused or None, grad_scale=scale, found_inf=skip,
            beta1=beta1, beta2=beta2, lr=self.rate, eps=self.training.epsilon,
            weight_decay=decay, decoupled_weight_decay=decay > 0, amsgrad=False, maximize=False,
        )  # fmt: skip

    def state(self) -> State:
        """Copy the moments, their counts of steps and the rate."""
        return State(copied(self._tensors()), {"rate": self.rate})

    def restore(self, state: State) -> None:
        """Go on from a state; `ValueError` if it is of other parameters."""
        fill(self._tensors(), state.tensors)
        self.rate = float(state.values["rate"])

    def _tensors(self) -> dict[str, Tensor]:
        parts = {"step": self.steps, "exp_avg": self.means, "exp_avg_sq": self.squares}
        return {f"{i}.{name}": t for name, part in parts.items() for i, t in enumerate(part)}
