"""The noise of a whole batch, of which each process keeps the rows that are its own."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from lowerbound.seeding import seeded


@contextmanager
def same_noise(total: int, mine: slice, samples: int = 1) -> Iterator[None]:
    """Give every row the noise that it would have had if one process drew for all of them.

    Each process draws for all `total` rows of a batch and keeps its own. So the noise does not
    depend on how many processes there are, and the random state moves on alike in all of them.
    Its price is drawing, and for a moment holding, the noise of the whole batch everywhere.

    A draw belongs to rows where its leading shape is `(samples, rows)`, `(rows,)` or
    `(samples * rows,)`, as in everything that follows the axes of this library: the
    reparameterised draws of a Gaussian posterior, masks of dropout, uniform numbers. Other draws
    are no row's in particular and alike in every process. Laws that take more random numbers for
    one row than for another (gamma, Poisson) get each process's own noise: right, but not that of
    a single process. So does a model that draws by functions other than torch's.

    Args:
        total: Rows of the whole batch.
        mine: Rows of this process, at least one.
        samples: Draws `K` for each of them.

    Example:
        >>> with seeded(0):
        ...     whole = torch.randn(2, 6, 3)
        >>> with seeded(0), same_noise(6, slice(1, 3), samples=2):
        ...     some = torch.randn(2, 2, 3)
        >>> bool((some == whole[:, 1:3]).all())
        True
    """
    if mine == slice(0, total):
        yield
        return
    with _Rows(total, mine, samples):
        yield


class _Rows(TorchFunctionMode):
    """A mode that turns a draw for some rows into a draw for all, and keeps those rows of it."""

    def __init__(self, total: int, mine: slice, samples: int) -> None:
        super().__init__()
        self.total, self.mine, self.samples = total, mine, samples
        self.rows = mine.stop - mine.start

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        draw = _DRAWS.get(func)
        kwargs = kwargs or {}
        return func(*args, **kwargs) if draw is None else draw(self, func, args, kwargs)

    def axes(self, shape: Sequence[int]) -> tuple[int, ...] | None:
        """Find the axes that a shape has before its rows; None if it has no rows."""
        if len(shape) > 1 and shape[0] == self.samples and shape[1] == self.rows:
            return (self.samples,)
        if shape and shape[0] == self.rows:
            return ()
        return (-self.samples,) if shape and shape[0] == self.samples * self.rows else None

    def all_of(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Give the shape that a draw for these rows has when it is made for all rows."""
        axes = self.axes(shape)
        if axes is None:
            return tuple(shape)
        if axes and axes[0] < 0:
            return (self.samples * self.total, *shape[1:])
        return (*axes, self.total, *shape[len(axes) + 1 :])

    def take(self, drawn: Tensor, shape: Sequence[int]) -> Tensor:
        """Take this process's rows of a draw for all, as a tensor of `shape`."""
        axes = self.axes(shape)
        if axes is None:
            return drawn
        if axes and axes[0] < 0:
            parted = drawn.view(self.samples, self.total, *shape[1:])
            return parted[:, self.mine].reshape(tuple(shape))
        return (drawn[:, self.mine] if axes else drawn[self.mine]).contiguous()


_Draw = Callable[[_Rows, Any, tuple[Any, ...], dict[str, Any]], Any]


def _made(rows: _Rows, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Draw for calls such as torch.randn(2, 3), torch.rand((2, 3)): nothing but a shape."""
    sizes = kwargs.pop("size", None) or (args if isinstance(args[0], int) else args[0])
    return rows.take(func(rows.all_of(sizes), **kwargs), sizes)


def _like(rows: _Rows, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Draw for calls such as torch.randn_like(x), torch.randint_like(x, 9)."""
    shape = args[0].shape
    whole = torch.empty(rows.all_of(shape), dtype=args[0].dtype, device=args[0].device)
    return rows.take(func(whole, *args[1:], **kwargs), shape)


def _filled(rows: _Rows, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Draw for calls in place, such as x.normal_(), x.uniform_(0, 1)."""
    return args[0].copy_(_like(rows, func, args, kwargs))


def _sized(rows: _Rows, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Draw for calls such as torch.randint(0, 9, (2, 3)), whose shape comes last."""
    sizes = kwargs.pop("size", None)
    before = args if sizes is not None else args[:-1]
    sizes = args[-1] if sizes is None else sizes
    return rows.take(func(*before, size=rows.all_of(sizes), **kwargs), sizes)


def _of_cells(rows: _Rows, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Draw for calls such as torch.bernoulli(p), with one number from the law of each cell."""
    tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
    if not tensors:
        return _sized(rows, func, args, kwargs)
    shape = torch.broadcast_shapes(*(tensor.shape for tensor in tensors))

    def spread(value: Any) -> Any:
        """Put the laws of this process's rows where they stand, and any lawful one elsewhere."""
        if not isinstance(value, Tensor):
            return value
        whole = value.new_full(rows.all_of(shape), 0.5)
        place = torch.arange(whole.numel(), device=value.device).view(whole.shape)
        chosen = rows.take(place, shape).flatten()
        return whole.flatten().index_copy(0, chosen, value.expand(shape).flatten()).view_as(whole)

    spreads = {name: spread(value) for name, value in kwargs.items()}
    return rows.take(func(*map(spread, args), **spreads), shape)


def _dropped(rows: _Rows, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Drop cells as from the whole batch, for calls such as functional.dropout(x)."""
    kwargs.pop("inplace", None)
    shape = args[0].shape
    ones = torch.ones(rows.all_of(shape), dtype=args[0].dtype, device=args[0].device)
    return args[0] * rows.take(func(ones, *args[1:3], **kwargs), shape)


def _own(rows: _Rows, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Draw each process's own noise, for samplers that use a varying number of random numbers."""
    seed = (int(torch.randint(2**62, ())) + 1_000_003 * rows.mine.start) % 2**63
    device = next((value.device for value in args if isinstance(value, Tensor)), "cpu")
    with seeded(seed, device):
        return func(*args, **kwargs)


_DRAWS: dict[Any, _Draw] = {
    **dict.fromkeys((torch.randn, torch.rand), _made),
    **dict.fromkeys((torch.randn_like, torch.rand_like, torch.randint_like), _like),
    **dict.fromkeys(
        (Tensor.normal_, Tensor.uniform_, Tensor.exponential_, Tensor.log_normal_, Tensor.cauchy_,
         Tensor.geometric_, Tensor.random_), _filled,
    ),
    torch.randint: _sized,
    **dict.fromkeys((torch.bernoulli, Tensor.bernoulli, torch.normal), _of_cells),
    **dict.fromkeys(
        (functional.dropout, functional.dropout1d, functional.dropout2d, functional.dropout3d),
        _dropped,
    ),
    **dict.fromkeys(
        (torch.poisson, torch.binomial, torch.multinomial, Tensor.multinomial, Tensor.bernoulli_,
         torch._standard_gamma,  # pyright: ignore[reportPrivateImportUsage]
         torch._sample_dirichlet,  # pyright: ignore[reportPrivateImportUsage]
         functional.alpha_dropout, functional.feature_alpha_dropout, functional.rrelu), _own,
    ),
}  # fmt: skip
