"""Counts given their total: a probability, exact with gaps, of the total that is told."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

import lowerbound as lb
from lowerbound import applications
from lowerbound.catalogue import build
from lowerbound.core import Batch
from lowerbound.data import Examples, Field, Schema
from lowerbound.distributions import fill, log_prob
from lowerbound.errors import SettingError, SupportError
from lowerbound.likelihoods import BUILDERS, Fields, Multinomial, Site
from lowerbound.testing import assert_close_gradient, check_close
from lowerbound.testing.models import check_model

F64 = torch.float64
LOGITS = torch.tensor([[0.3, -1.0, 2.0]], dtype=F64)
SHARES = LOGITS[0].softmax(0)


def law_of(logits=LOGITS, total=7.0):
    return Fields(nn.Unflatten(-1, (1, -1)), Multinomial(total=total)).double()(logits)


def vectors(total, cells=3):
    every = itertools.product(range(total + 1), repeat=cells)
    return torch.tensor([x for x in every if sum(x) == total], dtype=F64)


def test_it_is_scipys_and_sums_to_one_over_all_vectors_of_a_total():
    law = law_of()
    for total in (0, 1, 5):
        x = vectors(total)
        value = log_prob(law, x)
        known = stats.multinomial(total, SHARES.numpy()).logpmf(x.numpy())
        assert value.tolist() == pytest.approx(known.tolist(), abs=1e-10)
        check_close(value.logsumexp(0), torch.zeros(()), f"all vectors of {total}")


def test_its_cells_are_binomials_given_those_before_and_the_total():
    x = torch.tensor([[2.0, 0.0, 5.0]], dtype=F64)
    first = stats.binom(7, SHARES[0]).logpmf(2)
    second = stats.binom(5, SHARES[1] / (SHARES[1] + SHARES[2])).logpmf(0)
    assert law_of().cells(x)[0].tolist() == pytest.approx([first, second, 0.0], abs=1e-12)


def test_gaps_are_weighed_exactly_given_the_total_of_what_was_observed():
    law, observed = law_of(), torch.tensor([True, False, True])
    # of all vectors with these observed cells, over those with their total
    for total in (0, 4):
        x = vectors(total, 2)
        told = torch.stack([x[:, 0], torch.full((len(x),), math.nan, dtype=F64), x[:, 1]], dim=1)
        value = log_prob(law, told, observed)
        share = SHARES[observed] / SHARES[observed].sum()
        known = stats.multinomial(total, share.numpy()).logpmf(x.numpy())
        assert value.tolist() == pytest.approx(known.tolist(), abs=1e-10)
    none = torch.zeros(3, dtype=torch.bool)
    assert float(log_prob(law, torch.tensor([[9.0, 9.0, 9.0]]), none)) == 0.0


def test_it_has_the_gradient_of_its_differences_and_none_of_gaps():
    x = torch.tensor([[2.0, 4.0, 5.0]], dtype=F64)
    for observed in (None, torch.tensor([True, False, True]), torch.tensor([False, True, False])):
        assert_close_gradient(lambda p, o=observed: log_prob(law_of(p), x, o).sum(), [LOGITS])
    for far in (-1e4, 1e4):
        leaf = torch.tensor([[far, 0.0, -far]], dtype=F64, requires_grad=True)
        value = log_prob(law_of(leaf), x)
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
        assert torch.isfinite(value).all() and torch.isfinite(gradient).all()


@pytest.mark.parametrize("cells", [1, 2, 5, 8])
def test_draws_have_the_total_the_mean_and_the_spread(cells):
    torch.manual_seed(0)
    logits = torch.randn(2, cells, dtype=F64)
    law = Multinomial(total=20.0).law(logits.unsqueeze(-1))
    drawn = law.sample((20_000,))
    assert torch.equal(drawn.sum(dim=-1).unique(), torch.tensor([20.0], dtype=F64))
    apart = (drawn.mean(dim=0) - law.mean).abs()
    assert bool((apart <= 4.9 * (law.variance / 20_000).sqrt() + 1e-9).all())
    assert drawn.var(dim=0).flatten().tolist() == pytest.approx(
        law.variance.flatten().tolist(), rel=0.08, abs=1e-6
    )


def test_what_the_known_cells_leave_of_the_total_is_drawn_into_the_gaps():
    x, observed = torch.tensor([[3.0, 0.0, 0.0]]), torch.tensor([[True, False, False]])
    drawn, mean = fill(law_of(), x, observed)
    assert float(drawn[0, 1:].sum()) == 4.0
    share = SHARES[1:] / SHARES[1:].sum()
    assert mean[0, 1:].tolist() == pytest.approx((4 * share).tolist())


def counts(rows=300):
    rng = np.random.default_rng(0)
    share = np.where(rng.random((rows, 1)) < 0.5, [[0.7, 0.1, 0.1, 0.1]], [[0.1, 0.1, 0.1, 0.7]])
    return np.stack([rng.multinomial(30, p) for p in share]).astype(np.int32)


def test_a_vae_of_counts_learns_how_totals_are_shared_out_and_is_put_to_its_uses():
    data = lb.read(counts())
    assert data.schema.kind == "count"
    model, objective = build("vae", data.schema, likelihood="multinomial", latents=2, hidden=(16,))
    batch = Batch(data.validation.x)
    before = float(objective(model.eval(), batch).value.mean().detach())
    training = lb.Training(epochs=60, batch_size=50, learning_rate=5e-3)
    model = lb.fit(model.train(), objective, data, training, seed=0).model.eval()
    after = float(objective(model, batch).value.mean().detach())
    # two kinds of examples: the best single law is 5 nats and more worse
    assert after > before + 5
    drawn = applications.generate(model, 50, seed=0)
    assert bool((drawn.sum(dim=1) == 30).all())
    observed = torch.arange(20).reshape(5, 4) % 3 != 0
    found = applications.impute(
        model, Examples(data.train.x[:5], observed), data.schema, samples=4, seed=0
    )
    assert found is not None


TOTAL = Field("total", "count", mean=(3.0,), scale=(0.5,), role="condition", whole=True)


def test_a_model_that_is_told_the_total_draws_it():
    field = Field("x", "count", (4,), mean=(1.0, 2.0, 3.0, 4.0), scale=(1.0,), whole=True)
    schema = Schema((field, TOTAL), (4,))
    torch.manual_seed(0)
    model, objective = build("count-vae", schema, likelihood="multinomial", latents=2, hidden=(8,))
    told = torch.tensor([[100], [7], [1]])
    z = torch.randn(3, 2)
    drawn = applications.decode(model.eval(), z, draw=True, condition=told, seed=0)
    assert drawn.sum(dim=1).tolist() == [100.0, 7.0, 1.0]
    x = torch.tensor([[1, 0, 7, 2], [0, 0, 1, 0], [5, 4, 3, 2]], dtype=torch.int32)
    check_model(model, Batch(x, condition=x.sum(dim=1, keepdim=True)), objective)


def test_what_is_no_vector_of_counts_is_refused():
    with pytest.raises(SettingError, match="is for vectors of counts"):
        BUILDERS["multinomial"](Site("count", (1, 4, 4)))
    with pytest.raises(SupportError, match="whole numbers of at least 0"):
        Multinomial().check(torch.tensor([[0.5, 1.0]]))
