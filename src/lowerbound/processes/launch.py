"""Joining the processes that a launcher such as torchrun has started."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import torch
from torch import distributed as dist
from torch.distributed import (
    PrefixStore,  # pyright: ignore[reportPrivateImportUsage]
    TCPStore,  # pyright: ignore[reportPrivateImportUsage]
)

from lowerbound.errors import ProcessError, SettingError
from lowerbound.processes.group import ALONE, Group, together
from lowerbound.processes.many import Many
from lowerbound.processes.watch import Watch

#: Names under which a launcher tells every process its place.
TOLD = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
#: Time that a process waits in a meeting for one that is alive: it may be reading data or saving.
PATIENCE = timedelta(minutes=10)


def told(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a launcher has started this process as one of several."""
    return all(name in environment for name in TOLD) and environment["WORLD_SIZE"] != "1"


def local_device() -> str | None:
    """Find the GPU that is meant for this process of its host; None where there is none for it."""
    local = os.environ.get("LOCAL_RANK", "")
    if not (local.isdecimal() and int(local) < torch.cuda.device_count()):
        return None
    return f"cuda:{local}"


@contextmanager
def joined() -> Iterator[Group]:
    """Join the processes that were started together, and share their work within the block.

    Tensors on a CPU go by gloo, those on a GPU by nccl. A `Watch` ends this process soon after
    another one has failed or fallen silent, wherever this one waits.

    Yields:
        The group; `ALONE` where no launcher has started several. An error that leaves the block
        gets an attribute `silent`: True if another process has failed before and says why.

    Raises:
        SettingError: The launcher's variables make no sense.
        ProcessError: The others cannot be reached, or one of them is gone.
    """
    if not told():
        yield ALONE
        return
    mine = not dist.is_initialized()
    try:
        if mine:
            _initialise()
        store = _store("watch", host=False)
    except ValueError as error:
        raise SettingError(f"the launcher's variables are not usable: {error}") from error
    except RuntimeError as error:
        where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        raise ProcessError(
            f"{socket.gethostname()} cannot reach the other processes through {where}: "
            f"{str(error).splitlines()[0][:200]}"
        ) from error
    group = Many()
    with Watch(group.rank, group.size, store) as watch, together(group):
        try:
            yield group
            group.meet()  # a launcher ends those who still work when one has left
        except BaseException as error:
            error.silent = not watch.failed(alike=not isinstance(error, ProcessError))  # type: ignore[attr-defined]
            raise
    if mine:
        with suppress(RuntimeError):
            dist.destroy_process_group()


def _initialise() -> None:
    device = local_device()
    if device is not None:
        torch.cuda.set_device(device)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if device is not None else "gloo",
        store=_store("group", host=os.environ["RANK"] == "0"),
        rank=int(os.environ["RANK"]),
        world_size=int(os.environ["WORLD_SIZE"]),
        timeout=PATIENCE,
    )


def _store(name: str, *, host: bool) -> Any:
    """Connect to the store that the launcher keeps, or else process 0.

    Each restart has a part of its own: processes that are started anew must not find the addresses
    or the failure mark of processes that are gone.
    """
    kept = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    store = TCPStore(
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        is_master=host and not kept,
        timeout=PATIENCE,
        wait_for_workers=False,
    )
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return PrefixStore(f"lowerbound/{attempt}/{name}", store)
