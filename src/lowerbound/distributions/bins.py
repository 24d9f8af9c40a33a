"""Where the numbers of a column lie: values with a bin of their own, and ranges for the others."""

from dataclasses import dataclass
from itertools import pairwise

from lowerbound.errors import DataError


@dataclass(frozen=True)
class Bins:
    """The bins of a column, and how many training examples each holds.

    The line is cut at edges e_0 < ... < e_R into a range below e_0, R ranges up to e_R, and one
    above; atoms are values that belong to no range. A column of codes 0, 1, ... has neither atoms
    nor edges, but one bin a code.

    Args:
        counts: Of each atom; then of the range below, the R ranges, and the range above. Or of
            each code.
        atoms: Ascending.
        edges: Ascending, at least two; halves in a column of whole numbers.
        whole: Whether the column holds whole numbers.
        low: The least number that there can be; None without a limit.
        high: The greatest, likewise.

    Raises:
        DataError: The parts contradict each other.

    Example:
        >>> bins = Bins(counts=(5, 0, 3, 2, 0), atoms=(0.0,), edges=(-1.0, 0.5, 4.0))
        >>> bins.ranges, bins.coded
        (2, False)
    """

    counts: tuple[int, ...]
    atoms: tuple[float, ...] = ()
    edges: tuple[float, ...] = ()
    whole: bool = False
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if self.coded:
            fits = len(self.counts) >= 2 and not self.atoms
        else:
            fits = self.ranges >= 1 and len(self.counts) == len(self.atoms) + self.ranges + 2
        if not fits:
            raise DataError(
                f"{len(self.counts)} counts do not fit {len(self.atoms)} atoms and "
                f"{len(self.edges)} edges"
            )
        for name in ("atoms", "edges"):
            values = getattr(self, name)
            if any(b <= a for a, b in pairwise(values)):
                raise DataError(f"{name} of bins must ascend")
        if min(self.counts) < 0 or not any(self.counts):
            raise DataError("bins need some examples, and none less than 0")

    @property
    def coded(self) -> bool:
        """Whether the column holds codes 0, 1, ..., one bin each."""
        return not self.edges

    @property
    def ranges(self) -> int:
        """R, the number of ranges between the first edge and the last."""
        return len(self.edges) - 1
