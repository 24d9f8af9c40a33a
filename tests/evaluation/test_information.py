"""The rate taken apart, against closed forms of the linear Gaussian model."""

import math
import sys

import pytest
import torch
from torch.distributions import Normal

from lowerbound.core import Model, Space
from lowerbound.data import Examples
from lowerbound.distributions import Independent
from lowerbound.errors import DataError
from lowerbound.evaluation import Estimate, evidence, information
from lowerbound.testing import LinearGaussian

REFERENCE = LinearGaussian.random(2, 4)


def exact_information() -> float:
    precision = torch.eye(2).double() + REFERENCE.weight.T @ REFERENCE.weight / 0.49
    return 0.5 * float(torch.logdet(precision))


def margin(estimate) -> float:
    return 4.9 * (estimate.standard_error or 0.0)


def test_both_quantities_lie_between_their_estimates():
    # q(z|x) = p(z|x) and x ~ p(x): I is half a log-determinant, and q(z) = p(z)
    found = information(REFERENCE.vae(), Examples(REFERENCE.simulate(2000).x))
    told, apart = found.mutual_information, found.mismatch
    truth = exact_information()
    assert told.lower.mean - margin(told.lower) < truth < told.upper.mean + margin(told.upper)
    assert told.upper.mean - told.lower.mean < 0.1  # 2,000 examples tell it well
    assert told.lower.mean < told.upper.mean
    assert 0.0 <= apart.lower.mean <= apart.upper.mean + margin(apart.upper)
    assert apart.upper.mean < 0.1
    assert found.examples == 2000


def test_an_aggregate_that_is_shifted_from_the_prior_shows_in_the_mismatch_alone():
    # q(z) = N(0.7, I): KL(q(z) || p(z)) = 2 x 0.49 / 2; what z tells of x is as before
    model = REFERENCE.vae()
    with torch.no_grad():
        model.posterior.network.layers[0].bias[:2] += 0.7
    found = information(model, Examples(REFERENCE.simulate(2000).x))
    told, apart = found.mutual_information, found.mismatch
    assert told.lower.mean - margin(told.lower) < exact_information()
    assert exact_information() < told.upper.mean + margin(told.upper)
    assert apart.lower.mean - margin(apart.lower) < 0.49 < apart.upper.mean + margin(apart.upper)
    assert apart.upper.mean - apart.lower.mean < 0.15


def test_few_examples_cannot_show_much_information():
    # four examples: at most log 4 can be told apart, at most the rate can be there
    few = REFERENCE.simulate(4).x
    sharp = LinearGaussian(50 * REFERENCE.weight, REFERENCE.bias, REFERENCE.scale)
    found = information(sharp.vae(), Examples(sharp.simulate(4).x))
    told, apart = found.mutual_information, found.mismatch
    assert told.lower.mean <= math.log(4) + 1e-9
    assert told.upper.mean >= told.lower.mean
    assert apart.lower.mean == 0.0
    with pytest.raises(DataError, match="two examples"):
        information(REFERENCE.vae(), Examples(few[:1]))


def test_no_more_examples_are_mixed_than_asked_for():
    found = information(REFERENCE.vae(), Examples(REFERENCE.simulate(30).x), most=10)
    assert found.examples == 10


class Planted(Model):
    """Three encodings on a line and the draws that were made of them, nothing random."""

    means = torch.tensor([[0.0], [1.0], [3.0]], dtype=torch.float64)
    draws = torch.tensor([[0.5], [0.9], [2.0]], dtype=torch.float64)

    def __init__(self, centre: float) -> None:
        super().__init__()
        self.centre = torch.full((1,), centre, dtype=torch.float64)

    @property
    def latents(self):
        return {"z": Space((1,))}

    def descend(self, choose, batch=None, condition=None):
        prior = Independent(Normal(self.centre, 2 * torch.ones(1).double()), 1)
        if batch is None:
            z = choose("z", prior, None)
        else:
            mean = self.means[batch.x.flatten()]
            z = choose("z", prior, Independent(Normal(mean, torch.full((), 0.5).double()), 1))
        return Independent(Normal(torch.zeros_like(z), 1.0), 1)

    def trace(self, batch, samples=1, gradient="total"):
        z = self.draws[batch.x.flatten()].unsqueeze(0)
        return self.trace_at(batch, {"z": z})


THREE = Examples(torch.arange(3).unsqueeze(-1))


