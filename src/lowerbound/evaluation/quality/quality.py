"""How good samples are: every measure beside what real data score on it."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from lowerbound.data import Examples, Schema
from lowerbound.errors import SettingError
from lowerbound.evaluation.quality import checks
from lowerbound.evaluation.quality.checks import FEWEST, LIMIT, MOST, Kind
from lowerbound.evaluation.quality.features import feature_space
from lowerbound.evaluation.quality.frechet import frechet_distance, frechet_error
from lowerbound.evaluation.quality.memorisation import copies, memorisation
from lowerbound.evaluation.quality.neighbours import coverage, density, nearest, precision, recall
from lowerbound.evaluation.quality.pixels import PCA
from lowerbound.evaluation.quality.space import FeatureSpace, some
from lowerbound.evaluation.quality.two_sample import two_sample_test

#: Most training examples among which the nearest one is looked for.
SEARCHED = 50_000


@dataclass(frozen=True)
class Against:
    """A measure of samples, and the same measure of real examples in their place.

    Attributes:
        value: Of the samples.
        null: Of as many held-out examples in the place of the samples: what a perfect model would
            score, up to chance.
        unit: Of the value.
        better: Whether a "lower" or a "higher" value is better, or one nearer to the "null".
        words: The verdict, in a sentence.
        standard_error: How far `value` may be from that of endlessly many of the examples that
            are counted (samples, or for a share of the data real ones), the others being as they
            are; None where that is not known.
        p_value: Probability, for a perfect model, of a value as bad or worse (as high of an
            accuracy, as low of C_T); None without a test.
        null_p_value: That of `null`.
    """

    value: float
    null: float
    unit: str
    better: Literal["lower", "higher", "null"]
    words: str
    standard_error: float | None = None
    p_value: float | None = None
    null_p_value: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary of plain values; None for what is no finite number."""
        return {
            key: None if isinstance(value, float) and value - value != 0 else value
            for key, value in asdict(self).items()
        }

    def __str__(self) -> str:
        error = "" if self.standard_error is None else f" ± {self.standard_error:.2g}"
        return f"{self.value:.4g}{error} {self.unit}, real data {self.null:.4g}"


