"""Networks under lower precision or activation checkpointing."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lowerbound.core.conditional import Conditional
from lowerbound.flows import Map
from lowerbound.training.execution import Execution

#: Layers that multiply matrices or convolve, which is what a lower precision makes faster.
PRODUCTS = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d,
    nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
)  # fmt: skip


def networks_of(model: nn.Module) -> list[nn.Module]:
    """List the networks of a model in order: the outermost parts that multiply and hold no law.

    A model and its conditional distributions are looked into; any other part that has a layer of
    `PRODUCTS` is a network as a whole. Maps of a flow are none: they are densities, in float32.
    """
    laws = {id(part) for part in model.modules() if _holds(part, Conditional)} | {id(model)}
    found = [part for part in _outermost(model, laws) if _holds(part, PRODUCTS)]
    found = [part for part in found if not isinstance(part, Map)]
    return list(dict.fromkeys(found))  # one that two conditionals share is one


def _outermost(part: nn.Module, laws: set[int]) -> list[nn.Module]:
    if id(part) not in laws:
        return [part]
    return [found for child in part.children() for found in _outermost(child, laws)]


def _holds(part: nn.Module, kind: Any) -> bool:
    return any(isinstance(inner, kind) for inner in part.modules())


@contextmanager
def executed(model: nn.Module, execution: Execution, device: torch.device) -> Iterator[None]:
    """Run the networks of a model as `execution` says for the length of a block.

    The one place of the library that changes something of the whole process, the number of
    threads that torch computes with, and it puts it back.
    """
    with ExitStack() as stack:
        if execution.threads:
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(execution.threads)
        if execution.checkpoint:
            parts = [part for network in networks_of(model) for part in costly_parts(network)]
            stack.enter_context(_changed(parts, _again))
        if execution.precision == "bfloat16":
            stack.enter_context(lowered(model, device))
        yield


@contextmanager
def lowered(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Let the networks of a model multiply in bfloat16 for the length of a block.

    Only networks are touched. They put out float32 again, so that scales, logarithms and sums
    never see a lower precision. On a CPU a convolution with a stride stays in float32 where its
    input is narrower than its kernel: torch 2.13 computes gradients of such weights in bfloat16
    that are not numbers (kernel 3, stride 2, a map one pixel wide; processors that multiply it).
    """
    kinds = (nn.Conv2d, nn.ConvTranspose2d) if device.type == "cpu" else ()
    strided = [part for part in model.modules() if isinstance(part, kinds) and max(part.stride) > 1]
    with (
        _changed(strided, _wide_enough),
        _changed(networks_of(model), partial(_lowered, device=device.type)),
    ):
        yield


@contextmanager
def _changed(modules: Iterable[nn.Module], change: Callable[..., Any]) -> Iterator[None]:
    """Replace the modules' `forward` by `change(module)` for the length of a block."""
    before = [(module, module.__dict__.get("forward")) for module in modules]
    try:
        for module, _ in before:
            module.forward = change(module)  # type: ignore[method-assign]
        yield
    finally:
        for module, own in before:
            module.__dict__.pop("forward", None)
            if own is not None:
                module.forward = own  # type: ignore[method-assign]


def _lowered(module: nn.Module, device: str) -> Callable[..., Any]:
    forward = module.forward

    def run(*inputs: Any) -> Any:
        with torch.autocast(device, dtype=torch.bfloat16):
            found = forward(*inputs)
        # the law of a step is a mean and a spread
        return found.float() if isinstance(found, Tensor) else tuple(one.float() for one in found)

    return run


def _wide_enough(module: nn.Conv2d | nn.ConvTranspose2d) -> Callable[..., Tensor]:
    forward, kernel = module.forward, module.kernel_size

    def run(x: Tensor, *more: Any) -> Tensor:
        if x.shape[-2] >= kernel[0] and x.shape[-1] >= kernel[1]:
            return forward(x, *more)
        with torch.autocast("cpu", enabled=False):
            return forward(x.float(), *more)

    return run


def _again(module: nn.Module) -> Callable[..., Tensor]:
    forward = module.forward

    def run(*inputs: Any) -> Tensor:
        return checkpoint(forward, *inputs, use_reentrant=False)

    return run


def costly_parts(network: nn.Module) -> list[nn.Module]:
    """List the outermost parts of a network that hold several layers; or the network itself."""
    found: list[nn.Module] = []
    for child in network.children():
        if isinstance(child, nn.Sequential | nn.ModuleList):
            found += [part for part in child if _layers(part) > 1]
    inner = ((child, part) for child in network.children() for part in costly_parts(child))
    return found or [part for child, part in inner if part is not child] or [network]


def _layers(part: nn.Module) -> int:
    return sum(isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d) for m in part.modules())
