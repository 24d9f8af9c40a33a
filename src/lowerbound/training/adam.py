"""A step of torch's fused Adam without what torch does around its kernel."""

import torch
from torch.optim import Optimizer


def step(optimizer: Optimizer) -> None:
    """One update, to the last bit that of `optimizer.step()`.

    torch gathers the tensors anew at every step, sorts them by kind and runs hooks: for a small
    model that takes longer than the update. Here they are taken from its state, where it keeps
    them; the first step, which makes that state, is torch's own.

    Args:
        optimizer: An Adam or AdamW that `may_replace` agrees to.
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


def may_replace(optimizer: Optimizer) -> bool:
    """Whether `step` does what `optimizer.step()` does: fused, of one group, plain, on a CPU.

    Not so before torch 2.7, whose groups do not say how their weights decay.
    """
    group, *others = optimizer.param_groups
    plain = all(
        p.device.type == "cpu" and type(p) is torch.nn.Parameter and p.is_floating_point()
        for p in group["params"]
    )
    kernels = all(hasattr(torch, name) for name in ("_fused_adam_", "_fused_adamw_"))
    usual = bool(group.get("fused")) and not (group.get("amsgrad") or group.get("maximize"))
    return plain and kernels and usual and not others and "decoupled_weight_decay" in group
