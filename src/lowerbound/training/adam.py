"""Adam by torch's fused kernel, without what `torch.optim` puts around it."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lowerbound.training.settings import Training


class Adam:
    """Adam, or AdamW where weights decay: to the last bit `torch.optim`'s with `fused=True`.

    `torch.optim` gathers the tensors anew at every step, sorts them by kind and runs hooks, which
    for a small model takes longer than the update; and it imports torch's compiler, which takes
    longer than a small training. The names of its state are kept, so that either goes on where the
    other stopped.

    Args:
        parameters: On a CPU; see `fits`.
        training: Rate, decay rates, epsilon and weight decay.

    Source: Kingma & Ba (2015), arXiv 1412.6980; decoupled decay of weights: Loshchilov & Hutter
        (2019), arXiv 1711.05101.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], training: Training) -> None:
        self.parameters, self.training = list(parameters), training
        self.param_groups: list[dict[str, Any]] = [{"lr": training.learning_rate}]
        #: Moments and count of each parameter that has had a gradient, by its place.
        self.state: dict[int, dict[str, Tensor]] = {}

    @staticmethod
    def fits(parameters: Sequence[Tensor]) -> bool:
        """Whether the kernel takes these parameters: plain ones, on a CPU."""
        kernels = all(hasattr(torch, name) for name in ("_fused_adam_", "_fused_adamw_"))
        return kernels and all(
            type(p) is nn.Parameter and p.device.type == "cpu" and p.is_floating_point()
            for p in parameters
        )

    @torch.no_grad()
    def step(self) -> None:
        """One update of the parameters that have a gradient."""
        learning = [(i, p) for i, p in enumerate(self.parameters) if p.grad is not None]
        if not learning:
            return
        states = [self.state.get(i) or self._begun(i) for i, _ in learning]
        steps = [state["step"] for state in states]
        training = self.training
        kernel: Any = torch._fused_adamw_ if training.weight_decay else torch._fused_adam_  # pyright: ignore[reportPrivateImportUsage]
        torch._foreach_add_(steps, 1)  # pyright: ignore[reportPrivateImportUsage]
        kernel(
            [p for _, p in learning],
            [p.grad for _, p in learning],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=self.param_groups[0]["lr"],
            beta1=training.betas[0],
            beta2=training.betas[1],
            weight_decay=training.weight_decay,
            eps=training.epsilon,
            amsgrad=False,
            maximize=False,
        )

    def _begun(self, index: int) -> dict[str, Tensor]:
        parameter = self.parameters[index]
        state = self.state[index] = {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
            "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
        }
        return state

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to go on, not copied; names as in `torch.optim`."""
        return {"state": self.state, "param_groups": self.param_groups}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`, whose tensors are kept.

        Raises:
            ValueError: It is of other parameters.
        """
        for index, entry in state["state"].items():
            found = {name: (tuple(value.shape), value.dtype) for name, value in entry.items()}
            if 0 <= index < len(self.parameters):
                moment = tuple(self.parameters[index].shape), self.parameters[index].dtype
                wanted = {"step": ((), torch.float32), "exp_avg": moment, "exp_avg_sq": moment}
                if found == wanted:
                    continue
            raise ValueError(f"parameter {index} has another shape or kind, or is none")
        self.state = {index: dict(entry) for index, entry in state["state"].items()}
        self.param_groups = [{**self.param_groups[0], "lr": state["param_groups"][0]["lr"]}]


def optimizer_of(
    parameters: Sequence[nn.Parameter], training: Training, *, late: bool = False
) -> Adam | torch.optim.Optimizer:
    """Adam, or AdamW when weights decay; fused, so that one kernel updates all parameters.

    Args:
        parameters: What it updates.
        training: Its settings.
        late: Whether the kernel is to decide what is skipped, which `torch.optim` provides for.
    """
    if Adam.fits(parameters) and not late:
        return Adam(parameters, training)
    kind = torch.optim.AdamW if training.weight_decay else torch.optim.Adam
    return kind(
        parameters,
        lr=training.learning_rate,
        betas=training.betas,
        eps=training.epsilon,
        weight_decay=training.weight_decay,
        fused=parameters[0].device.type in ("cpu", "cuda"),
    )
