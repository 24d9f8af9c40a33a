"""What is compared with what, what is said of it, and what is refused: on the cells themselves."""

import math
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from lowerbound.data import Examples, Field, Schema
from lowerbound.errors import DataError, SettingError
from lowerbound.evaluation.quality import (
    Against,
    FeatureSpace,
    SampleQuality,
    TwoSample,
    copies,
    coverage,
    density,
    frechet_distance,
    frechet_error,
    memorisation,
    nearest,
    precision,
    recall,
    sample_quality,
)
from lowerbound.evaluation.quality.space import some

MODULE = sys.modules[sample_quality.__module__]
REAL = Schema((Field("x", "real", (2,)),), (2,))
LEVELS = Schema((Field("x", "ordinal", (2,), 5),), (2,))


class Cells(FeatureSpace):
    """The cells themselves."""

    name, words, dimensions, shape = "cells", "the cells", 2, (2,)

    def __init__(self, costly: bool = False, factor: float = 1.0) -> None:
        self.costly, self.factor = costly, factor

    def embed(self, x: Tensor) -> Tensor:
        return self.factor * x


TOLD = [TwoSample(0.75, 0.02, 1e-4, 60), TwoSample(0.5, 0.03, 0.4, 60)]


@pytest.fixture
def asked(monkeypatch) -> list[tuple[Tensor, Tensor, int]]:
    """What the two-sample test was asked; its answers are written down."""
    calls = []

    def answer(a, b, *, seed):
        calls.append((a, b, seed))
        return TOLD[(len(calls) - 1) % 2]

    monkeypatch.setattr(MODULE, "two_sample_test", answer)
    return calls


def sets(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    made = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(n, 2, generator=made) for n in (60, 130, 70))


def test_every_measure_is_of_samples_and_of_held_out_examples_against_the_same_others(asked):
    samples, train, held_out = sets()
    samples[4], held_out[5] = train[9], train[7]
    q = sample_quality(
        samples, Examples(train), Examples(held_out), schema=REAL, features=Cells(), seed=3
    )
    order = some(130, 130, 3)
    known = train[order[:60]].double()
    drawn, held = samples[some(60, 60, 3)].double(), held_out[some(60, 70, 3)].double()
    ((a, b, seed), (c, d, again)) = asked
    assert all(map(torch.equal, (a, b, c, d), (drawn, known, held, known)))
    assert (seed, again) == (3, 3)

    def share(measure: Any) -> tuple[float, float, float]:
        value = measure(drawn, known)
        return value, measure(held, known), math.sqrt(value * (1 - value) / 60)

    close = memorisation(nearest(drawn, train), nearest(held, train))
    value, null, error = share(precision)
    assert 0 < value < 1
    assert q.precision == Against(
        value, null, "share of samples", "higher", "samples that lie among the data", error
    )
    value, null, error = share(recall)
    assert q.recall == Against(
        value, null, "share of data", "higher", "data that lie among the samples", error
    )
    value, null, error = share(coverage)
    assert q.coverage == Against(
        value, null, "share of data", "higher", "data that have a sample near", error
    )
    assert q.frechet == Against(
        frechet_distance(drawn, known), frechet_distance(held, known),
        "squared units of the features", "lower",
        "distance of means and covariances; it falls as 1 / samples towards a limit, so compare "
        "it at one number only", frechet_error(drawn, known),
    )  # fmt: skip
    assert q.density == Against(
        density(drawn, known), density(held, known),
        "real examples near a sample, over those near a real one", "higher",
        "how deep samples lie among the data; above real data, they crowd in its thick",
    )  # fmt: skip
    assert q.two_sample == Against(
        0.75, 0.5, "share told apart", "lower",
        "accuracy of a classifier that tells samples from data: 0.5 by chance, 1 always",
        0.02, 1e-4, 0.4,
    )  # fmt: skip
    assert q.nearest == Against(
        close.ratio, 1.0, "median of held-out distances", "null",
        "distance to the nearest training example: below 1 copying or smoothness, above 1 samples "
        "unlike the data",
    )  # fmt: skip
    assert q.closer == Against(
        close.closer, close.closer_held_out, "share of samples", "null",
        "samples nearer to a training example than all but 1 % of held-out examples",
        close.closer_error,
    )  # fmt: skip
    assert q.copying == Against(
        close.score, 0.0, "standard errors", "null",
        "Mann-Whitney test C_T of these distances: far below 0 samples are too near to training, "
        "far above 0 too far", p_value=close.p_value,
    )  # fmt: skip
    assert q.copies == Against(
        1.0, float(copies(held.float(), train)), "samples", "null",
        "samples that equal a training example in every cell, means rounded to levels",
    )  # fmt: skip
    assert (q.kind, q.count, q.searched, q.seed) == ("draws", 60, 130, 3)
    assert q.features == {"name": "cells", "words": "the cells", "dimensions": 2}
    assert q.nearest_features == "the cells"


