"""A trained model at work: where it is, and in evaluation mode."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


def device_of(model: nn.Module) -> torch.device:
    """Return the device that a model is on; the CPU if it has no parameters."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def dtype_of(model: nn.Module) -> torch.dtype:
    """Return the floating-point type of a model's parameters."""
    floats = (p.dtype for p in model.parameters() if p.is_floating_point())
    return next(floats, torch.get_default_dtype())


@contextmanager
def on(model: nn.Module) -> Iterator[torch.device]:
    """Put a model into evaluation mode within the block, and give the device that it is on."""
    was_training = model.training
    model.eval()
    try:
        yield device_of(model)
    finally:
        model.train(was_training)


@contextmanager
def constant(model: nn.Module) -> Iterator[None]:
    """Take the parameters' gradients away within the block, for a search over z or q alone."""
    wanted = [p for p in model.parameters() if p.requires_grad]
    try:
        for parameter in wanted:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)
