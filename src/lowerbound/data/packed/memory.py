"""How much memory there is, and when a source is too large a share of it."""

import os
from contextlib import suppress
from pathlib import Path

#: A source of more than this share of the memory at hand is left on disk: in memory it is held
#: twice for a while, as it was found and as it is kept.
SHARE = 1 / 4
#: Where nothing says how much memory there is.
UNKNOWN = 8 * 2**30


def available() -> int:
    """Count the bytes that this process can still take, and a container's limit allows."""
    found = []
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        found.append(1024 * int(line.split()[1]))
    with suppress(OSError, ValueError):  # no such group, or "max"
        group = Path("/sys/fs/cgroup")
        limit, used = (int((group / f"memory.{n}").read_text()) for n in ("max", "current"))
        found.append(limit - used)
    if not found:
        with suppress(OSError, ValueError, AttributeError):
            found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)
    return min(found, default=UNKNOWN)


def too_big(size: int) -> bool:
    """Whether `size` bytes are better left on disk."""
    return size > SHARE * available()
