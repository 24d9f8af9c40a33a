"""The bound of each row by itself: right, its own, and safe from the others."""

import math

import numpy as np
import pytest
import torch

from lowerbound.catalogue import assemble
from lowerbound.data import Batch, Examples, read
from lowerbound.errors import DataError, SettingError
from lowerbound.evaluation import evidence, score
from lowerbound.evaluation.scores import noise_seeds
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.testing import LinearGaussian, assert_mean_at_most, check_close

REFERENCE = LinearGaussian.random(2, 4, orthogonal=True)


def rows(count: int = 40) -> Examples:
    return Examples(REFERENCE.simulate(count).x)


def test_under_the_exact_posterior_each_row_scores_its_evidence():
    examples = rows()
    found = score(REFERENCE.vae(DiagonalGaussian), examples, samples=3)
    exact = REFERENCE.log_evidence(examples.x)
    check_close(found.log_likelihood, exact, "the bound of each row", 1e-9)
    assert found.note == "" and len(found.unbounded) == 0


def wrong_model():
    """A model whose posterior is too wide, so that its scores have noise."""
    model = REFERENCE.vae(DiagonalGaussian)
    with torch.no_grad():
        for parameter in model.posterior.parameters():
            parameter.mul_(0.9)
    return model


def test_bounds_lie_below_the_evidence_and_the_elbo_lowest():
    examples, model = rows(400), wrong_model()
    found = score(model, examples, samples=20)
    exact = REFERENCE.log_evidence(examples.x)
    assert_mean_at_most(found.elbo - found.log_likelihood, 0.0, resolves=0.2)
    assert_mean_at_most(found.log_likelihood - exact, 0.0, resolves=0.2)
    assert float((exact - found.elbo).mean()) > 0.02  # there is a gap to see


def test_a_row_scores_the_same_whichever_others_come_along():
    examples, model = rows(), wrong_model()
    whole = score(model, examples, samples=5)
    order = torch.randperm(40)
    mixed = score(model, examples.select(order), samples=5)
    assert torch.equal(mixed.log_likelihood, whole.log_likelihood[order])
    assert torch.equal(mixed.elbo, whole.elbo[order])
    alone = score(model, examples.select(slice(7, 8)), samples=5)
    assert torch.equal(alone.log_likelihood, whole.log_likelihood[7:8])
    assert not torch.equal(
        score(model, examples, samples=5, seed=1).log_likelihood, whole.log_likelihood
    )


def test_rows_of_a_table_are_computed_side_by_side_and_score_as_they_do_alone():
    rng = np.random.default_rng(0)
    table = {f"x{i}": rng.normal(size=300) for i in range(5)} | {"w": rng.choice(list("abc"), 300)}
    table["x0"] = np.where(rng.random(300) < 0.2, np.nan, table["x0"])
    data = read(table, seed=0)
    model = assemble("table", data.schema, {"hidden": (16,)}, examples=240, seed=0).model.eval()
    train = data.train
    whole = score(model, train, samples=7)
    order = torch.randperm(len(train))[:150]
    assert torch.equal(
        score(model, train.select(order), samples=7).log_likelihood, whole.log_likelihood[order]
    )
    alone = [score(model, train.select(slice(i, i + 1)), samples=7) for i in range(3)]
    assert torch.equal(torch.cat([one.elbo for one in alone]), whole.elbo[:3])
    few = train.select(slice(0, 20))
    one, other = score(model, few, samples=1000), evidence(model, few, samples=1000, seed=1)
    check_close(one.log_likelihood, other.log_likelihood, "the bound of each row", 0.02)


def test_a_row_beyond_all_numbers_costs_no_other_its_score():
    examples, model = rows(1000), wrong_model()
    x = examples.x.clone()
    x[203, 1], x[17, 0] = 1e170, 1e306
    whole, found = score(model, examples, samples=2), score(model, Examples(x), samples=2)
    others = torch.ones(1000, dtype=torch.bool)
    others[[17, 203]] = False
    assert torch.equal(found.log_likelihood[others], whole.log_likelihood[others])
    assert torch.equal(found.elbo[others], whole.elbo[others])
    assert found.unbounded.tolist() == [17, 203]
    assert found.log_likelihood[203] == found.elbo[203] == -math.inf
    assert not found.log_likelihood[17] > -math.inf  # -inf, or nothing to say
    assert found.note.startswith("2 of 1,000 rows have no finite bound, number 17, 203 (from 0)")


def test_many_such_rows_are_counted_and_some_are_named():
    x = rows(30).x.clone()
    x[:25] = 1e200
    note = score(wrong_model(), Examples(x), samples=1).note
    assert "25 of 30 rows" in note and "8, 9 and 15 more (from 0)" in note


def test_noise_follows_from_the_contents_that_are_observed():
    x = torch.tensor([[0.0, 1.0], [-0.0, 1.0], [2.0, 1.0]])
    seeds = noise_seeds(Batch(x), 0)
    assert seeds[0] == seeds[1] != seeds[2]
    assert [noise_seeds(Batch(x[i : i + 1]), 0)[0] for i in range(3)] == seeds
    assert noise_seeds(Batch(x[:1]), 1)[0] != seeds[0]
    known = torch.tensor([[False, True]] * 3)
    hidden = noise_seeds(Batch(x, known), 0)
    assert len(set(hidden)) == 1 and hidden[0] != seeds[0]
    assert noise_seeds(Batch(x, torch.ones(3, 2, dtype=torch.bool)), 0) == seeds


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(DataError, match="no examples"):
        score(wrong_model(), rows().select(slice(0, 0)))
    with pytest.raises(SettingError, match="samples"):
        score(wrong_model(), rows(), samples=0)


def test_progress_ends_at_all_rows():
    told = []
    score(wrong_model(), rows(25), samples=1, progress=lambda *done: told.append(done))
    assert told[-1] == (25, 25)
