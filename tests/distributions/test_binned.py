"""Columns cut into bins: against sums and integrals done by hand."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from lowerbound.distributions import Binned, Bins, Layout, expected
from lowerbound.errors import DataError
from lowerbound.seeding import seeded
from lowerbound.testing.assertions import assert_mean

F64 = torch.float64
WORDS = Bins((3, 0, 7))
COUNTS = Bins((4, 1, 0, 3, 6, 0), (2.0, 5.0), (0.5, 3.5, 9.5), whole=True, low=0.0)
WHOLE = Bins((4, 1, 3, 6, 2), (-3.0,), (-7.5, -1.5, 4.5), whole=True)
REALS = Bins((6, 1, 2, 3, 0), (0.0,), (-1.0, 0.5, 4.0))
SHARES = Bins((5, 2, 0, 4, 4, 0), (0.0, 1.0), (0.0, 0.25, 1.0), low=0.0, high=1.0)


def law_of(*bins, seed=0, batch=()):
    layout = Layout(bins, [one is not WORDS for one in bins])
    with seeded(seed):
        return Binned(torch.randn(*batch, layout.logits, dtype=F64), layout)


def softmax(law):
    return law.logits.softmax(-1).tolist()


def test_a_bin_has_its_softmax_and_a_bin_that_held_nothing_the_mass_of_one_example():
    law = law_of(WORDS)
    p = softmax(law)
    wanted = [p[0] * 10 / 11, 1 / 11, p[1] * 10 / 11]
    found = law.log_prob(torch.tensor([[0.0], [1.0], [2.0]])).exp().flatten()
    assert found.tolist() == pytest.approx(wanted, rel=1e-12)
    assert law.log_prob(torch.tensor([3.0])).item() == -math.inf


def test_whole_numbers_share_a_range_without_the_atoms_in_it():
    law = law_of(COUNTS)
    a, b, second, third = softmax(law)  # the atoms 2 and 5, then the ranges of 1 and 3, of 4 to 9
    seen = 14 / 16  # below is 0 alone, above is a tail, and neither was seen
    q = math.exp(-1 / 0.9)
    wanted = {0: 1 / 16, 1: seen * second / 2, 2: seen * a, 3: seen * second / 2,
              4: seen * third / 5, 5: seen * b, 9: seen * third / 5,
              10: (1 - q) / 16, 12: (1 - q) * q**2 / 16}  # fmt: skip
    x = torch.tensor([[float(k)] for k in wanted])
    assert law.log_prob(x).exp().flatten().tolist() == pytest.approx([*wanted.values()], rel=1e-12)


def test_tails_are_those_of_scipy():
    law, scale = law_of(REALS), 0.5
    low = softmax(law)[1] * 12 / 13
    x = np.array([-1.3, -4.0])
    told = law.log_prob(torch.tensor(x)[:, None]).exp().flatten()
    assert told.tolist() == pytest.approx(low * stats.expon.pdf(-1 - x, scale=scale), rel=1e-12)
    above = law.log_prob(torch.tensor([[6.0]], dtype=F64)).exp().item()
    assert above == pytest.approx(stats.expon.pdf(2.0, scale=scale) / 13, rel=1e-12)
    whole = law_of(WHOLE)
    tails = softmax(whole)[1], softmax(whole)[4]
    for mass, ahead, start in ((tails[0], -1, -8), (tails[1], 1, 5)):
        steps = np.arange(4)
        found = whole.log_prob(torch.tensor(start + ahead * steps, dtype=F64)[:, None]).exp()
        p = -math.expm1(-1 / 1.2)
        wanted = mass * stats.geom.pmf(steps + 1, p)
        assert found.flatten().tolist() == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("bins", [COUNTS, WHOLE])
def test_masses_of_whole_numbers_sum_to_one(bins):
    x = torch.arange(-400, 400, dtype=F64)[:, None]
    assert law_of(bins).log_prob(x).exp().sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("bins", [REALS, SHARES])
def test_atoms_and_the_integral_between_them_make_one(bins):
    law = law_of(bins)
    atoms = law.log_prob(torch.tensor(bins.atoms, dtype=F64)[:, None]).exp().sum().item()
    step = 1e-3
    x = torch.arange(-12, 16, step, dtype=F64)[:, None] + step / 2
    assert atoms + step * law.log_prob(x).exp().sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("bins", [WORDS, COUNTS, WHOLE, REALS, SHARES])
def test_draws_follow_the_density(bins):
    law = law_of(bins)
    with seeded(1):
        draws = law.sample((40_000,))
    assert bool(torch.isfinite(law.log_prob(draws)).all())
    code = law.layout.code(draws)[:, 0]
    hits = torch.nn.functional.one_hot(code, law.layout.total).to(F64)
    assert_mean(hits, law.masses, resolves=0.02, name="shares of the bins")
    if bins is not WORDS:
        assert_mean(draws, law.mean, resolves=0.1 * law.variance.sqrt(), name="mean")
        squares = (draws - law.mean).square() / law.variance
        assert_mean(squares, 1.0, resolves=0.3, name="variance")


def test_columns_of_any_numbers_of_bins_are_independent_of_each_other():
    every = (WORDS, COUNTS, REALS, WHOLE)
    together = law_of(*every, batch=(3,))
    x = torch.tensor([[2.0, 4.0, 0.7, -3.0], [0.0, 0.0, 0.0, 9.0], [1.0, 30.0, -9.0, 0.0]])
    place, sizes = 0, [law_of(one).layout.logits for one in every]
    for j, (one, size) in enumerate(zip(every, sizes, strict=True)):
        alone = Binned(together.logits[:, place : place + size], Layout([one]))
        found = alone.log_prob(x[:, j : j + 1])
        assert torch.allclose(together.log_prob(x)[:, j : j + 1], found, rtol=1e-13, atol=0)
        place += size


def test_logits_far_apart_in_different_columns_leave_every_number_right():
    layout = Layout([WORDS, COUNTS, WORDS])
    logits = torch.zeros(3, layout.logits, dtype=F64).index_fill(1, torch.tensor([0, 1]), 1e4)
    logits[1], logits[2, :2] = 0.0, 55.0  # beside a row far apart there are usual ones
    logits.requires_grad_()
    value = Binned(logits, layout).log_prob(torch.tensor([2.0, 5.0, 0.0]))
    value.sum().backward()
    alone = Binned(logits[1:2], layout).log_prob(torch.tensor([2.0, 5.0, 0.0]))
    every = math.log(10 / 11) - math.log(2), math.log(14 / 16) - math.log(4)
    wanted = torch.tensor([every[0], every[1], every[0]], dtype=F64).expand(3, 3)
    assert torch.allclose(value, wanted, atol=1e-5) and torch.equal(value[1:2], alone)
    shares = torch.tensor([-0.5, 0.5, -0.25, 0.75, -0.25, -0.25, 0.5, -0.5], dtype=F64)
    assert torch.allclose(logits.grad, shares.expand(3, 8), atol=1e-5)


def test_the_gradient_is_that_of_a_softmax():
    law = law_of(WORDS, REALS)
    x = torch.tensor([2.0, 0.2], dtype=F64)
    torch.autograd.gradcheck(lambda f: Binned(f, law.layout).log_prob(x),
                             law.logits.clone().requires_grad_())  # fmt: skip


def test_the_greatest_number_of_training_lies_in_the_last_range():
    law = law_of(REALS)
    inside, edge = law.log_prob(torch.tensor([[3.9], [4.0]], dtype=F64)).flatten().tolist()
    assert inside == edge


def test_the_start_is_the_law_of_the_training_examples():
    layout = Layout([WORDS, COUNTS])
    law = Binned(layout.start(), layout)
    assert law.masses[:3].tolist() == pytest.approx([3 / 11, 1 / 11, 7 / 11])
    assert law.masses[3:].tolist() == pytest.approx(
        [4 / 16, 1 / 16, 1 / 16, 3 / 16, 6 / 16, 1 / 16]
    )


def test_words_without_order_have_a_mode_and_no_mean():
    law = law_of(WORDS, REALS)
    assert law.mean[0].isnan()
    assert expected(law)[0].item() == 2 * int(law.logits[1] > law.logits[0])
    assert expected(law)[1] == law.mean[1]


def test_whole_numbers_below_zero_lie_in_the_support():
    law = law_of(WHOLE, WORDS)
    assert law.support.is_discrete and bool(law.support.check(torch.tensor([-9.0, 2.0])).all())
    assert not law_of(REALS, WORDS).support.is_discrete


def test_bins_that_contradict_themselves_are_refused():
    for wrong in (
        {"counts": (1, 2), "edges": (0.0, 1.0)},
        {"counts": (1, 2, 3), "edges": (1.0, 0.0)},
        {"counts": (0, 0)},
        {"counts": (1, -1, 3)},
        {"counts": (5,)},
    ):
        with pytest.raises(DataError, match=r"bins|counts"):
            Bins(**wrong)