def test_samples_beyond_what_is_asked_for_are_left_out_at_random(asked):
    samples, train, held_out = sets()
    parts = (samples, Examples(train), Examples(held_out))
    q = sample_quality(*parts, schema=REAL, features=Cells(), most=50)
    assert (q.count, q.seed) == (50, 0)
    ((drawn, known, _), (held, _, _)) = asked
    assert torch.equal(drawn, samples[some(50, 60, 0)].double())
    assert torch.equal(held, held_out[some(50, 70, 0)].double())
    assert torch.equal(known, train[some(130, 130, 0)[:50]].double())
    assert sample_quality(*parts, schema=REAL, features=Cells(), most=5000, kind="means").kind == (
        "means"
    )
    assert sample_quality(*parts, schema=REAL, features=Cells(), most=50, seed=0) == q


def test_the_space_is_chosen_for_training_examples_that_are_not_compared(asked, monkeypatch):
    samples, train, held_out = sets()
    label, calls = torch.arange(130), []
    monkeypatch.setattr(
        MODULE, "feature_space", lambda *given, **named: calls.append((given, named)) or Cells()
    )
    some_train = Examples(train, label=label)
    sample_quality(
        samples, some_train, Examples(held_out), schema=REAL, features="pca", seed=3, device="meta"
    )
    sample_quality(samples, some_train, Examples(held_out), schema=REAL)
    (((rest, schema, choice), named), ((_, _, plainly), other)) = calls
    assert torch.equal(rest.x, train[some(130, 130, 3)[60:]])
    assert torch.equal(rest.label, some(130, 130, 3)[60:])
    assert (schema, choice, named) == (REAL, "pca", {"seed": 3, "device": "meta"})
    assert (plainly, other) == ("auto", {"seed": 0, "device": "cpu"})


def test_neighbours_are_looked_for_in_cheap_features_where_the_others_are_costly(
    asked, monkeypatch
):
    samples, train, held_out = sets()
    calls, cheap = [], Cells(factor=-2.0)
    cheap.words = "twice the cells, turned round"
    monkeypatch.setattr(
        MODULE.PCA, "fit", lambda *given, **named: calls.append((given, named)) or cheap
    )
    monkeypatch.setattr(MODULE, "SEARCHED", 20)
    parts = (samples, Examples(train), Examples(held_out))
    q = sample_quality(*parts, schema=REAL, features=Cells(costly=True), seed=3)
    (((rest, schema), named),) = calls
    assert torch.equal(rest.x, train[some(130, 130, 3)[60:]])
    assert (schema, named) == (REAL, {"seed": 3})
    memory = -2.0 * train[some(130, 130, 3)[:20]].double()
    drawn = -2.0 * samples[some(60, 60, 3)].double()
    held = -2.0 * held_out[some(60, 70, 3)].double()
    close = memorisation(nearest(drawn, memory), nearest(held, memory))
    assert (q.nearest.value, q.copying.value) == (close.ratio, close.score)
    assert q.nearest_features == "twice the cells, turned round"
    assert q.searched == 20
    assert q.lines()[-1] == (
        "nearest examples: of 20 training examples, in twice the cells, turned round"
    )


def test_no_more_than_fifty_thousand_examples_are_searched():
    assert MODULE.SEARCHED == 50_000


