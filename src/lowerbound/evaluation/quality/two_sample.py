"""Can a classifier tell samples from data? The classifier two-sample test."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lowerbound.evaluation.quality.classifier import perceptron
from lowerbound.evaluation.quality.frechet import pair

#: Fewest examples of each kind: a quarter of all tells a share to within 0.1.
FEWEST = 20
#: Rectified units of the hidden layer.
HIDDEN = (64,)
#: Passes over the training half.
EPOCHS = 20


@dataclass(frozen=True)
class TwoSample:
    """Outcome of a classifier two-sample test.

    Attributes:
        accuracy: Share of the examples it was not trained on that are told apart rightly.
        standard_error: Of the accuracy.
        p_value: Probability of an accuracy as high if both sets had one law.
        tested: On how many examples, half of them of each kind.
    """

    accuracy: float
    standard_error: float
    p_value: float
    tested: int


def two_sample_test(a: Tensor, b: Tensor, *, seed: int = 0) -> TwoSample:
    """Train a classifier to tell two sets apart, and test it on halves that it has not seen.

    If the sets have one law its accuracy is 1/2, with variance 1 / (4 tested) at most.

    Args:
        a: Features `(N, F)`, at least 20.
        b: Features `(M, F)`, likewise; of the larger set only as many are used as the other has.
        seed: Of the halves and of the classifier, a perceptron of 64 hidden units.

    Returns:
        Accuracy, from about 1/2 (one law) to 1, and its p-value, which is uniform under one law or
        a little too large, never too small.

    Raises:
        ShapeError: `a` and `b` are no matrices of the same width.
        DataError: A set has fewer than 20 examples.

    Source: Lopez-Paz & Oquab (2017), section 3, arXiv 1610.06545.
    """
    pair(a, b, least=FEWEST)
    generator = torch.Generator().manual_seed(seed)
    count = min(len(a), len(b))
    half = count // 2
    kinds = [x[torch.randperm(len(x), generator=generator)[:count]] for x in (a, b)]
    train = torch.cat([x[half:] for x in kinds]).double()
    test = torch.cat([x[:half] for x in kinds]).double()
    mean, spread = train.mean(dim=0), train.std(dim=0)
    spread = torch.where(spread > 0, spread, 1.0)
    label = torch.arange(2).repeat_interleave(count - half)
    truth = torch.arange(2).repeat_interleave(half)
    classifier = perceptron((train - mean) / spread, label, HIDDEN, epochs=EPOCHS, seed=seed)
    # a constant feature of training may vary in the test half: far beyond, it says nothing more
    seen = ((test - mean) / spread).clamp(-100, 100)
    found = torch.from_numpy(classifier.predict(seen.float().numpy()))
    accuracy = float((found == truth).double().mean())
    tested = len(truth)
    error = math.sqrt(accuracy * (1 - accuracy) / tested)
    return TwoSample(accuracy, error, at_least(int((found == truth).sum()), tested), tested)


def at_least(hits: int, of: int) -> float:
    """Return the probability of so many heads or more, at most `of`, in tosses of a fair coin.

    The share of hits in two halves of one law is at most as variable: Hoeffding (1956).
    """
    k = torch.arange(hits, of + 1, dtype=torch.float64)
    ways = math.lgamma(of + 1) - torch.lgamma(k + 1) - torch.lgamma(of - k + 1)
    return min(1.0, float((ways - of * math.log(2.0)).logsumexp(dim=0).exp()))


def above(score: float) -> float:
    """Return the probability that a standard normal exceeds `score`."""
    return 0.5 * math.erfc(score / math.sqrt(2))
