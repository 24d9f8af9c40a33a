"""Which processes work together, and what they may ask of each other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor
from torch import distributed as dist


class Group:
    """Processes that go through the same code with a share of the work each.

    This one is a single process, for which every question is answered at once. What `Many`
    overrides are meetings: all processes of a group must come to each of them, in one order.

    Attributes:
        rank: The number of this process, from 0; the one that writes and prints is 0.
        size: How many processes there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def mine(self, count: int) -> slice:
        """This process's share of so many rows: a run of them, possibly none.

        Example:
            >>> Group().mine(5)
            slice(0, 5, None)
        """
        least, more = divmod(count, self.size)
        start = self.rank * least + min(self.rank, more)
        return slice(start, start + least + (self.rank < more))

    def owner(self, index: int) -> bool:
        """Whether this process does piece `index` of many."""
        return index % self.size == self.rank

    def add(self, tensor: Tensor) -> Callable[[], Tensor]:
        """Begin to sum a tensor over all processes, in place.

        Returns:
            Waits for the sum and gives it: the same bits in every process.
        """
        return lambda: tensor

    def copy_from_first(self, tensors: Sequence[Tensor]) -> None:
        """Make these tensors, in place, what they are in process 0."""

    def gather(self, tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        """What each process has, by rank; on the CPU where there are several."""
        return [dict(tensors)]

    def tell(self, text: str) -> list[str]:
        """What each process says, by rank."""
        return [text]

    def meet(self) -> None:
        """Wait until all processes are here."""


#: One process, which is what every process is until it is told otherwise.
ALONE = Group()
_current: ContextVar[Group | None] = ContextVar("group", default=None)


def current() -> Group:
    """The group whose processes share work here: `ALONE` outside a `together` block."""
    return _current.get() or ALONE


def default() -> Group:
    """The group that one training is shared over.

    That of the `together` block around it; outside of one, all processes of `torch.distributed`
    where its process group is initialised.
    """
    found = _current.get()
    if found is not None:
        return found
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        from lowerbound.processes.many import Many

        return Many()
    return ALONE


@contextmanager
def together(group: Group) -> Iterator[Group]:
    """Inside, work that can be shared is shared over these processes.

    Every process must then call the same functions in the same order. `together(ALONE)` trains a
    model of its own in each process of an initialised process group.
    """
    token = _current.set(group)
    try:
        yield group
    finally:
        _current.reset(token)
