"""Tensor to tensor, sized from the data's shape. One architecture a file."""

from lowerbound.networks.mlp import MLP
from lowerbound.networks.residual import ResidualDecoder, ResidualEncoder
from lowerbound.networks.standardize import Standardize

__all__ = ["MLP", "ResidualDecoder", "ResidualEncoder", "Standardize"]
