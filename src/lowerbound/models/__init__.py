"""Products of a prior, a posterior and a likelihood; and the law of gaps."""

from lowerbound.models.constrained import Constrained
from lowerbound.models.dmm import DeepMarkov
from lowerbound.models.gaps import Gaps
from lowerbound.models.semi_supervised import SemiSupervised
from lowerbound.models.vae import VAE

__all__ = ["VAE", "Constrained", "DeepMarkov", "Gaps", "SemiSupervised"]
