"""Products of a prior, a posterior and a likelihood."""

from lowerbound.models.vae import VAE

__all__ = ["VAE"]
