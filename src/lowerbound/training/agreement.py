"""Facts that must be the same in all processes that train one model."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lowerbound._version import __version__
from lowerbound.seeding import random_state
from lowerbound.training.team import Team


def agree_to_begin(
    team: Team, model: nn.Module, device: torch.device, facts: Mapping[str, Any]
) -> None:
    """Raise `ProcessError` unless all processes begin the same training.

    Args:
        team: The processes.
        model: The model to train.
        device: The device of this process.
        facts: Further facts by name, plain JSON values.
    """
    if not team.many:
        return
    versions = {
        "the version of lowerbound": __version__,
        "the version of torch": torch.__version__.partition("+")[0],
        "the version of python": ".".join(platform.python_version_tuple()[:2]),
    }
    shapes = {name: f"{t.dtype} {tuple(t.shape)}" for name, t in model.state_dict().items()}
    kind = {"the kind of device": device.type}
    team.agree({**versions, **facts, **kind, "the tensors of the model": shapes})


def agree_to_go_on(team: Team, weights: Sequence[Tensor], device: torch.device) -> None:
    """Raise `ProcessError` unless weights and random numbers are the same in all processes."""
    if team.many:
        named = {str(i): weight for i, weight in enumerate(weights)}
        random = checksum(random_state(device))
        team.agree({"random numbers": random, "weights after an epoch": checksum(named)})


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """Compute sha256, in hexadecimal, over names and contents."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
