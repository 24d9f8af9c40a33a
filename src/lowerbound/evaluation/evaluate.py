"""An honest statement of how good a model is, with standard errors."""

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lowerbound.core import Model, device_of
from lowerbound.data import Data, Examples, Source, StoredExamples
from lowerbound.errors import SettingError
from lowerbound.evaluation.accuracy import accuracy
from lowerbound.evaluation.amortisation import gaps as search_gaps
from lowerbound.evaluation.annealed import Annealing, annealed
from lowerbound.evaluation.estimate import Estimate
from lowerbound.evaluation.evidence import evidence
from lowerbound.evaluation.information import information
from lowerbound.evaluation.law import counts, law_of
from lowerbound.evaluation.quality import SampleQuality, sample_quality
from lowerbound.evaluation.quality.checks import LIMIT
from lowerbound.evaluation.quality.quality import SEARCHED
from lowerbound.evaluation.sandwich import sandwich
from lowerbound.evaluation.sandwich import simulated as drawn_examples
from lowerbound.evaluation.statement import Evaluation, Generalisation, Tightened, summarize
from lowerbound.seeding import fresh_seed, seeded

#: Draws for each training example, whose ELBO is compared with the held-out one: a mean over
#: examples needs few draws of each.
TRAIN_SAMPLES = 10
#: Most training examples for that.
TRAIN_EXAMPLES = 5000
#: Fewest held-out examples that samples are compared with, and half the fewest training ones.
FEWEST_HELD_OUT = 50
#: Most cells of training examples on disk that samples are compared with.
QUALITY_CELLS = 2**26

Progress = Callable[[int, int], None]


def evaluate(
    model: Model,
    data: Data | Source | Tensor,
    *,
    samples: int = 100,
    ais: int = 0,
    gaps: int = 0,
    simulated: int = 0,
    quality: int = 0,
    features: str | Path = "auto",
    annealing: Annealing | None = None,
    seed: int | None = 0,
    name: str = "data",
    split: str | None = None,
    progress: Progress | None = None,
    stage: Callable[[str], None] | None = None,
) -> Evaluation:
    """State how good a model is, how sure that is, and where it falls short.

    Always: bounds on log p(x) for a ladder of draws and whether they have converged, rate and
    distortion, active units, the rate taken apart, and, where `data` is a `Data`, the gap to the
    training examples. On request, each for so many examples chosen at random:

    Args:
        model: A model; `ais`, `gaps` and `simulated` need continuous latents.
        data: A `Data`, of which one split is read, or examples, or an array `(N, *event)`, of
            which everything is read.
        samples: Draws `K` for each example.
        ais: Examples whose bound is tightened by annealed importance sampling.
        gaps: Examples for which q is optimised, for the amortisation and approximation gaps.
        simulated: Examples to simulate, whose log p(x) is bounded from both sides.
        quality: Samples of the model to compare with the data, at least 50; needs a `Data`.
        features: Where these are compared: "auto", "pixels", "pca", "classifier", or the path of
            a .safetensors file with Inception weights.
        annealing: Settings of `ais` and `simulated`.
        seed: Of all draws; None for a fresh one.
        name: Name of the data; for a `Data`, where it came from.
        split: Which part of a `Data` to read, "test" if None; otherwise what the examples are
            called, "all" if None.
        progress: Called with (done, in all) within each stage.
        stage: Called with the name of each stage that begins.

    Returns:
        The statement. Every number is a log-likelihood of the data as stored, in nats.

    Raises:
        SettingError: A number is out of range, or the model or the data does not allow a request.
        UnknownNameError: A `Data` has no such split.
        DataError: There are no examples.
        SupportError: An example is impossible under the likelihood.
    """
    # refused before minutes have been spent on the stages in front of it
    for what, count, least in (
        ("ais", ais, 1), ("gaps", gaps, 1), ("simulated", simulated, 2), ("quality", quality, 50)
    ):  # fmt: skip
        if isinstance(count, bool) or not isinstance(count, int) or 0 != count < least:
            words = f"{what} must be 0 or a whole number of at least {least}"
            raise SettingError(f"{words}, got {count!r}")
    whole = data if isinstance(data, Data) else None
    if quality and (why := why_no_quality(whole, split)):
        raise SettingError(f"samples are compared with training and held-out data: {why}")
    if whole is not None:
        name, split = whole.source, split or "test"
        examples = whole.part(split)
    elif isinstance(data, Examples | StoredExamples):
        examples = data
    else:
        examples = Examples(torch.as_tensor(data))

    def begin(words: str) -> None:
        if stage is not None:
            stage(words)

    known = examples.extremes()
    model.check(known.x, known.observed, name)
    seed = fresh_seed() if seed is None else seed  # drawn once, for all of it
    begin("bounds on log p(x)")
    found = evidence(model, examples, samples, seed=seed, progress=progress)
    stated = summarize(found, examples, counts(law_of(model, examples)), name, split)
    more: dict[str, Any] = {"accuracy": accuracy(model, examples)}
    if len(examples) > 1:
        with suppress(SettingError):  # not every model has a q(z)
            more["information"] = information(model, examples, seed=seed)
    if whole is not None and split != "train":
        begin("training examples")
        more["generalisation"] = _generalisation(model, whole, stated, seed)
    if ais:
        begin("annealed importance sampling")
        some = chosen(examples, ais, seed)
        way = annealing or Annealing()
        more["tightened"] = _tightened(model, some, way, samples, seed, progress)
    if gaps:
        begin("optimising q(z|x)")
        some = chosen(examples, gaps, seed)
        more["gaps"] = search_gaps(model, some, samples=samples, seed=seed, progress=progress)
    if simulated:
        begin("simulated examples")
        told: dict[str, Any] = {"samples": samples, "seed": seed, "progress": progress}
        more["simulated"] = sandwich(model, simulated, annealing, **told)
    if quality and whole is not None:
        begin("sample quality")
        held_out = examples if split != "train" else whole.test
        more["quality"] = _quality(model, whole, held_out, quality, features, seed)
    return replace(stated, **more)


