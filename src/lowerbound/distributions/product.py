"""A product of laws over the columns of a table, of which some may be unobserved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from lowerbound.distributions.centre import centre, expected, spread
from lowerbound.distributions.detach import detached
from lowerbound.distributions.independent import accumulate, filled, widest


@dataclass(frozen=True)
class Columns:
    """The law of some columns.

    Attributes:
        places: Of the columns in an example, `(n,)`, whole numbers.
        law: Batch `(..., n)`.
        filler: A value inside the support, that unobserved cells are taken to hold.
    """

    places: Tensor
    law: Distribution
    filler: float = 0.0


class Product(Distribution):
    """Independent columns with laws of different families: log p(x) = sum_d log p_d(x_d).

    Args:
        parts: Each column of the event in exactly one of them.

    Example:
        >>> from torch.distributions import Bernoulli, Normal
        >>> bits = Columns(torch.tensor([1]), Bernoulli(torch.tensor([0.5])))
        >>> reals = Columns(torch.tensor([0, 2]), Normal(torch.zeros(2), torch.ones(2)))
        >>> p = Product([bits, reals])
        >>> p.event_shape, round(float(p.log_prob(torch.tensor([0.0, 1.0, 0.0]))), 4)
        (torch.Size([3]), -2.531)
    """

    def __init__(self, parts: Sequence[Columns]) -> None:
        size = sum(len(part.places) for part in parts)
        batch = torch.broadcast_shapes(*(part.law.batch_shape[:-1] for part in parts))
        # of one batch, so that no two of its rows share their draws
        self.parts = tuple(_in_batch(part, batch) for part in parts)
        self._order = torch.cat([part.places for part in parts]).argsort()
        super().__init__(batch, torch.Size([size]), validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """None of its own: each law knows its parameters."""
        return {}

    @property
    def support(self) -> constraints.Constraint:
        """Examples whose every column lies in the support of its law."""
        return _OfColumns(self)

    def cells(self, value: Tensor, observed: Tensor | None = None) -> Tensor:
        """Return log p of every single cell, `(..., D)`, nats; 0 where it was not observed."""
        found = []
        for part in self.parts:
            own = value.index_select(-1, part.places)
            if observed is None:
                found.append(part.law.log_prob(own))
                continue
            # filled inside the support before, dropped after: no value or gradient is left
            known = observed.index_select(-1, part.places)
            cells = part.law.log_prob(filled(own, known, part.filler))
            found.append(torch.where(known, cells, 0.0))
        return self._in_order(found)

    def log_prob(self, value: Tensor, observed: Tensor | None = None) -> Tensor:
        """Return the log-density of the observed cells, `(...)`, nats, float64.

        Of `value`, `(..., D)`, a cell that was not observed may hold anything.
        """
        return accumulate(self.cells(value, observed), 1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:  # type: ignore[override]
        """Draw examples, `(*sample_shape, *batch, D)`."""
        return self.gather(lambda law: law.sample(torch.Size(sample_shape)))

    @property
    def mean(self) -> Tensor:
        """The means of the columns, `(*batch, D)`; nan for classes without order."""
        return self.gather(lambda law: law.mean)

    @property
    def variance(self) -> Tensor:
        """The variances of the columns, `(*batch, D)`."""
        return self.gather(lambda law: law.variance)

    def gather(self, of: Callable[[Distribution], Tensor]) -> Tensor:
        """Put what `of` says of each law, `(..., n)`, in the order of the columns, `(..., D)`."""
        return self._in_order([of(part.law) for part in self.parts])

    def _in_order(self, found: list[Tensor]) -> Tensor:
        kinds = {part.dtype for part in found}
        dtype = kinds.pop() if len(kinds) == 1 else widest(found[0].device)
        shape = torch.broadcast_shapes(*(part.shape[:-1] for part in found))
        whole = torch.cat([part.expand(*shape, -1).to(dtype) for part in found], dim=-1)
        return whole.index_select(-1, self._order)

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same columns under a larger batch shape."""
        return Product([_in_batch(part, torch.Size(batch_shape)) for part in self.parts])


def _in_batch(part: Columns, batch: torch.Size) -> Columns:
    shape = torch.Size((*batch, len(part.places)))
    if part.law.batch_shape == shape:
        return part
    return Columns(part.places, part.law.expand(shape), part.filler)


class _OfColumns(constraints.Constraint):
    """The supports of the columns; countable if all of them are."""

    event_dim = 1

    def __init__(self, law: Product) -> None:
        self.law = law
        self.is_discrete = all(_support(part.law).is_discrete for part in law.parts)

    def check(self, value: Tensor) -> Tensor:
        """Tell which examples are in it, `(...)`."""
        columns = ((part.law, value.index_select(-1, part.places)) for part in self.law.parts)
        inside = [_support(law).check(own).all(dim=-1) for law, own in columns]
        return torch.stack(inside).all(dim=0)


def _support(law: Distribution) -> constraints.Constraint:
    return constraints.real if law.support is None else law.support


for _of in (centre, expected, spread):
    _of.register(Product, partial(Product.gather, of=_of))


@detached.register
def _(distribution: Product) -> Product:
    return Product([Columns(p.places, detached(p.law), p.filler) for p in distribution.parts])
