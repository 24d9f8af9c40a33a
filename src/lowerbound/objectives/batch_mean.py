"""The mean over a batch that several processes may hold a share of."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor

_across: ContextVar[Callable[[Tensor], Tensor] | None] = ContextVar("across", default=None)


def batch_mean(values: Tensor) -> Tensor:
    """Average over samples and over all examples of the batch, wherever they are.

    An objective must use it where the rows of a batch meet, as in `FreeBits`: a mean over the
    rows at hand is another one in each of several processes that share a batch.

    Args:
        values: `(1 or K, B, units)`.

    Returns:
        `(units,)`.

    Example:
        >>> import torch
        >>> batch_mean(torch.tensor([[[1.0], [3.0]]]))
        tensor([2.])
    """
    mean, across = values.mean(dim=(0, 1)), _across.get()
    return mean if across is None else across(mean)


@contextmanager
def averaged_by(across: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Inside, `batch_mean` is what `across` makes of the mean over the rows at hand."""
    token = _across.set(across)
    try:
        yield
    finally:
        _across.reset(token)
