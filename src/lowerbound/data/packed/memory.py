"""How much memory there is, and when a source is too large a share of it."""

import os
from pathlib import Path

#: A source of more than this share of the memory at hand is left on disk: in memory it is held
#: twice for a while, as it was found and as it is kept.
SHARE = 1 / 4
#: Where nothing says how much memory there is.
UNKNOWN = 8 * 2**30


def available() -> int:
    """Bytes that this process can still take: free memory, or what its control group allows."""
    found = [_free(), *_allowed()]
    return min((size for size in found if size is not None), default=UNKNOWN)


def too_big(size: int) -> bool:
    """Whether `size` bytes are better left on disk."""
    return size > SHARE * available()


def _free() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (OSError, ValueError):
        return None


def _allowed() -> list[int | None]:
    """What is left under the limits of control groups, versions 2 and 1."""
    pairs = (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    )
    found: list[int | None] = []
    for limit, used in pairs:
        try:
            root = Path("/sys/fs/cgroup")
            found.append(int((root / limit).read_text()) - int((root / used).read_text()))
        except (OSError, ValueError):  # no such group, or "max"
            continue
    return found
