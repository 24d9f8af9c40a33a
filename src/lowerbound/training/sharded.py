"""Models of which every process holds a piece (FSDP), and how to have them whole."""

import copy
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from lowerbound.core.trace import Trace
from lowerbound.data import Batch
from lowerbound.objectives import Objective
from lowerbound.training.bound import BoundOf, bound_of
from lowerbound.training.forward import costly_parts, networks_of

if TYPE_CHECKING:
    from lowerbound.training.team import Team


class Bounded(nn.Module):
    """A model as what torch's wrappers expect: a module whose `forward` is all that is computed.

    Args:
        model: Anything with a `trace`.
        bound: Gives value, sums and trace of a batch.
    """

    def __init__(self, model: nn.Module, bound: BoundOf = bound_of) -> None:
        super().__init__()
        self.model, self._bound_of = model, bound
        self.trace: Trace | None = None

    def forward(self, objective: Objective, batch: Batch) -> tuple[Tensor, Tensor]:
        """The bound of each example, `(B,)`, and the sums over them, `(4,)`."""
        value, sums, self.trace = self._bound_of(self.model, objective, batch)
        return value, sums


def sharded(model: nn.Module, team: "Team", device: torch.device) -> Bounded:
    """A copy of the model in pieces on the device.

    Args:
        model: On the CPU where it may be too large for the device.
        team: The processes to share it between.
        device: Of this process.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (team.group.size,))
    inside = Bounded(copy.deepcopy(model))
    for network in networks_of(inside):
        for part in costly_parts(network):
            if any(True for _ in part.parameters()):
                fully_shard(part, mesh=mesh)
    fully_shard(inside, mesh=mesh)
    return inside


def in_pieces(tensor: Tensor) -> bool:
    """Whether it is a `DTensor`, whose module takes long to import where there is none."""
    return hasattr(tensor, "full_tensor")


def whole(tensor: Tensor) -> Tensor:
    """The tensor with its pieces put together, in every process; all must come to this."""
    return tensor.full_tensor() if in_pieces(tensor) else tensor  # type: ignore[attr-defined]


def copied(tensor: Tensor, device: torch.device | str | None = None) -> Tensor:
    """A whole copy of a tensor that may be in pieces."""
    found = whole(tensor.detach())
    return found.to(found.device if device is None else device, copy=True).contiguous()


def local(tensor: Tensor) -> Tensor:
    """The piece of a tensor that is here."""
    return tensor.to_local() if in_pieces(tensor) else tensor  # type: ignore[attr-defined]


def like(value: Tensor, target: Tensor) -> Tensor:
    """A whole tensor, in pieces where `target` is."""
    if not in_pieces(target) or in_pieces(value):
        return value
    from torch.distributed.tensor import DTensor, distribute_tensor

    pieces = cast(DTensor, target)
    return distribute_tensor(value.to(target.device), pieces.device_mesh, pieces.placements)
