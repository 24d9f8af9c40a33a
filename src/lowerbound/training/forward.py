"""Networks under lower precision or activation checkpointing."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lowerbound.core.conditional import Conditional
from lowerbound.training.threads import threads

if TYPE_CHECKING:
    from lowerbound.training.execution import Execution


def networks_of(model: nn.Module) -> list[nn.Module]:
    """The networks that conditionals call their `network`, in order."""
    parts = (getattr(m, "network", None) for m in model.modules() if isinstance(m, Conditional))
    return [part for part in parts if isinstance(part, nn.Module)]


@contextmanager
def executed(model: nn.Module, execution: "Execution", device: torch.device) -> Iterator[None]:
    """Inside, the networks of a model run as `execution` says; afterwards as before.

    Args:
        model: On `device` already.
        execution: Its `precision`, `checkpoint` and `threads`.
        device: Where the model is.
    """
    with ExitStack() as stack:
        stack.enter_context(threads(execution.threads))
        if execution.checkpoint:
            parts = [part for network in networks_of(model) for part in costly_parts(network)]
            stack.enter_context(_changed(parts, _again))
        if execution.precision == "bfloat16":
            stack.enter_context(lowered(model, device))
        yield


@contextmanager
def lowered(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Inside, the networks of a model multiply in bfloat16.

    Only networks are touched. What comes out of them is float32 again, so that scales, logarithms
    and sums never see a lower precision.
    """
    with _changed(networks_of(model), partial(_lowered, device=device.type)):
        yield


@contextmanager
def _changed(modules: Iterable[nn.Module], change: Callable[..., Any]) -> Iterator[None]:
    """Inside, the modules' `forward` is what `change` makes of it."""
    before = [(module, module.__dict__.get("forward")) for module in modules]
    try:
        for module, _ in before:
            module.forward = change(module.forward)  # type: ignore[method-assign]
        yield
    finally:
        for module, own in before:
            module.__dict__.pop("forward", None)
            if own is not None:
                module.forward = own  # type: ignore[method-assign]


def _lowered(forward: Callable[..., Tensor], device: str) -> Callable[..., Tensor]:
    def run(*inputs: Any) -> Tensor:
        with torch.autocast(device, dtype=torch.bfloat16):
            return forward(*inputs).float()

    return run


def _again(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def run(*inputs: Any) -> Tensor:
        return checkpoint(forward, *inputs, use_reentrant=False)

    return run


def costly_parts(network: nn.Module) -> list[nn.Module]:
    """The outermost parts of a network that hold more than one layer; or the network itself."""
    found: list[nn.Module] = []
    for child in network.children():
        if isinstance(child, nn.Sequential | nn.ModuleList):
            found += [part for part in child if _layers(part) > 1]
    deeper = [part for child in network.children() for part in _nested(child)]
    return found or deeper or [network]


def _nested(child: nn.Module) -> list[nn.Module]:
    return [part for part in costly_parts(child) if part is not child]


def _layers(part: nn.Module) -> int:
    return sum(isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d) for m in part.modules())
