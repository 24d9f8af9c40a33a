"""The law of gaps: probabilities, draws and conditions, against those worked out by hand."""

import itertools

import pytest
import torch

from lowerbound.models import Gaps
from lowerbound.seeding import seeded
from lowerbound.testing import assert_frequencies, assert_mean

SETS = torch.tensor([[False, False, False], [True, True, False], [False, True, False]])
SHARES = torch.tensor([0.5, 0.2, 0.3])
EVERY = torch.tensor(list(itertools.product([False, True], repeat=3)))
Z = torch.zeros(1, 2)


def joint() -> Gaps:
    law = Gaps(2, SETS, joint=True)
    law.start(SHARES)
    return law


def apart() -> Gaps:
    law = Gaps(2, torch.eye(3, dtype=torch.bool)[:2], joint=False)
    law.start(torch.tensor([0.2, 0.6]))
    return law


@pytest.mark.parametrize("law", [joint(), apart()])
def test_probabilities_of_all_gaps_sum_to_one_and_draws_have_them(law):
    with torch.no_grad():
        chance = law.log_prob(Z.expand(8, -1), EVERY).exp()
        assert chance.sum().item() == pytest.approx(1, abs=1e-6)
        with seeded(0):
            drawn = law.draw(law(Z.expand(20_000, -1)))
    code = (drawn * torch.tensor([4, 2, 1])).sum(dim=1)
    assert_frequencies(code, chance, resolves=0.04)


@pytest.mark.parametrize(("law", "none"), [(joint(), 0.5), (apart(), 0.8 * 0.4)])
def test_a_law_starts_at_its_shares_whatever_z_is(law, none):
    z = torch.randn(5, 2)
    found = law.log_prob(z, torch.ones(5, 3, dtype=torch.bool)).exp()
    assert found.tolist() == pytest.approx([none] * 5, rel=1e-5)


@pytest.mark.parametrize("told", [[0, -1, 0], [1, -1, 0], [-1, 0, 1], [1, 1, 1], [0, 0, -1]])
@pytest.mark.parametrize("law", [joint(), apart()])
def test_a_condition_has_the_mass_of_the_gaps_that_fulfil_it(law, told):
    told = torch.tensor(told)
    fits = (((told <= 0) | EVERY) & ((told >= 0) | ~EVERY)).all(dim=1)
    with torch.no_grad():
        chance = law.log_prob(Z.expand(8, -1), EVERY).exp() * fits
        mass = law.log_mass(Z, told).exp().item()
        assert mass == pytest.approx(chance.sum().item(), abs=1e-6)
        if mass == 0:
            return
        with seeded(0):
            drawn = law.draw(law(Z.expand(5000, -1)), told)
    assert bool((drawn | (told <= 0)).all() & (~drawn | (told >= 0)).all())
    assert_mean(drawn[:, 1].double(), float((chance * EVERY[:, 1]).sum() / mass), resolves=0.08)