def by_hand(centre: float) -> list[list[float]]:
    """log q(z_n), own, mixed with all, mixed with all others, and log p(z_n): one row each."""

    def normal(x: float, mean: float, scale: float) -> float:
        return math.exp(-0.5 * ((x - mean) / scale) ** 2) / scale / math.sqrt(2 * math.pi)

    rows = []
    for n, (z,) in enumerate(Planted.draws.tolist()):
        each = [normal(z, mean, 0.5) for (mean,) in Planted.means.tolist()]
        others = [q for m, q in enumerate(each) if m != n]
        rows.append([each[n], sum(each) / 3, sum(others) / 2, normal(z, centre, 2.0)])
    return [[math.log(q) for q in row] for row in rows]


def difference(rows: list[list[float]], one: int, other: int) -> Estimate:
    return Estimate.of(torch.tensor([row[one] - row[other] for row in rows], dtype=torch.float64))


def assert_same(found: Estimate, expected: Estimate) -> None:
    assert found.mean == pytest.approx(expected.mean, rel=1e-9)
    assert found.standard_error == pytest.approx(expected.standard_error, rel=1e-9)


@pytest.mark.parametrize("held", [4_000_000, 6, 3, 1])
@pytest.mark.parametrize("encoded", [500, 2, 1])
def test_both_sides_are_the_published_ones_however_few_are_held(held, encoded, monkeypatch):
    monkeypatch.setattr(sys.modules[information.__module__], "NUMBERS_AT_ONCE", held)
    monkeypatch.setattr(sys.modules[evidence.__module__], "EXAMPLES_AT_ONCE", encoded)
    rows = by_hand(0.0)
    own, mixed, without, prior = range(4)
    found = information(Planted(0.0), THREE)
    assert found.examples == 3
    assert difference(rows, without, prior).mean < 0  # the divergence is not, so that it is 0
    assert_same(found.mutual_information.lower, difference(rows, own, mixed))
    assert_same(found.mutual_information.upper, difference(rows, own, prior))
    assert found.mismatch.lower == Estimate(0.0, None)
    assert_same(found.mismatch.upper, difference(rows, mixed, prior))


def test_a_mismatch_that_is_positive_on_both_sides_is_stated_on_both():
    rows = by_hand(-4.0)
    own, mixed, without, prior = range(4)
    assert difference(rows, without, prior).mean > 0
    found = information(Planted(-4.0), THREE)
    assert_same(found.mutual_information.upper, difference(rows, own, without))
    assert_same(found.mismatch.lower, difference(rows, without, prior))
    assert_same(found.mismatch.upper, difference(rows, mixed, prior))


def test_pairs_are_compared_a_few_rows_at_a_time(monkeypatch):
    module, shapes = sys.modules[information.__module__], []
    made = module.log_prob

    def recorded(law, z):
        shapes.append(tuple(z.shape))
        return made(law, z)

    monkeypatch.setattr(module, "log_prob", recorded)
    for held, parts in ((2 * 10 * 2 + 1, [2] * 5), (10 * 2, [1] * 10), (1, [1] * 10)):
        shapes.clear()
        monkeypatch.setattr(module, "NUMBERS_AT_ONCE", held)  # a row is 10 x 2 numbers
        information(REFERENCE.vae(), Examples(REFERENCE.simulate(10).x))
        assert shapes == [(rows, 1, 2) for rows in parts]


def test_examples_are_encoded_one_draw_of_each_at_a_time(monkeypatch):
    room = sys.modules[evidence.__module__]
    monkeypatch.setattr(room, "FEWEST_CELLS", 1)
    monkeypatch.setattr(room, "CELLS_AT_ONCE", 4 * 4)  # four examples of four cells
    model, taken = REFERENCE.vae(), []
    trace = model.trace
    model.trace = lambda batch, samples: taken.append(len(batch)) or trace(batch, samples)
    information(model, Examples(REFERENCE.simulate(10).x))
    assert taken == [4, 4, 2]


def test_two_examples_are_enough_and_2000_are_taken(monkeypatch):
    assert information(REFERENCE.vae(), Examples(REFERENCE.simulate(2).x)).examples == 2
    many = Examples(REFERENCE.simulate(2001).x)
    model, taken = REFERENCE.vae(), []
    trace = model.trace

    def counted(batch, samples=1, gradient="total"):
        taken.append((batch.x, samples))
        return trace(batch, samples, gradient)

    model.trace = counted
    assert information(model, many).examples == 2000
    assert torch.equal(torch.cat([x for x, _ in taken]), many.x[:2000])
    assert {samples for _, samples in taken} == {1}
    taken.clear()
    assert information(model, many, most=3).examples == 3
    assert [len(x) for x, _ in taken] == [3]
    module = sys.modules[information.__module__]
    assert (module.MOST_EXAMPLES, module.NUMBERS_AT_ONCE) == (2000, 4_000_000)
    with pytest.raises(DataError, match="two examples"):
        information(model, many, most=1)
