"""Anomalies: exact evidence and conditionals, p-values uniform under the null and not otherwise."""

import math
from dataclasses import replace

import pytest
import torch
from torch.distributions import Normal

from lowerbound.applications import (
    anomalies,
    calibrate,
    condition_of,
    generate_where,
    impute,
)
from lowerbound.applications.anomalies import Anomalies
from lowerbound.data import Examples
from lowerbound.errors import DataError, SettingError
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.testing import LinearGaussian, assert_uniform_ranks


@pytest.fixture(scope="module")
def linear():
    reference = LinearGaussian.random(2, 5)
    return reference, reference.vae(), Examples(reference.simulate(200, seed=1).x)


def conditional(reference: LinearGaussian, x: torch.Tensor, j: int) -> torch.Tensor:
    """log p(x_j | x_-j) of a Gaussian, from its precision."""
    covariance = reference.weight @ reference.weight.T + reference.scale.square() * torch.eye(5)
    precision = torch.linalg.inv(covariance)
    centred = x - reference.bias
    mean = x[:, j] - (precision[j] @ centred.T) / precision[j, j]
    return Normal(mean, precision[j, j].rsqrt()).log_prob(x[:, j])


def test_scores_are_the_exact_evidence(linear):
    reference, model, held = linear
    x = reference.simulate(30, seed=2).x
    found = anomalies(model, Examples(x), calibrate(model, held.few(5), cells=False, samples=2000))
    assert torch.allclose(found.score, -reference.log_evidence(x), atol=0.02)


def test_a_cell_is_as_odd_as_its_exact_conditional_says(linear):
    reference, model, held = linear
    x = reference.simulate(8, seed=3).x
    x[:, 1] += 3.0  # the draws of the whole row then say little about the rest
    held_out = calibrate(model, held.few(30), samples=1500)
    found = anomalies(model, Examples(x), held_out)
    assert found.cells is not None
    for j in range(5):
        exact = -conditional(reference, x, j)
        median = (-conditional(reference, held.x[:30], j)).median()
        assert torch.allclose(found.cells[:, j], exact - median, atol=0.3, rtol=0.15), j


def test_a_spoiled_cell_is_the_oddest(linear):
    reference, model, held = linear
    x = reference.simulate(40, seed=4).x
    spoiled = torch.arange(40) % 5
    x[torch.arange(40), spoiled] += 8.0
    found = anomalies(model, Examples(x), calibrate(model, held, samples=300))
    assert found.cells is not None
    assert float((found.cells.argmax(dim=1) == spoiled).double().mean()) > 0.85


def test_words_and_numbers_of_a_mixed_table_have_their_exact_conditionals(finite):
    found = anomalies(
        finite.model, Examples(finite.x), calibrate(finite.model, Examples(finite.x), samples=400)
    )
    cells = finite.model.cells(finite.x)  # (3, 40, 5)
    exact = []
    for j in range(5):
        observed = torch.ones_like(finite.x, dtype=torch.bool)
        observed[:, j] = False
        share = finite.model.posterior(finite.x, observed).log()
        exact.append(-(share + cells[..., j]).logsumexp(dim=0))
    odd = torch.stack(exact, dim=1)
    assert found.cells is not None
    assert torch.allclose(found.cells, odd - odd.median(dim=0).values, atol=0.2)
    assert torch.allclose(found.score, -finite.model.log_evidence(finite.x), atol=0.2)


def test_p_values_are_uniform_under_the_null_whatever_the_model(linear):
    reference, _, _ = linear
    wrong = LinearGaussian(reference.weight.flip(0), reference.bias, reference.scale).vae()
    rows = Examples(reference.simulate(300 * 20, seed=10).x)
    held = calibrate(wrong, rows.few(2), cells=False, samples=3)
    scores = anomalies(wrong, rows, held, cells=False).score.reshape(300, 20)
    ranks = (scores[:, 1:] >= scores[:, :1]).sum(dim=1)
    for i in range(5):
        own = replace(held, scores=scores[i, 1:].sort().values)
        found = anomalies(wrong, rows.select(slice(20 * i, 20 * i + 1)), own, cells=False)
        assert float(found.p_value) == pytest.approx((1 + int(ranks[i])) / 20)
    assert_uniform_ranks(ranks, 19, resolves=0.18)
    # a score that training rows, which are better known, are compared with
    optimistic = (scores[:, 1:] < scores[:, :1] + 4.0).sum(dim=1)
    with pytest.raises(AssertionError, match="the ranks"):
        assert_uniform_ranks(optimistic, 19, resolves=0.18)


def test_what_training_never_saw_is_odd_by_its_chance(linear):
    reference, model, held = linear
    x = reference.simulate(2, seed=6).x
    observed = torch.ones_like(x, dtype=torch.bool)
    observed[0, 3] = False
    unseen = torch.zeros(2, 6, dtype=torch.float64)
    calibration = calibrate(model, held.few(9), samples=5)
    before = anomalies(model, Examples(x, observed), calibration)
    unseen[0, 3], unseen[1, 5] = -4.0, -6.0  # a new word, and a column that never varied
    found = anomalies(model, Examples(x, observed, unseen=unseen), calibration)
    assert (found.score - before.score).tolist() == pytest.approx([4.0, 6.0])
    assert found.cells is not None and found.constants is not None and before.constants is None
    assert float(found.cells[0, 3]) == 4.0 and bool(before.cells[0, 3].isnan())
    assert float(found.constants[1]) == 6.0 and bool(found.constants[0].isnan())


