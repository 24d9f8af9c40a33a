"""The scikit-learn face: model, objective and training are chosen from the data."""

from lowerbound.estimator.auto_vae import AutoVAE
from lowerbound.estimator.detector import VAEDetector
from lowerbound.estimator.imputer import VAEImputer

__all__ = ["AutoVAE", "VAEDetector", "VAEImputer"]
