"""The processes of `torch.distributed` as a group."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from safetensors.torch import load, save
from torch import Tensor
from torch import distributed as dist

from lowerbound.errors import ProcessError
from lowerbound.processes.group import ALONE, Group, chosen


class Many(Group):
    """All processes of the initialised process group. Nothing that they exchange is pickled.

    Raises:
        ProcessError: In every meeting: another process is gone, or did not come in time.
    """

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        #: The device of messages: nccl alone sends no tensor of the CPU.
        # torch's table of backends by device has no public name
        table = dist.get_backend_config() if hasattr(dist, "get_backend_config") else ""
        only_nccl = str(dist.get_backend()) == "nccl" and "cpu:" not in str(table)
        self.device = torch.device("cuda" if only_nccl else "cpu")

    def add(self, tensor: Tensor) -> Callable[[], Tensor]:
        there = tensor.to(self.device) if tensor.device.type == "cpu" else tensor
        with met():
            work = dist.all_reduce(there, async_op=True)

        def wait() -> Tensor:
            with met():
                if work is not None:
                    work.wait()
            return tensor if there is tensor else tensor.copy_(there)

        return wait

    def copy_from_first(self, tensors: Sequence[Tensor]) -> None:
        for tensor in tensors:
            there = tensor.to(self.device) if tensor.device.type == "cpu" else tensor
            with met():
                dist.broadcast(there, src=0)
            if there is not tensor:
                tensor.copy_(there)

    def gather(self, tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        return [load(part) if part else {} for part in self._bytes(save(plain) if plain else b"")]

    def tell(self, text: str) -> list[str]:
        return [part.decode() for part in self._bytes(text.encode())]

    def meet(self) -> None:
        self.add(torch.zeros(1))()

    def _bytes(self, mine: bytes) -> list[bytes]:
        length = torch.tensor([len(mine)], device=self.device)
        lengths = [torch.zeros_like(length) for _ in range(self.size)]
        with met():
            dist.all_gather(lengths, length)
        counts = [int(count) for count in lengths]
        padded = torch.zeros(max(1, *counts), dtype=torch.uint8)
        if mine:
            padded[: len(mine)] = torch.frombuffer(bytearray(mine), dtype=torch.uint8)
        padded = padded.to(self.device)
        parts = [torch.zeros_like(padded) for _ in range(self.size)]
        with met():
            dist.all_gather(parts, padded)
        return [
            part[:count].cpu().numpy().tobytes() for part, count in zip(parts, counts, strict=True)
        ]


def default() -> Group:
    """Find the group that one training is shared over.

    It is the group of the `together` block around it; outside of one, all processes of
    `torch.distributed` where its process group is initialised.
    """
    found = chosen()
    if found is not None:
        return found
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        return Many()
    return ALONE


@contextmanager
def met() -> Iterator[None]:
    """Turn the errors of `torch.distributed` for processes that are gone into `ProcessError`."""
    try:
        yield
    except RuntimeError as error:
        words = ("gloo", "connection", "nccl", "socket", "timed out", "timeout", "broken pipe")
        known = isinstance(error, dist.DistError) or any(w in str(error).lower() for w in words)
        if isinstance(error, ProcessError) or not known:
            raise
        raise ProcessError(
            "lost the other processes: one of them was killed, or its host or network is gone"
        ) from error
