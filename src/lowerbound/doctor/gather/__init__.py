"""From a run and its data to the plain numbers of `Symptoms`."""

import torch

from lowerbound.data import Examples, Source


def some(part: Source, most: int) -> Examples:
    """Take at most so many examples, evenly spaced: a source may have sorted them by class."""
    if not isinstance(part, Examples):
        return part.few(most)
    if len(part) <= most:
        return part
    return part.select(torch.linspace(0, len(part) - 1, most).long())