def why_no_quality(data: Data | None, split: str | None = None) -> str | None:
    """Tell why samples cannot be compared with this data, or None if they can."""
    if data is None:
        return "these examples have no splits; give a Data"
    held_out = data.part(split) if split not in (None, "train") else data.test
    if len(held_out) < FEWEST_HELD_OUT or len(data.train) < 2 * FEWEST_HELD_OUT:
        return (
            f"there are {len(data.train)} and {len(held_out)} examples, and it takes "
            f"{2 * FEWEST_HELD_OUT} and {FEWEST_HELD_OUT}; leave quality out"
        )
    if data.train.observed is not None or held_out.observed is not None:
        return "some cells are missing; leave quality out"
    return None


def chosen(examples: Source, count: int, seed: int | None) -> Examples:
    """Load so many of the examples at random, or all if there are not more."""
    if count >= len(examples):
        return examples.load()
    with seeded(seed, stream="choice"):
        return examples.select(torch.randperm(len(examples))[:count].sort().values).load()


def _generalisation(
    model: Model, data: Data, stated: Evaluation, seed: int | None
) -> Generalisation:
    count = min(TRAIN_EXAMPLES, max(stated.examples, 500))
    some = chosen(data.train, count, seed)
    found = evidence(model, some, min(stated.samples, TRAIN_SAMPLES), seed=seed)
    elbo = Estimate.of(found.elbo)
    errors = (elbo.standard_error, stated.elbo.standard_error)
    error = None if None in errors else math.hypot(*errors)  # type: ignore[arg-type]
    return Generalisation(len(some), elbo, Estimate(elbo.mean - stated.elbo.mean, error))


def _tightened(
    model: Model,
    some: Examples,
    annealing: Annealing,
    samples: int,
    seed: int | None,
    progress: Progress | None,
) -> Tightened:
    ways = annealed(model, some, annealing, seed=seed, progress=progress)
    plain = evidence(model, some, samples, seed=seed)
    return Tightened(
        examples=len(some),
        temperatures=annealing.temperatures,
        chains=annealing.chains,
        importance_weighted=Estimate.of(plain.log_likelihood),
        annealed=Estimate.of(ways.bound, draw_variance=ways.draw_variance),
        gain=Estimate.of(ways.bound - plain.log_likelihood),
        acceptance=float(ways.acceptance.mean()),
    )


def _quality(
    model: Model, data: Data, held_out: Source, count: int, features: str | Path, seed: int | None
) -> SampleQuality:
    _, samples = drawn_examples(model, count, seed=seed)
    # of data on disk a part is compared with, at random; of data in memory nothing changes
    most = max(5000, min(SEARCHED, QUALITY_CELLS // data.schema.dimensions))
    return sample_quality(
        samples,
        chosen(data.train, most, seed) if data.stored else data.train.load(),
        chosen(held_out, most, seed) if data.stored else held_out.load(),
        schema=data.schema,
        features=features,
        most=min(count, LIMIT),
        seed=seed,
        device=device_of(model),
    )