@dataclass(frozen=True)
class SampleQuality:
    """How good samples are, measured beside as many held-out examples.

    Samples and held-out examples are each compared with the same training examples, in features
    fitted on other training examples.

    Attributes:
        kind: Whether samples are "draws" from p(x|z) or "means" of it.
        count: How many samples were compared, with as many training and held-out examples.
        searched: Among how many training examples the nearest ones were looked for.
        seed: Of the choice of examples, the features and the test.
        features: The feature space: its name, words and number of dimensions.
        nearest_features: In which features nearest neighbours were looked for, in words.
        frechet: Fréchet distance.
        precision: Share of samples that lie among the data.
        recall: Share of the data that lie among the samples.
        density: Real examples near a sample.
        coverage: Share of the data that have a sample near.
        two_sample: Accuracy of a classifier that tells samples from data.
        nearest: Median distance to the nearest training example, over that of held-out ones.
        closer: Share of samples nearer to training than all but 1 % of held-out examples.
        copying: C_T, a test whether samples are nearer to training than held-out examples are.
        copies: Samples that equal a training example in every cell.
    """

    kind: Kind
    count: int
    searched: int
    seed: int
    features: dict[str, Any]
    nearest_features: str
    frechet: Against
    precision: Against
    recall: Against
    density: Against
    coverage: Against
    two_sample: Against
    nearest: Against
    closer: Against
    copying: Against
    copies: Against

    @property
    def measures(self) -> dict[str, Against]:
        """All measures by name, in the order of the attributes."""
        named = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in named if isinstance(value, Against)}

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary of plain values."""
        measures = {name: measure.to_json() for name, measure in self.measures.items()}
        return {f.name: measures.get(f.name, getattr(self, f.name)) for f in fields(self)}

    def rows(self) -> list[tuple[str, str, str, str]]:
        """List for a table the measure, its value on samples, on real data, and what is better."""
        rows = []
        for name, m in self.measures.items():
            error = "" if m.standard_error is None else f" ± {m.standard_error:.2g}"
            chance = "" if m.p_value is None else f" (p = {m.p_value:.2g})"
            real = "" if m.null_p_value is None else f" (p = {m.null_p_value:.2g})"
            better = "as real data" if m.better == "null" else m.better
            row = (f"{m.value:.4g}{error}{chance}", f"{m.null:.4g}{real}", better)
            rows.append((name.replace("_", " "), *row))
        return rows

    def lines(self) -> list[str]:
        """Write the whole as text: the examples compared, a table, the features."""
        head = ("measure", self.kind, "real data", "better")
        rows = [head, *self.rows()]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        same = self.nearest_features == self.features["words"]
        place = "the same features" if same else self.nearest_features
        table = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return [
            f"{self.count:,} {self.kind}, beside {self.count:,} held-out examples, both against "
            f"{self.count:,} training examples",
            *table,
            f"features: {self.features['words']}",
            f"nearest examples: of {self.searched:,} training examples, in {place}",
        ]


def sample_quality(
    samples: Tensor,
    train: Examples,
    held_out: Examples,
    *,
    schema: Schema,
    features: str | Path | FeatureSpace = "auto",
    kind: Kind = "draws",
    most: int = MOST,
    seed: int | None = 0,
    device: torch.device | str = "cpu",
) -> SampleQuality:
    """Measure how like the data samples are, how much of the data they cover, and how new they are.

    Every measure comes with its null: the same measure of as many held-out examples. A model is as
    good as can be seen at this number of samples when value and null agree; values of different
    numbers, features or kinds do not compare.

    Args:
        samples: `(M, *shape)`, at least 50, in the units of the data.
        train: Training examples, at least 100. A random part of them is what samples are
            compared with, the rest is what features are fitted on; nearest neighbours are looked
            for among all, or 50,000 of them.
        held_out: Held-out examples, at least 50.
        features: A choice of `feature_space`, or a space. One fitted on examples of `train` makes
            them look unlike samples and held-out examples alike; a choice is fitted on others.
        kind: "draws" from p(x|z), which are what the model says the data are, or "means" of it,
            which lack its noise: smoother than any data, and nearer to everything. It is recorded,
            and draws of levels must be levels.
        most: How many samples are compared at most, 50 to 5,000; time and memory grow with its
            square.
        seed: Of the choice of examples, the features and the test; None for a fresh one.
        device: Where Inception runs.

    Returns:
        The measures, with their nulls.

    Raises:
        SettingError: `kind`, `most`, `seed` or `features` is impossible.
        ShapeError: Examples have another shape than the schema's.
        DataError: Too few examples, missing cells, a sample that is not finite, or weights that do
            not fit.
        SupportError: Samples have values that the data cannot have.

    Source: as each measure: `frechet_distance`, `precision`, `density`, `two_sample_test`,
        `memorisation`.
    """
    chosen = checks.checked_seed(seed)
    if isinstance(most, bool) or not isinstance(most, int) or not FEWEST <= most <= LIMIT:
        raise SettingError(f"most must be from {FEWEST} to {LIMIT:,} samples, got {most!r}")
    samples = checks.checked_samples(samples, schema, kind)
    for what, examples in (("training", train), ("held-out", held_out)):
        checks.check_whole(what, examples, schema)
    count = checks.number_compared(len(samples), len(train), len(held_out), most)
    order = some(len(train), len(train), chosen)
    reference, rest = train.x[order[:count]], train.select(order[count:])
    samples = samples[some(count, len(samples), chosen)]
    real = held_out.x[some(count, len(held_out), chosen)]
    if isinstance(features, FeatureSpace):
        space = features
    else:
        space = feature_space(rest, schema, features, seed=chosen, device=device)
    drawn, held, known = space(samples), space(real), space(reference)

    def both(measure: Callable[[Tensor, Tensor], float]) -> tuple[float, float]:
        return measure(drawn, known), measure(held, known)

    def share(measure: Callable[[Tensor, Tensor], float], unit: str, words: str) -> Against:
        value, null = both(measure)
        error = math.sqrt(value * (1 - value) / count)
        return Against(value, null, unit, "higher", words, error)

    told, told_null = (two_sample_test(x, known, seed=chosen) for x in (drawn, held))
    near = PCA.fit(rest, schema, seed=chosen) if space.costly else space
    searched = train.x[order[:SEARCHED]]
    memory = near(searched)
    close = memorisation(nearest(near(samples), memory), nearest(near(real), memory))
    return SampleQuality(
        kind=kind,
        count=count,
        searched=len(searched),
        seed=chosen,
        features=space.to_json(),
        nearest_features=near.words,
        frechet=Against(
            *both(frechet_distance),
            "squared units of the features",
            "lower",
            "distance of means and covariances; it falls as 1 / samples towards a limit, so "
            "compare it at one number only",
            frechet_error(drawn, known),
        ),
        precision=share(precision, "share of samples", "samples that lie among the data"),
        recall=share(recall, "share of data", "data that lie among the samples"),
        density=Against(
            *both(density),
            "real examples near a sample, over those near a real one",
            "higher",
            "how deep samples lie among the data; above real data, they crowd in its thick",
        ),
        coverage=share(coverage, "share of data", "data that have a sample near"),
        two_sample=Against(
            told.accuracy,
            told_null.accuracy,
            "share told apart",
            "lower",
            "accuracy of a classifier that tells samples from data: 0.5 by chance, 1 always",
            told.standard_error,
            told.p_value,
            told_null.p_value,
        ),
        nearest=Against(
            close.ratio,
            1.0,
            "median of held-out distances",
            "null",
            "distance to the nearest training example: below 1 copying or smoothness, above 1 "
            "samples unlike the data",
        ),
        closer=Against(
            close.closer,
            close.closer_held_out,
            "share of samples",
            "null",
            "samples nearer to a training example than all but 1 % of held-out examples",
            close.closer_error,
        ),
        copying=Against(
            close.score,
            0.0,
            "standard errors",
            "null",
            "Mann-Whitney test C_T of these distances: far below 0 samples are too near to "
            "training, far above 0 too far",
            p_value=close.p_value,
        ),
        copies=Against(
            float(copies(checks.as_stored(samples, schema), train.x)),
            float(copies(real, train.x)),
            "samples",
            "null",
            "samples that equal a training example in every cell, means rounded to levels",
        ),
    )
