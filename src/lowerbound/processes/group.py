"""Processes that work together, and the questions that they may ask of each other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor


class Group:
    """Processes that go through the same code with a share of the work each.

    This one is a single process, for which every question is answered at once. The methods that
    `Many` overrides are meetings: all processes of a group must come to each of them, in one order.

    Attributes:
        rank: The number of this process, from 0; the one that writes and prints is 0.
        size: The number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """True in the process that writes and prints."""
        return self.rank == 0

    def mine(self, count: int) -> slice:
        """Find this process's share of some number of rows: a run of them, possibly none.

        Example:
            >>> Group().mine(5)
            slice(0, 5, None)
        """
        least, more = divmod(count, self.size)
        start = self.rank * least + min(self.rank, more)
        return slice(start, start + least + (self.rank < more))

    def owner(self, index: int) -> bool:
        """Tell whether this process does piece `index` of many."""
        return index % self.size == self.rank

    def add(self, tensor: Tensor) -> Callable[[], Tensor]:
        """Begin to sum a tensor over all processes, in place.

        Returns:
            A function that waits for the sum and gives it: the same bits in every process.
        """
        return lambda: tensor

    def copy_from_first(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite these tensors with the values that they have in process 0."""

    def gather(self, tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        """Collect the tensors of each process, by rank; on the CPU where there are several."""
        return [dict(tensors)]

    def tell(self, text: str) -> list[str]:
        """Tell a text to all, and collect the texts of all, by rank."""
        return [text]

    def meet(self) -> None:
        """Wait until all processes are here."""


#: A single process: the group of every process until it is told otherwise.
ALONE = Group()
_current: ContextVar[Group | None] = ContextVar("group", default=None)


def chosen() -> Group | None:
    """Find the group of the `together` block around the caller; None outside of one."""
    return _current.get()


def current() -> Group:
    """Find the group whose processes share work here: `ALONE` outside a `together` block."""
    return chosen() or ALONE


@contextmanager
def together(group: Group) -> Iterator[Group]:
    """Share the work that can be shared over these processes for the length of a block.

    Every process must then call the same functions in the same order. `together(ALONE)` trains a
    model of its own in each process of an initialised process group.
    """
    token = _current.set(group)
    try:
        yield group
    finally:
        _current.reset(token)
