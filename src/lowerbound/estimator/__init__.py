"""`AutoVAE`, the scikit-learn face: model, objective and training are chosen from the data."""

from lowerbound.estimator.auto_vae import AutoVAE

__all__ = ["AutoVAE"]
