"""Rolls of notes: a law over all zeros and ones, causal in time and in the notes of a step."""

import itertools

import pytest
import torch

from lowerbound.distributions import Roll, log_prob
from lowerbound.errors import SupportError
from lowerbound.networks import RollWriter

STEPS, CHANNELS = 3, 3


@pytest.fixture
def law() -> Roll:
    torch.manual_seed(0)
    network = RollWriter(2, CHANNELS, hidden=5, each=2, dropout=0.0).double()
    network.requires_grad_(False)
    for parameter in network.parameters():
        parameter.add_(torch.randn_like(parameter))
    return Roll(network, torch.randn(STEPS * 2, dtype=torch.float64))


def rolls() -> torch.Tensor:
    every = list(itertools.product((0.0, 1.0), repeat=STEPS * CHANNELS))
    return torch.tensor(every, dtype=torch.float64).reshape(-1, STEPS, CHANNELS)


def test_the_probabilities_of_all_rolls_sum_to_one(law):
    assert float(law.log_prob(rolls()).exp().sum()) == pytest.approx(1.0, abs=1e-12)


def test_draws_come_as_often_as_the_law_says(law):
    torch.manual_seed(1)
    count = 20_000
    draws, every = law.sample((count,)), rolls()
    weights = 2.0 ** torch.arange(STEPS * CHANNELS - 1, -1, -1, dtype=torch.float64)
    found = (draws.flatten(1) @ weights).long().bincount(minlength=len(every)) / count
    chance = law.log_prob(every).exp()
    # beyond 4.9 standard errors; steps shifted by one move the likeliest by more than 20
    assert bool(((found - chance).abs() < 4.9 * (chance / count).sqrt() + 1e-3).all())
    likeliest = int(chance.argmax())
    assert chance[likeliest] > 20 * float((chance[likeliest] / count).sqrt())


def test_a_note_is_predicted_from_earlier_steps_and_lower_notes_alone(law):
    x = rolls()[200]
    first = law.cells(x)
    for t, c in itertools.product(range(STEPS), range(CHANNELS)):
        other = x.clone()
        other[t, c] = 1 - other[t, c]
        moved = ((law.cells(other) - first).abs() > 1e-12).flatten()
        place = t * CHANNELS + c
        assert not bool(moved[:place].any())
        assert bool(moved[place:].all())


def test_padding_changes_no_bit_of_value_or_gradient(law):
    z = law.z.clone().requires_grad_()
    ended = Roll(law.network, z)
    observed = torch.tensor([True, True, False])[:, None].expand(STEPS, CHANNELS)
    found = []
    for junk in (0.0, 1e30, float("nan")):
        x = rolls()[300].clone()
        x[2] = junk
        value = log_prob(ended, x, observed)
        found.append((value.detach(), torch.autograd.grad(value, z)[0]))
    assert all(torch.equal(a, b) for one in found for a, b in zip(one, found[0], strict=True))
    assert float(found[0][0]) == pytest.approx(float(law.cells(rolls()[300])[:2].sum()))


def test_draws_of_z_share_one_reading_of_x(law):
    z = torch.randn(4, 5, STEPS * 2, dtype=torch.float64)
    x = rolls()[torch.tensor([3, 77, 130, 401, 511])]
    together = Roll(law.network, z).log_prob(x)
    each = [[Roll(law.network, z[k, b]).log_prob(x[b]) for b in range(5)]
            for k in range(4)]  # fmt: skip
    assert torch.allclose(together, torch.tensor(each, dtype=torch.float64), atol=1e-12)


def test_a_gap_inside_is_refused_with_the_remedy(law):
    observed = torch.ones(STEPS, CHANNELS, dtype=torch.bool)
    observed[0, 1] = False
    with pytest.raises(SupportError, match="context=no"):
        law.log_prob(rolls()[0], observed)
