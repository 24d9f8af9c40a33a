"""A product of columns against its parts, and what leaves no trace in it."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Categorical, LogNormal, Normal, Poisson

from lowerbound import likelihoods
from lowerbound.distributions import (
    Columns,
    Independent,
    Product,
    centre,
    detached,
    expected,
    log_prob,
    spread,
)
from lowerbound.likelihoods import Fields, outputs_of
from lowerbound.networks import MLP
from lowerbound.testing import assert_mean

F64 = torch.float64
JUNK = (0.5, 1e30, math.inf, -math.inf, math.nan)
BITS = Columns(torch.tensor([3, 0]), Bernoulli(logits=torch.tensor([[0.3, -1.0], [2.0, 0.0]])))
REALS = Columns(torch.tensor([1]), Normal(torch.tensor([[5.0], [7.0]]), torch.ones(2, 1)))
CLASSES = Columns(torch.tensor([2]), Categorical(logits=torch.tensor([[[0.0, 1, 2]], [[3, 0, 0]]])))
X = torch.tensor([[1.0, 4.0, 2.0, 0.0], [0.0, 7.5, 1.0, 1.0]])


def test_it_is_the_sum_over_its_columns_wherever_they_stand():
    p = Product([BITS, REALS, CLASSES])
    assert (p.batch_shape, p.event_shape) == ((2,), (4,))
    each = torch.stack(
        [
            BITS.law.log_prob(X[:, [3, 0]])[:, 1],
            REALS.law.log_prob(X[:, [1]])[:, 0],
            CLASSES.law.log_prob(X[:, [2]])[:, 0],
            BITS.law.log_prob(X[:, [3, 0]])[:, 0],
        ],
        dim=1,
    )
    assert torch.equal(p.cells(X), each)
    assert torch.allclose(p.log_prob(X), each.double().sum(dim=1), rtol=1e-7)
    assert p.log_prob(X).dtype == F64
    observed = torch.tensor([[True, False, True, True], [False, True, False, True]])
    assert torch.equal(p.cells(X, observed), torch.where(observed, each, 0.0))
    assert torch.equal(log_prob(p, X, observed), p.log_prob(X, observed))


def test_draws_means_and_spreads_stand_where_their_columns_stand():
    p = Product([BITS, REALS, CLASSES])
    probs = torch.tensor([[0.3, -1.0], [2.0, 0.0]]).sigmoid()
    mean = expected(p)
    assert torch.allclose(mean[:, 0], probs[:, 1].double())
    assert torch.allclose(mean[:, 3], probs[:, 0].double())
    assert mean[:, 1].tolist() == [5.0, 7.0]
    assert mean[:, 2].tolist() == [2.0, 0.0]  # the most probable class
    assert p.mean[:, 2].isnan().all() and spread(p)[:, 2].isnan().all()
    assert centre(p)[:, 0].tolist() == [0.0, 0.0]
    draws = p.sample((20_000,))
    assert draws.shape == (20_000, 2, 4)
    known = [0, 1, 3]
    assert_mean(draws[..., known], mean[:, known], resolves=0.07)
    assert_mean((draws - p.mean)[..., known].square(), p.variance[:, known], resolves=0.09)


def test_parts_of_different_batches_get_noise_of_their_own():
    wide = Product([BITS, Columns(torch.tensor([1, 2]), Normal(torch.zeros(2), torch.ones(2)))])
    assert wide.batch_shape == (2,)
    one, other = wide.sample((5,))[..., 1].unbind(dim=1)
    assert not torch.equal(one, other)


def test_an_expanded_product_is_the_same_for_each_row():
    p = Product([BITS, REALS, CLASSES])
    wide = p.expand(torch.Size([3, 2]))
    assert wide.batch_shape == (3, 2)
    assert torch.equal(wide.log_prob(X), p.log_prob(X).expand(3, 2))
    assert wide.sample().shape == (3, 2, 4)


def test_its_support_is_that_of_every_column():
    p = Product([BITS, REALS, CLASSES])
    assert p.support.check(X).tolist() == [True, True]
    for column, wrong in ((0, 2.0), (2, 3.0), (1, math.nan)):
        bad = X.clone()
        bad[1, column] = wrong
        assert p.support.check(bad).tolist() == [True, False]
    assert not p.support.is_discrete
    assert Product(
        [BITS, Columns(torch.tensor([1, 2]), Poisson(torch.ones(2)))]
    ).support.is_discrete


def test_a_product_held_constant_keeps_its_value():
    loc = torch.zeros(2, requires_grad=True)
    p = Product([Columns(torch.tensor([0, 1]), Normal(loc, torch.ones(2)))])
    assert torch.equal(detached(p).log_prob(X[:, :2]), p.log_prob(X[:, :2]).detach())
    assert not detached(p).log_prob(X[:, :2]).requires_grad


@pytest.mark.parametrize("junk", JUNK)
def test_a_law_that_0_lies_outside_of_is_filled_inside(junk):
    # filled with 0, the gradient for the mean of a LogNormal was nan
    mean = torch.zeros(2, requires_grad=True)
    law = LogNormal(mean, torch.ones(2), validate_args=False)
    x = torch.tensor([junk, 3.0], requires_grad=True)
    observed = torch.tensor([False, True])
    for p in (Product([Columns(torch.tensor([0, 1]), law, 1.0)]), Independent(law, 1, 1.0)):
        value = p.log_prob(x, observed)
        by_mean, by_x = torch.autograd.grad(value, [mean, x])
        assert value.item() == pytest.approx(law.log_prob(torch.tensor([1.0, 3.0]))[1].item())
        assert by_mean[0] == 0 and by_x[0] == 0
        assert bool(torch.isfinite(by_mean).all() & torch.isfinite(by_x).all())


LAWS = {
    "bernoulli": likelihoods.Bernoulli(),
    "categorical": likelihoods.Categorical(4),
    "classes": likelihoods.Categorical(4, ordered=False),
    "discretized-logistic": likelihoods.DiscretizedLogistic(4),
    "gaussian": likelihoods.Gaussian(likelihoods.PerDimensionScale((3,)), 1000.0, 2.0),
    "negative-binomial": likelihoods.NegativeBinomial(5.0),
}


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("name", LAWS)
def test_nothing_is_left_of_an_unobserved_cell_whatever_it_holds(name, dtype, mixed):
    cells = LAWS[name]
    laws = {(4, 0, 2): cells, (1,): likelihoods.Gaussian(), (3,): likelihoods.NegativeBinomial()}
    laws, event = (laws, (5,)) if mixed else (cells, (3,))
    p = Fields(MLP((2,), outputs_of(laws, event), hidden=(4,)), laws).to(dtype)
    z = torch.randn(3, 4, 2, dtype=dtype)
    x = torch.ones(4, *event, dtype=dtype)
    observed = torch.rand(4, *event) < 0.5
    observed[0], observed[1] = False, True
    first = None
    for junk in JUNK:
        held = torch.where(observed, x, junk).requires_grad_()
        leaf = z.clone().requires_grad_()
        value = p(leaf).log_prob(held, observed)
        found = torch.autograd.grad(
            value.sum(), [held, leaf, *p.parameters()], allow_unused=True, materialize_grads=True
        )
        found = (value.detach(), *found)
        assert all(bool(torch.isfinite(part).all()) for part in found)
        assert bool((found[1][~observed] == 0).all())
        assert bool((value[:, 0] == 0).all())
        first = first or found
        assert all(torch.equal(one, other) for one, other in zip(first, found, strict=True))


@pytest.mark.parametrize("kind", [torch.uint8, torch.int32, torch.int64])
def test_whole_numbers_stay_whole_where_cells_are_missing(kind):
    # filled with 0.0 they became float32, and of 2 ** 24 + 1 the one was lost
    large = 2**24 + 1 if kind != torch.uint8 else 255
    x = torch.tensor([[large, 7]], dtype=kind)
    observed = torch.tensor([[True, False]])
    law = likelihoods.NegativeBinomial(1e7).law(torch.zeros(2, 2, dtype=F64))
    whole = law.log_prob(torch.tensor([large, 0]))[0]
    parts = Product([Columns(torch.tensor([0, 1]), law)]), Independent(law, 1)
    for p in parts:
        assert p.log_prob(x, observed).item() == whole.item()
