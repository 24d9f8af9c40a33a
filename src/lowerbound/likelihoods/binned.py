"""The law of columns that are cut into bins."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.distributions import Binned as BinnedDistribution
from lowerbound.distributions import Bins, Layout
from lowerbound.errors import SupportError
from lowerbound.likelihoods.cells import Cells, Site, check_levels


class Binned(Cells):
    """p(x|z): each column a softmax over its bins, and uniform or falling within one.

    Values that occur often have a bin of their own, quantiles cut the range of the others, and
    codes of words have one bin each: any shape of law, with an exact density. Columns of all kinds
    and of different numbers of bins are computed together.

    Args:
        bins: Of each column; those of a column of codes have no edges.
        ordered: Whether the codes of a column are levels, which have a mean; all are if None.

    Source: softmax over the values of pixels: van den Oord, Kalchbrenner & Kavukcuoglu (2016),
        section 2.2, arXiv 1601.06759.
    Differs: in the ranges, whose edges follow the data, and the tails beyond them.

    Example:
        >>> from lowerbound.likelihoods import Fields, outputs_of
        >>> from lowerbound.networks import MLP
        >>> columns = [Bins((3, 5)), Bins((4, 0, 2, 0), atoms=(0.0,), edges=(0.0, 7.0))]
        >>> laws = {(0, 1): Binned(columns)}
        >>> p = Fields(MLP((3,), outputs_of(laws, (2,))), laws)
        >>> p(torch.zeros(5, 3)).log_prob(torch.tensor([1.0, 2.5])).shape
        torch.Size([5])
    """

    formula = "Binned(x; softmax f(z))"
    name = "binned"
    kinds = frozenset(
        {"binary", "categorical", "ordinal", "count", "whole", "real", "positive", "bounded",
         "date", "datetime", "time", "duration", "cyclic"}
    )  # fmt: skip
    ragged = True

    def __init__(self, bins: Sequence[Bins], *, ordered: Sequence[bool] | None = None) -> None:
        super().__init__()
        self.layout = Layout(bins, ordered)

    def numbers(self, columns: int) -> int:
        """One logit for each bin that held a training example."""
        return self.layout.logits

    def of_columns(self, numbers: Tensor) -> Distribution:
        """Return the columns from their logits, `(..., numbers)`."""
        return BinnedDistribution(numbers, self.layout)

    def law(self, parameters: Tensor) -> Distribution:
        """Return one column from its logits, `(..., 1, bins)`."""
        return self.of_columns(parameters.squeeze(-2))

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `SupportError` unless each column holds what its bins can."""
        for place, one in enumerate(self.layout.bins):
            own = x[..., place]
            if one.coded:
                check_levels(own, len(one.counts), self.name, name, "give the codes of training")
            else:
                _check_numbers(own, one, name)

    def start(self, mean: Tensor) -> Tensor:
        """Return the logits at which each column is as in training, `(numbers,)`."""
        return self.layout.start()


def binned(site: Site) -> Binned:
    """Columns of all kinds: a softmax over frequent values and ranges, measured in training."""
    if site.bins is None:
        # a law of two codes answers for the kinds; columns without measures have no other
        return Binned([Bins((1,) * max(2, site.levels or 2))])
    return Binned(site.bins, ordered=site.ordered)


def _check_numbers(x: Tensor, bins: Bins, name: str) -> None:
    if x.numel() == 0:
        return
    low = float("-inf") if bins.low is None else bins.low
    high = float("inf") if bins.high is None else bins.high
    if not bool((torch.isfinite(x) & (x >= low) & (x <= high)).all()):
        raise SupportError(
            f"likelihood 'binned' needs finite numbers from {low:g} to {high:g}, got min "
            f"{float(x.min()):g}, max {float(x.max()):g} in '{name}'; correct them, or make them "
            "gaps"
        )
    if bins.whole and x.is_floating_point() and not bool((x == x.round()).all()):
        raise SupportError(
            f"likelihood 'binned' needs whole numbers as in training, got fractions in '{name}'; "
            "round them"
        )