def test_means_are_rounded_to_levels_before_copies_are_counted(asked):
    made = torch.Generator().manual_seed(2)
    x = torch.randint(0, 5, (230, 2), generator=made, dtype=torch.uint8)
    train, held_out = Examples(x[:110]), Examples(x[110:170])
    draws = x[170:].double()
    q = sample_quality(draws, train, held_out, schema=LEVELS, features=Cells())
    near = (draws - 0.3).clamp(0, 4)
    means = sample_quality(near, train, held_out, schema=LEVELS, features=Cells(), kind="means")
    chosen = some(55, 60, 0)
    assert q.copies.value == means.copies.value == copies(x[170:][chosen], x[:110])
    assert q.copies.null == copies(x[110:170][chosen], x[:110])


# what is said


def told() -> SampleQuality:
    def measure(value: float, better: Any = "higher", **more: float) -> Against:
        return Against(value, 0.5, "nats", better, "words", **more)

    return SampleQuality(
        kind="means", count=1234, searched=50_000, seed=7, features={"words": "the cells"},
        nearest_features="the cells", frechet=measure(1.23456, "lower", standard_error=0.0371),
        precision=measure(0.25), recall=measure(0.1), density=measure(1.0), coverage=measure(0.0),
        two_sample=measure(0.7512, "lower", standard_error=0.02, p_value=1e-4, null_p_value=0.43),
        nearest=measure(1.0, "null"), closer=measure(0.0, "null"),
        copying=measure(-3.0, "null", p_value=0.0013), copies=measure(math.nan, "null"),
    )  # fmt: skip


def test_a_table_says_every_measure_with_its_error_its_chance_and_its_null():
    rows = told().rows()
    assert rows[0] == ("frechet", "1.235 ± 0.037", "0.5", "lower")
    assert rows[1] == ("precision", "0.25", "0.5", "higher")
    assert rows[5] == ("two sample", "0.7512 ± 0.02 (p = 0.0001)", "0.5 (p = 0.43)", "lower")
    assert rows[6] == ("nearest", "1", "0.5", "as real data")
    assert rows[8] == ("copying", "-3 (p = 0.0013)", "0.5", "as real data")
    assert len(rows) == 10


def test_the_lines_are_a_heading_a_table_and_the_features():
    lines = told().lines()
    assert lines[0] == (
        "1,234 means, beside 1,234 held-out examples, both against 1,234 training examples"
    )
    assert lines[1] == "measure     means                       real data       better"
    assert lines[2] == "frechet     1.235 ± 0.037               0.5             lower"
    assert lines[7] == "two sample  0.7512 ± 0.02 (p = 0.0001)  0.5 (p = 0.43)  lower"
    assert lines[12:] == [
        "features: the cells",
        "nearest examples: of 50,000 training examples, in the same features",
    ]
    other = replace(told(), nearest_features="other cells").lines()
    assert other[-1] == "nearest examples: of 50,000 training examples, in other cells"


def test_it_is_told_in_json_with_every_measure_under_its_name():
    document = told().to_json()
    assert list(document) == [
        "kind", "count", "searched", "seed", "features", "nearest_features", "frechet",
        "precision", "recall", "density", "coverage", "two_sample", "nearest", "closer", "copying",
        "copies",
    ]  # fmt: skip
    assert (document["kind"], document["count"], document["seed"]) == ("means", 1234, 7)
    assert document["two_sample"] == told().two_sample.to_json()
    assert document["copies"]["value"] is None


# what is refused


@pytest.mark.parametrize("most", [49, 5001, True, 60.0, "60"])
def test_an_impossible_number_to_compare_is_refused(most):
    with pytest.raises(SettingError, match=rf"^most must be from 50 to 5,000 .* got {most!r}$"):
        sample_quality(
            torch.zeros(60, 2), Examples(torch.zeros(130, 2)), Examples(torch.zeros(70, 2)),
            schema=REAL, most=most,
        )  # fmt: skip


def test_a_refusal_names_which_examples_are_at_fault():
    whole, gaps = (
        Examples(torch.zeros(130, 2)),
        Examples(torch.zeros(130, 2), torch.eye(130, 2) > 0),
    )
    for train, held_out, what in ((gaps, whole, "training"), (whole, gaps, "held-out")):
        with pytest.raises(DataError, match=f"^{what} examples have missing cells"):
            sample_quality(torch.zeros(60, 2), train, held_out, schema=REAL)
