"""A step of torch's fused Adam without what torch does around its kernel."""

import torch
from torch.optim import Adam


def step(optimizer: Adam) -> None:
    """One update, to the last bit that of `optimizer.step()`.

    torch gathers the tensors anew at every step, sorts them by kind and runs hooks: for a small
    model that takes longer than the update. Here they are taken from its state, where it keeps
    them; the first step, which makes that state, is torch's own.

    Args:
        optimizer: Fused, with one group of real parameters on a CPU, and no `amsgrad`.
    """
    (group,) = optimizer.param_groups
    parameters = [p for p in group["params"] if p.grad is not None]
    states = [optimizer.state[p] for p in parameters]
    if not all(states):
        optimizer.step()
        return
    if not parameters:
        return
    steps = [state["step"] for state in states]
    kernel = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_  # pyright: ignore[reportPrivateImportUsage]
    with torch.no_grad():
        torch._foreach_add_(steps, 1)  # pyright: ignore[reportPrivateImportUsage]
        kernel(
            parameters,
            [p.grad for p in parameters],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )


def possible(optimizer: Adam) -> bool:
    """Whether `step` may stand for `optimizer.step()`."""
    plain = all(
        p.device.type == "cpu" and type(p) is torch.nn.Parameter and p.is_floating_point()
        for group in optimizer.param_groups
        for p in group["params"]
    )
    (group, *others) = optimizer.param_groups
    kernels = all(hasattr(torch, name) for name in ("_fused_adam_", "_fused_adamw_"))
    return plain and kernels and not others and "decoupled_weight_decay" in group