def test_anomalies_have_small_p_values_and_are_flagged(linear):
    reference, model, held = linear
    x = reference.simulate(60, seed=5).x
    x[:20] += 12.0
    found = anomalies(model, Examples(x), calibrate(model, held, cells=False, samples=20))
    assert bool((found.p_value[:20] <= 1 / 201 + 1e-12).all())
    assert bool((found.percentile[:20] == 100).all())
    flagged = found.flagged(0.1)
    assert bool(flagged[:20].all()) and int(flagged[20:].sum()) <= 6
    none = anomalies(model, held, calibrate(model, held, cells=False, samples=20), cells=False)
    assert not bool(none.flagged(0.01).any()) and none.cells is None


def test_flags_follow_benjamini_and_hochberg():
    p = torch.tensor([0.041, 0.001, 0.8, 0.008, 0.039, 0.042], dtype=torch.float64)
    one = Anomalies(p, p, p, None)
    assert one.flagged(0.05).tolist() == [False, True, False, True, False, False]
    assert one.flagged(0.08).tolist() == [True, True, False, True, True, True]
    with pytest.raises(SettingError, match="between 0 and 1"):
        one.flagged(1.0)


def test_a_row_is_judged_by_itself_and_alike_each_time(linear):
    reference, model, held = linear
    for one in (model, reference.vae(DiagonalGaussian)):
        calibration = calibrate(one, held, samples=30)
        whole, again = (anomalies(one, held, calibration) for _ in range(2))
        assert torch.equal(whole.score, again.score)
        alone = anomalies(one, held.select(slice(150, 151)), calibration)
        assert torch.allclose(whole.score[150:151], alone.score, rtol=1e-12)
        assert whole.cells is not None and alone.cells is not None
        assert torch.allclose(whole.cells[150:151], alone.cells, rtol=1e-9, atol=1e-9)


def test_the_callers_random_state_is_left_alone(linear, finite):
    _, model, held = linear
    before = torch.get_rng_state()
    anomalies(model, held.few(3), calibrate(model, held.few(5), gaps=held.few(9), samples=4))
    observed = torch.rand(40, 5, generator=torch.Generator().manual_seed(0)) < 0.5
    impute(finite.model, Examples(finite.x, observed), finite.schema, samples=4, draws=2, seed=0)
    told = [condition_of("town=Chur", finite.schema)]
    generate_where(finite.model, 3, told, finite.schema, samples=20, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_rows_with_gaps_are_judged_by_their_pattern(linear):
    reference, model, held = linear
    train = Examples(reference.simulate(400, seed=6).x)
    x = reference.simulate(300, seed=7).x
    observed = torch.ones_like(x, dtype=torch.bool)
    observed[:, 2:] = False
    naive = calibrate(model, held, cells=False, samples=50)
    fair = calibrate(model, held, gaps=train, cells=False, samples=50)
    rows = Examples(torch.where(observed, x, math.nan), observed)
    before, after = (anomalies(model, rows, one, cells=False) for one in (naive, fair))
    assert float(before.percentile.median()) < 10  # few cells, few nats
    assert 25 < float(after.percentile.median()) < 75
    whole = Examples(x)
    assert torch.equal(
        anomalies(model, whole, fair, cells=False).score,
        anomalies(model, whole, naive, cells=False).score,
    )


def test_gaps_have_no_oddness_and_junk_in_them_no_influence(linear):
    reference, model, held = linear
    x = reference.simulate(4, seed=8).x
    observed = torch.tensor([[True, True, False, True, True]]).expand(4, -1)
    calibration = calibrate(model, held, samples=20)
    first, second = (
        anomalies(model, Examples(torch.where(observed, x, junk), observed), calibration)
        for junk in (math.nan, 1e30)
    )
    assert first.cells is not None and second.cells is not None
    assert torch.equal(first.score, second.score)
    assert torch.equal(first.cells.isnan(), ~observed)


def test_rows_out_of_reach_are_the_oddest_of_all(linear):
    _, model, held = linear
    far = Examples(torch.full((1, 5), 1e300, dtype=torch.float64))
    found = anomalies(model, far, calibrate(model, held, samples=10))
    assert float(found.score) == math.inf and float(found.percentile) == 100


def test_pixels_are_judged(linear):
    from lowerbound.catalogue import assemble
    from lowerbound.testing import SCHEMAS, example_batch

    schema = SCHEMAS["8-bit 1x28x28"]
    model = assemble("vae", schema, {"latents": 2, "hidden": (4,)}, seed=0).model.eval()
    x = Examples(example_batch(schema, 6).x)
    found = anomalies(model, x, calibrate(model, x, samples=4))
    assert found.cells is not None and found.cells.shape == (6, 1, 28, 28)
    assert bool(found.cells.isfinite().all())


def test_nothing_to_judge_or_compare_with_is_refused(linear):
    _, model, held = linear
    empty = held.select(slice(0, 0))
    with pytest.raises(DataError, match="no held-out rows"):
        calibrate(model, empty)
    with pytest.raises(DataError, match="no rows to judge"):
        anomalies(model, empty, calibrate(model, held, cells=False, samples=2))
    with pytest.raises(SettingError, match="samples must be"):
        calibrate(model, held, samples=True)
