"""The whole: what a perfect model scores, what each measure sees, and what is refused.

Statistical assertions fail on right code with probability 1e-6 each, beyond 4.9 standard errors;
the planted errors are so large that each is missed with less than that.
"""

import json

import pytest
import torch

from lowerbound.data import Examples, Field, Schema
from lowerbound.errors import DataError, SettingError, ShapeError, SupportError, UnknownNameError
from lowerbound.evaluation.quality import Against, Pixels, SampleQuality, sample_quality
from lowerbound.evaluation.quality import quality as module

SCHEMA = Schema((Field("x", "real", (6,)),), (6,))
BINARY = Schema((Field("x", "binary", (6,), 2),), (6,))


def two_modes(count: int) -> torch.Tensor:
    """Half of the examples around -3, half around 3, in every cell."""
    return torch.randn(count, 6) + 3 * (torch.randint(0, 2, (count, 1)) * 2 - 1)


TRAIN, HELD_OUT = 1200, 500


def judged(change) -> SampleQuality:
    torch.manual_seed(1)
    train, held_out, samples = two_modes(TRAIN), two_modes(HELD_OUT), two_modes(HELD_OUT)
    return sample_quality(
        change(samples, train).float(), Examples(train), Examples(held_out), schema=SCHEMA
    )


def differs(measure: Against, error: float) -> float:
    """Standard errors between value and null, both of a share or mean with this error."""
    return (measure.value - measure.null) / (error * 2**0.5)


def test_a_perfect_model_scores_what_real_data_score():
    q = judged(lambda samples, train: samples)
    for share in (q.precision, q.recall, q.coverage):
        assert share.standard_error is not None
        assert abs(differs(share, share.standard_error)) < 4.9
    assert abs(differs(q.density, 0.05)) < 4.9
    assert q.frechet.value < 3 * q.frechet.null
    for test in (q.two_sample, q.copying):
        assert test.p_value is not None
        assert test.p_value > 1e-6
    assert abs(q.copying.value) < 4.9
    assert q.nearest.value == pytest.approx(1, abs=0.15)
    assert abs(q.closer.value - q.closer.null) < 4.9 * (2 * 0.01 / 500) ** 0.5
    assert q.copies.value == q.copies.null == 0
    assert (q.count, q.searched, q.kind) == (500, 1200, "draws")


def test_shifted_samples_are_seen():
    q = judged(lambda samples, train: samples + 1.5)
    assert q.frechet.value > 50 * q.frechet.null
    assert q.precision.value < q.precision.null - 0.3
    assert q.recall.value < q.recall.null - 0.3
    assert q.density.value < 0.5
    assert q.coverage.value < q.coverage.null - 0.3
    assert q.two_sample.value > 0.9
    assert q.nearest.value > 1.2
    assert q.copying.value > 4.9


def test_narrower_samples_are_seen():
    q = judged(lambda samples, train: 3 * samples.sign() + 0.4 * torch.randn(samples.shape))
    assert q.frechet.value > 10 * q.frechet.null
    assert q.precision.value > q.precision.null  # too good to be true
    assert q.density.value > 1.3
    assert q.recall.value < 0.3
    assert q.coverage.value < q.coverage.null - 0.15
    assert q.two_sample.value > 0.75


def test_a_dropped_mode_is_seen():
    q = judged(lambda samples, train: samples.abs())
    assert q.frechet.value > 50 * q.frechet.null
    assert q.precision.value == pytest.approx(q.precision.null, abs=0.1)  # blind, as it should be
    assert q.recall.value < 0.6
    assert q.coverage.value < 0.6
    assert q.two_sample.value > 0.65
    assert q.two_sample.p_value is not None
    assert q.two_sample.p_value < 1e-6


def test_copies_of_the_training_set_are_seen_by_those_measures_alone():
    q = judged(lambda samples, train: train[:500])
    assert q.copies.value == 500
    assert q.copies.null == 0
    assert q.nearest.value == 0
    assert q.closer.value == 1
    assert q.copying.value < -20
    assert q.copying.p_value == pytest.approx(0, abs=1e-6)
    assert q.frechet.value < 3 * q.frechet.null
    assert q.precision.value > q.precision.null - 0.05
    assert q.two_sample.p_value is not None
    assert q.two_sample.p_value > 1e-6


def test_near_copies_are_seen_too():
    q = judged(lambda samples, train: train[:500] + 0.01 * torch.randn(500, 6))
    assert q.copies.value == 0
    assert q.closer.value > 0.9
    assert q.copying.value < -20


def test_noise_is_seen():
    q = judged(lambda samples, train: 3.1 * torch.randn(500, 6))  # the data's own variance
    assert q.precision.value < 0.3
    assert q.density.value < 0.3
    assert q.coverage.value < 0.5
    assert q.frechet.value > 10 * q.frechet.null
    assert q.two_sample.value > 0.9
    assert q.copying.value > 4.9


