"""The number of threads that torch computes with, for the length of a block."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch compute with some number of threads for the length of a block.

    The one place of the library that changes something of the whole process, and it puts it back.

    Args:
        count: At least 1; 0 changes nothing.
    """
    if not count:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
