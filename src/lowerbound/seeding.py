"""Random state taken at the boundary and given back untouched."""

import hashlib
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from lowerbound.errors import SettingError


def fresh_seed() -> int:
    """A seed nobody chose, small enough to write down."""
    return secrets.randbelow(2**31)


@contextmanager
def seeded(
    seed: int | None, device: torch.device | str = "cpu", *, stream: str = ""
) -> Iterator[int]:
    """Run a block under its own random state; the caller's is untouched afterwards.

    Args:
        seed: A whole number in [0, 2^63), or None for a fresh one.
        device: Its generator is forked and seeded too; no other one is touched.
        stream: Random numbers of another name are other ones under the same seed. Whoever
            measures with draws has a stream of its own: data that was simulated under seed 0 must
            not meet its own noise again when it is evaluated under seed 0.

    Yields:
        The seed in force, so that it can be recorded.

    Raises:
        SettingError: The seed is not a whole number in range.

    Example:
        >>> with seeded(7):
        ...     a = torch.rand(1)
        >>> with seeded(7):
        ...     bool((torch.rand(1) == a).all())
        True
    """
    if seed is None:
        seed = fresh_seed()
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise SettingError(f"seed must be a whole number in [0, 2^63), got {seed!r}")
    device = torch.device(device)
    devices = [device] if device.type in ("cuda", "mps") else []
    kind = device.type if devices else "cuda"
    with torch.random.fork_rng(devices=devices, device_type=kind):
        # not torch.manual_seed: it seeds every device there is, those that were not forked too
        state = _state(seed, stream)
        torch.default_generator.manual_seed(state)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(state)
        elif device.type == "mps":
            torch.mps.manual_seed(state)
        yield seed


def _state(seed: int, stream: str) -> int:
    """The number that seeds generators: the seed itself without a stream."""
    if not stream:
        return seed
    digest = hashlib.sha256(f"{stream} {seed}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def random_state(device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """The state of the processor's generator and, under "device", of that of another device.

    Returns:
        Byte tensors on the CPU, copies.
    """
    device = torch.device(device)
    found = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        found["device"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        found["device"] = torch.mps.get_rng_state()
    return found


def set_random_state(state: Mapping[str, Tensor], device: torch.device | str = "cpu") -> None:
    """Put back what `random_state` gave for the same device.

    Raises:
        KeyError: It lacks the state of that device.
        RuntimeError: It is no random state.
    """
    device = torch.device(device)
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["device"], device)
    elif device.type == "mps":
        torch.mps.set_rng_state(state["device"])
