"""Independent cells, summed in float64, with cells left out where nothing was observed."""

import torch
from torch import Tensor
from torch.distributions import Independent as TorchIndependent

#: The most cells that are summed in their own precision.
RUN = 128


def accumulate(cells: Tensor, axes: int) -> Tensor:
    """Sum the last `axes` axes in float64 (float32 on MPS devices, which have no float64).

    Many float32 cells are first summed in float32, in runs of at most 128, and the runs in float64:
    no copy of all cells in float64 is made or differentiated. The sum is then right to about the
    seventh digit of the sizes of the cells added up, however many there are.

    Args:
        cells: `(..., *event)`.
        axes: How many axes are the event; with 0 the cells are only converted.

    Returns:
        `(...)`.
    """
    dtype = widest(cells.device)
    if axes == 0:
        return cells.to(dtype)
    flat = cells.flatten(start_dim=cells.ndim - axes)
    run = _run(flat.shape[-1]) if flat.dtype == torch.float32 else 1
    if run > 1:
        flat = flat.unflatten(-1, (-1, run)).sum(dim=-1)
    return flat.sum(dim=-1, dtype=dtype)


def widest(device: torch.device) -> torch.dtype:
    """Return the most precise floating-point type of a device."""
    return torch.float32 if device.type == "mps" else torch.float64


def filled(value: Tensor, observed: Tensor, filler: float) -> Tensor:
    """Return `value` with `filler` where it was not observed, in its own number type.

    Whatever such a cell holds (nan, inf, 1e30) is gone from value and gradient alike.
    """
    # where, not multiplication by the mask: nan * 0 is nan; a float would make floats of codes
    return torch.where(observed, value, filler if value.is_floating_point() else int(filler))


def _run(cells: int) -> int:
    """Choose how many cells, a divisor, are summed in their own precision; 1 if few are."""
    if cells > RUN:
        for run in range(RUN, 1, -1):
            if cells % run == 0:
                return run
    return 1


class Independent(TorchIndependent):
    """A product of independent cells: log p(x) = sum_d log p(x_d).

    Differs: from `torch.distributions.Independent` by how it sums (`accumulate`), and by
        `observed`.

    Args:
        base_distribution: Batch shape `(..., *event)`, one distribution a cell.
        reinterpreted_batch_ndims: How many trailing axes are the event.
        filler: A value inside the support of every cell, that unobserved ones are taken to hold.

    Example:
        >>> import torch
        >>> p = Independent(torch.distributions.Normal(torch.zeros(3), torch.ones(3)), 1)
        >>> float(p.log_prob(torch.zeros(3)))
        -2.7568...
    """

    def __init__(
        self,
        base_distribution: torch.distributions.Distribution,
        reinterpreted_batch_ndims: int,
        filler: float = 0.0,
    ) -> None:
        self.filler = filler
        super().__init__(base_distribution, reinterpreted_batch_ndims, validate_args=False)

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same cells under a larger batch shape."""
        event = self.event_shape[: self.reinterpreted_batch_ndims]
        base = self.base_dist.expand(torch.Size(batch_shape) + event)
        return Independent(base, self.reinterpreted_batch_ndims, self.filler)

    def cells(self, value: Tensor, observed: Tensor | None = None) -> Tensor:
        """Return log p of every single cell, `(..., *event)`, nats; 0 where it was not observed."""
        if observed is None:
            return self.base_dist.log_prob(value)
        # filled inside the support before, dropped after: neither a value nor a gradient is left
        cells = self.base_dist.log_prob(filled(value, observed, self.filler))
        return torch.where(observed, cells, 0.0)

    def log_prob(self, value: Tensor, observed: Tensor | None = None) -> Tensor:
        """Return the log-density of the observed cells, `(...)`, nats, float64.

        Of `value`, `(..., *event)`, a cell that was not observed may hold anything.
        """
        return accumulate(self.cells(value, observed), self.reinterpreted_batch_ndims)
