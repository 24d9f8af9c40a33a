"""Which of several runs is better, with an interval, on examples that none of them has seen."""

from lowerbound.compare.compare import Comparison, Difference, Standing, compare_runs
from lowerbound.compare.paired import Paired, paired

__all__ = ["Comparison", "Difference", "Paired", "Standing", "compare_runs", "paired"]
