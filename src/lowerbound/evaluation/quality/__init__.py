"""How good samples are, without a network from elsewhere: each measure beside its null."""

from lowerbound.evaluation.quality.classifier import Classifier
from lowerbound.evaluation.quality.features import CHOICES, Inception, feature_space
from lowerbound.evaluation.quality.frechet import frechet_distance, frechet_error
from lowerbound.evaluation.quality.inception import InceptionV3, load_inception
from lowerbound.evaluation.quality.memorisation import (
    Memorisation,
    copies,
    mann_whitney,
    memorisation,
)
from lowerbound.evaluation.quality.neighbours import (
    coverage,
    density,
    expected_coverage,
    nearest,
    precision,
    recall,
)
from lowerbound.evaluation.quality.pixels import PCA, Pixels
from lowerbound.evaluation.quality.quality import Against, SampleQuality, sample_quality
from lowerbound.evaluation.quality.space import FeatureSpace
from lowerbound.evaluation.quality.two_sample import TwoSample, two_sample_test

__all__ = [
    # the whole
    "SampleQuality", "Against", "sample_quality",
    # feature spaces
    "CHOICES", "FeatureSpace", "feature_space", "Pixels", "PCA", "Classifier", "Inception",
    "InceptionV3", "load_inception",
    # measures
    "frechet_distance", "frechet_error", "precision", "recall", "density", "coverage",
    "expected_coverage", "TwoSample", "two_sample_test", "Memorisation", "memorisation",
    "mann_whitney", "nearest", "copies",
]  # fmt: skip
