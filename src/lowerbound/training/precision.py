"""Choose whether the networks of a model are multiplied in bfloat16 or in float32."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn

from lowerbound.core import Model
from lowerbound.data import Batch
from lowerbound.objectives import Objective
from lowerbound.seeding import seeded
from lowerbound.training.forward import lowered, networks_of
from lowerbound.training.settings import Training

#: Floating-point operations of the products in one pass, from network to bound, from which
#: bfloat16 repays converting weights and activations, by kind of device. On a CPU: the cases
#: "precision" of benchmarks/results/execution-zen4.json; where it has AMX, whose float32 is as fast
#: but whose tiles want larger products, those of execution.json. On CUDA: not measured yet.
BFLOAT16_FROM = {"cpu": 5e7, "amx": 3e8, "cuda": 5e8}
#: How far the bound of one batch may lie from that in float32: nats, or as a fraction of it.
BFLOAT16_NATS, BFLOAT16_FRACTION = 0.3, 1e-3


def choose_precision(
    model: Model,
    objective: Objective,
    training: Training,
    device: torch.device,
    example: Batch,
    counted: Callable[[], float],
) -> tuple[str, str]:
    """Choose the precision of a training's matrix products and convolutions, and say why.

    `example` is a batch to try it on; `counted` gives the floating-point operations of a pass over
    it; see `operations`.
    """
    if training.precision != "auto":
        return training.precision, f"{training.precision}, as told"
    least = BFLOAT16_FROM.get("amx" if device.type == "cpu" and has_amx() else device.type)
    if least is None or not has_bfloat16(device):
        return "float32", f"float32: this {device.type} does not multiply faster in bfloat16"
    if any(p.dtype != torch.float32 for p in model.parameters()):
        return "float32", "precision of the weights: they are not float32"
    if not networks_of(model):
        return "float32", "float32: this model has no networks to lower"
    work = counted()
    if work < least:
        return "float32", f"float32: a pass is {work:.2g} operations, and it pays from {least:.2g}"
    difference, size = bfloat16_error(model, objective, device, example)
    if not difference <= max(BFLOAT16_NATS, BFLOAT16_FRACTION * size):
        return "float32", f"float32: in bfloat16 the bound is {difference:.3g} nats off"
    return "bfloat16", (
        f"bfloat16 in the networks: this {device.type} multiplies faster in it, and the bound "
        f"differs by {difference:.2g} of {size:.4g} nats; precision=float32 does without"
    )


def has_bfloat16(device: torch.device) -> bool:
    """Tell whether the device multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    return has_amx() or bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


def has_amx() -> bool:
    """Tell whether the processor multiplies tiles of bfloat16 (AMX)."""
    return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())


def bfloat16_error(
    model: Model, objective: Objective, device: torch.device, example: Batch
) -> tuple[float, float]:
    """Measure how far the mean bound in bfloat16 lies from that in float32 under the same noise.

    Returns the difference and the size of the latter, nats an example.
    """
    values = []
    for how in (nullcontext(), lowered(model, device)):
        with _trial(model, device), how:
            values.append(float(objective.criterion(model, example).value.mean()))
    return abs(values[1] - values[0]), abs(values[0])


def operations(model: Model, objective: Objective, device: torch.device, example: Batch) -> float:
    """Count the floating-point operations of the products in one pass over a batch, forwards only.

    Linear layers and two-dimensional convolutions count; a multiplication and an addition are
    two. Other layers count as nothing.
    """
    total = 0.0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Linear):
            total += 2.0 * output.numel() * layer.in_features
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            at = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output
            total += 2.0 * at.numel() / at.shape[-3] * layer.weight.numel()

    hooks = [layer.register_forward_hook(count) for layer in model.modules()]
    try:
        with _trial(model, device):
            objective.criterion(model, example)
    finally:
        for hook in hooks:
            hook.remove()
    return total


@contextmanager
def _trial(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Let a pass leave no trace for the length of a block: in random state and layers alike."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        with seeded(0, device), torch.no_grad():
            yield
    finally:
        for part, mode in modes:
            part.training = mode
