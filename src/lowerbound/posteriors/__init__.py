"""Approximate posteriors q(z|x)."""

from lowerbound.posteriors.diagonal_gaussian import DiagonalGaussian
from lowerbound.posteriors.full_gaussian import FullGaussian

__all__ = ["DiagonalGaussian", "FullGaussian"]
