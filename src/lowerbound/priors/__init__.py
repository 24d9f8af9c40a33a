"""Priors p(z)."""

from lowerbound.priors.standard_normal import StandardNormal

__all__ = ["StandardNormal"]
