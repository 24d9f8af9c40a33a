"""Networks under lower precision, another memory layout or activation checkpointing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lowerbound.conditional import Conditional

if TYPE_CHECKING:
    from lowerbound.training.execution import Execution


def networks_of(model: nn.Module) -> list[nn.Module]:
    """The networks that conditionals call their `network`, in order."""
    parts = (getattr(m, "network", None) for m in model.modules() if isinstance(m, Conditional))
    return [part for part in parts if isinstance(part, nn.Module)]


@contextmanager
def executed(model: nn.Module, execution: "Execution", device: torch.device) -> Iterator[None]:
    """Inside, the networks of a model run as `execution` says; afterwards as before.

    Only networks are touched. What comes out of them is float32 again, so that scales, logarithms
    and sums never see a lower precision.

    Args:
        model: On `device` already.
        execution: Its `precision`, `channels_last` and `checkpoint`.
        device: Where the model is.
    """
    changed: list[nn.Module] = []
    networks = networks_of(model)
    try:
        if execution.channels_last:
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if execution.checkpoint:
            for network in networks:
                for part in costly_parts(network):
                    part.forward = _again(part.forward)  # type: ignore[method-assign]
                    changed.append(part)
        if execution.precision == "bfloat16":
            for network in networks:
                network.forward = _lowered(network.forward, device.type)  # type: ignore[method-assign]
                changed.append(network)
        yield
    finally:
        for module in changed:
            module.__dict__.pop("forward", None)
        if execution.channels_last:
            model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


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