def test_the_space_is_fitted_on_other_training_examples_than_are_compared(monkeypatch):
    seen = {}

    def spy(train, schema, choice, *, seed, device):
        seen["fitted"] = train.x[:, 0]
        return Pixels.fit(train, schema)

    monkeypatch.setattr(module, "feature_space", spy)

    def precision(samples, reference):
        seen["compared"] = reference[:, 0]
        return 0.5

    monkeypatch.setattr(module, "precision", precision)
    train = torch.arange(300.0)[:, None].expand(300, 6)
    q = sample_quality(
        two_modes(100), Examples(train), Examples(two_modes(90)), schema=SCHEMA, seed=3
    )
    unit = Pixels.fit(Examples(seen["fitted"][:, None].expand(-1, 6)), SCHEMA)
    compared = (seen["compared"] * unit.unit[0] + unit.location[0]).round().tolist()
    fitted = seen["fitted"].tolist()
    assert q.count == len(set(compared)) == 90
    assert set(compared) | set(fitted) == set(range(300))
    assert not set(compared) & set(fitted)


def test_a_seed_repeats_the_whole_and_leaves_the_random_state_alone():
    samples, train, held_out = two_modes(80), Examples(two_modes(200)), Examples(two_modes(80))
    state = torch.get_rng_state()
    first = sample_quality(samples, train, held_out, schema=SCHEMA, seed=4)
    assert first == sample_quality(samples, train, held_out, schema=SCHEMA, seed=4)
    assert torch.equal(torch.get_rng_state(), state)
    fresh = sample_quality(samples, train, held_out, schema=SCHEMA, seed=None)
    again = sample_quality(samples, train, held_out, schema=SCHEMA, seed=fresh.seed)
    assert fresh == again


def test_it_is_told_in_plain_values_and_in_a_table():
    samples, train, held_out = two_modes(80), Examples(two_modes(200)), Examples(two_modes(80))
    q = sample_quality(samples, train, held_out, schema=SCHEMA, most=60, kind="means")
    document = json.loads(json.dumps(q.to_json(), allow_nan=False))
    assert document["count"] == 60
    assert document["features"]["name"] == "pixels"
    assert document["frechet"]["value"] == q.frechet.value
    assert list(q.measures) == [
        "frechet", "precision", "recall", "density", "coverage",
        "two_sample", "nearest", "closer", "copying", "copies",
    ]  # fmt: skip
    lines = q.lines()
    assert lines[0].startswith("60 means, beside 60 held-out examples")
    assert lines[1].split() == ["measure", "means", "real", "data", "better"]
    assert len(lines) == 1 + 1 + 10 + 2
    assert lines[-1] == "nearest examples: of 200 training examples, in the same features"
    assert str(q.precision).endswith(f"share of samples, real data {q.precision.null:.4g}")
    held = Against(float("nan"), 1.0, "times", "null", "nothing to divide by")
    assert held.to_json()["value"] is None


def test_draws_of_levels_must_be_levels_and_means_need_not():
    bits = torch.randint(0, 2, (400, 6), dtype=torch.uint8)
    train, held_out = Examples(bits[:200]), Examples(bits[200:300])
    draws = bits[300:].float()
    q = sample_quality(draws, train, held_out, schema=BINARY)
    assert q.copies.value > 50  # of 64 possible examples most are in the training set
    assert q.copies.value == pytest.approx(q.copies.null, abs=20)
    means = 0.8 * draws + 0.1
    with pytest.raises(SupportError, match="kind='means'"):
        sample_quality(means, train, held_out, schema=BINARY)
    rounded = sample_quality(means, train, held_out, schema=BINARY, kind="means")
    assert rounded.copies.value == q.copies.value
    with pytest.raises(SupportError, match="range from 0 to 1, got 0 to 255"):
        sample_quality(draws * 255, train, held_out, schema=BINARY)


def refusals():
    x = two_modes(300)
    train, held_out = Examples(x[:150]), Examples(x[150:210])
    broken = x.clone()
    broken[7, 2] = torch.inf
    gaps = Examples(x, x > 0)
    return [
        ((x[:49], train, held_out, {}), DataError, "at least 50 samples, got 49; generate more"),
        ((x[:0], train, held_out, {}), DataError, "at least 50 samples, got 0"),
        ((x, Examples(x[:99]), held_out, {}), DataError, "at least 100 training examples, got 99"),
        ((x, train, Examples(x[:49]), {}), DataError, "at least 50 held-out examples, got 49"),
        ((x[:, :5], train, held_out, {}), ShapeError, r"\(N, 6\) as the data are, got \(300, 5\)"),
        ((x, Examples(x[:, :5]), held_out, {}), ShapeError, "the schema says"),
        ((broken, train, held_out, {}), DataError, "must be finite"),
        ((x, gaps, held_out, {}), DataError, "training examples have missing cells"),
        ((x, train, gaps, {}), DataError, "held-out examples have missing cells"),
        ((x, train, held_out, {"kind": "mean"}), UnknownNameError, "did you mean 'means'"),
        ((x, train, held_out, {"most": 49}), SettingError, "from 50 to 5,000"),
        ((x, train, held_out, {"most": 10_000}), SettingError, "from 50 to 5,000"),
        ((x, train, held_out, {"seed": -1}), SettingError, "seed must be"),
        ((x, train, held_out, {"features": "fid"}), UnknownNameError, "no feature space 'fid'"),
        ((x, train, held_out, {"features": "classifier"}), SettingError, "needs labels"),
    ]


@pytest.mark.parametrize("case", range(15))
def test_what_cannot_be_judged_is_refused_in_one_line(case):
    (samples, train, held_out, options), error, told = refusals()[case]
    with pytest.raises(error, match=told) as caught:
        sample_quality(samples, train, held_out, schema=SCHEMA, **options)
    assert "\n" not in str(caught.value)
